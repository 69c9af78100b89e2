"""Training on a second device: the same batches, the same curve, one wait per update, files that know no device."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import DeviceError, InputError
from tinygrad_rnn.tasks import AddingTask, TextTask
from tinygrad_rnn.train import (
    SequenceModel,
    backward_graph_of,
    evaluate,
    fit,
    flow_map_of,
    jacobians_of,
    load_checkpoint,
    measure,
    sample,
    save_checkpoint,
    training_flow,
)

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("fake_cuda")]

TASKS = {"text": TextTask("the quick brown fox " * 4, steps=5), "adding": AddingTask(6)}


def fresh(task, device, cell="lstm", layers=1):
    tg.manual_seed(1)
    model = SequenceModel(cell, task.input_size, 6, task.output_size, layers, "float64", device)
    return model, optim.Adam(model.parameters(), lr=0.02)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("cell", ["rnn", "irnn", "lstm:forget_bias=1", "gru"])
def test_training_there_gives_the_same_curve(name, cell):
    task, curves = TASKS[name], []
    for device in ("cpu", "cuda"):
        model, adam = fresh(task, device, cell)
        assert model.device == device
        curves.append([update.loss for update in fit(model, task, adam, 5, batch=4, seed=3)])
        curves[-1].append(evaluate(model, task, 8))
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-9)


def test_an_update_waits_for_its_loss_and_its_norm_only(fake_cuda):
    model, adam = fresh(TASKS["text"], "cuda")
    fake_cuda.reads = 0
    list(fit(model, TASKS["text"], adam, 4, batch=4))
    assert fake_cuda.reads == 4 * 2


def test_training_that_diverges_there_stops_before_the_weights_follow():
    model, adam = fresh(TASKS["text"], "cuda")
    model.output.bias.assign_(np.full(model.output.bias.shape, np.inf))
    before = model.rnn.weight_hh_l0.numpy()
    with pytest.raises(InputError, match="training diverged"):
        next(fit(model, TASKS["text"], adam, 3, batch=4))
    np.testing.assert_array_equal(model.rnn.weight_hh_l0.numpy(), before)


def test_a_model_saved_there_goes_on_here_and_the_other_way_round(tmp_path):
    task, curves = TASKS["text"], []
    for devices in (("cpu", "cpu"), ("cpu", "cuda"), ("cuda", "cpu")):
        model, adam = fresh(task, devices[0])
        list(fit(model, task, adam, 3, batch=4))
        save_checkpoint(tmp_path / "m.safetensors", model, adam, {"updates": 3})
        found = load_checkpoint(tmp_path / "m.safetensors", devices[1])
        assert found.model.device == devices[1]
        again = optim.Adam(found.model.parameters())
        again.load_state_dict(found.optimizer_state)
        curves.append([update.loss for update in fit(found.model, task, again, 6, batch=4, first=3)])
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-9)
    np.testing.assert_allclose(curves[2], curves[0], rtol=1e-9)
    with pytest.raises(DeviceError, match="cuda:1"):
        load_checkpoint(tmp_path / "m.safetensors", "cuda:1")


def test_a_model_writes_the_same_there():
    model, _ = fresh(TASKS["text"], "cpu")
    here = list(sample(model, [1, 2], 20, seed=4))
    assert list(sample(model.to("cuda"), [1, 2], 20, seed=4)) == here


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_what_is_measured_there_is_what_is_measured_here(cell):
    task, found = TASKS["adding"], []
    for device in ("cpu", "cuda"):
        model, adam = fresh(task, device, cell, layers=2)
        ((_, trained),) = training_flow(model, task, adam, 2, batch=4)
        exact = model.converted("float64")
        assert (exact.device, exact.dtype) == (device, "float64")
        measured = measure(exact, task, 3, statistics=True)
        found.append(
            {
                "flow": measured.flow_json(),
                "run": measured.run,
                "trained": trained.report.hidden_grad,
                "nodes": [(node.name, node.norm, node.value, node.gradient) for node in measured.report.nodes],
                "statistics": [s for s in measured.report.to_dict().values() if isinstance(s, list)],
                "carries": [carry.norms for carry in measured.report.carries],
                "links": [link.norm for link in measured.report.links],
                "map": flow_map_of(exact, task, 3).norms,
                "jacobians": jacobians_of(exact, task, 3).one_step,
                "backward": [node.norm for node in backward_graph_of(exact, task, 3).nodes],
            }
        )
    same(found[0], found[1])


def same(a, b):
    """Compare nested numbers."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            same(left, right)
    elif isinstance(a, float | np.ndarray):
        np.testing.assert_allclose(b, a, rtol=1e-8, atol=1e-14)
    else:
        assert a == b
