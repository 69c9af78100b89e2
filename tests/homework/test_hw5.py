"""hw5: what its checks take for the truth is what the package measures, and a trained model cannot be made up."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.checks import checks_of
from tinygrad_rnn.homework.judging import judge
from tinygrad_rnn.homework.marks import regions_of

FOLDER = Path(__file__).parents[2] / "tutorials" / "homework" / "hw5"
KINDS = ("tanh, small inputs", "tanh, large inputs", "logistic")


@pytest.fixture(scope="module")
def hidden():
    return checks_of(FOLDER / "hidden.py")


def networks(hidden, kind, count, seed):
    draw, found = np.random.default_rng(seed), []
    while len(found) < count:
        if made := hidden[0].function.__globals__["network"](draw, kind):
            found.append(made)
    return found


def mended(body, hidden, names):
    """Return what these checks of 5.5 say about a body of `mended`."""
    assignment, reference = building.source_of(FOLDER)
    text = reference["vanish.py"]
    lines, region = text.splitlines(keepends=True), regions_of(text)["5.5"]
    lines[region.begin + 1 : region.end] = [body]
    checks = [each for each in hidden if each.task == "5.5" and each.name in names]
    assert len(checks) == len(names)
    return judge(assignment, reference, {"vanish.py": "".join(lines)}, checks, only="5.5")


FIRST = ("it_learns_what_is_drawn[first]",)


@pytest.mark.parametrize("kind", KINDS)
def test_measured_horizons_are_those_that_the_package_measures(hidden, kind):
    W, states, unit, horizon = networks(hidden, kind, 1, 3)[0]
    w, h = tg.tensor(W, requires_grad=True), tg.tensor(states[0], requires_grad=True).named("h", role="state")
    inverse = np.arctanh if unit == "tanh" else lambda h: np.log(h / (1 - h))
    for t in range(1, len(states)):
        with tg.scope("t", t):
            a = tg.tensor(inverse(states[t]) - states[t - 1] @ W.T) + h @ w.T
            h = (a.tanh() if unit == "tanh" else a.sigmoid()).named("h", role="state")
    np.testing.assert_allclose(h.numpy(), states[-1], rtol=1e-6, atol=1e-9)
    read = np.random.default_rng(0).standard_normal((len(W), 1))
    assert abs(gradient_flow((h @ tg.tensor(read)).sum(axis=1)).horizon.steps - horizon) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_gain_times_slope_tells_horizons_and_the_largest_singular_value_does_not(hidden, kind):
    near = {"gain": 0, "largest": 0}
    for W, states, unit, horizon in networks(hidden, kind, 100, 4):
        slopes, steepest = (1 - states**2, 1.0) if unit == "tanh" else (states * (1 - states), 0.25)
        gain = np.sqrt((np.linalg.svd(W, compute_uv=False) ** 2).mean() * (slopes**2).mean())
        for name, factor in (("gain", gain), ("largest", np.linalg.norm(W, 2) * steepest)):
            near[name] += factor < 1 and abs(np.log(0.01) / np.log(factor) - horizon) <= 0.25 * horizon
    assert near["gain"] >= 97
    assert near["largest"] <= 40


@pytest.mark.slow
@pytest.mark.process
def test_a_model_that_answers_by_itself_gets_nothing_for_it(hidden):
    body = """
    class Knowing(SequenceModel):
        def outputs(self, batch):
            bit = batch.inputs[0, :, :1]
            return tg.stack([tg.concat([-bit, bit], axis=1)] * len(batch.inputs))

    tg.manual_seed(seed)
    return Knowing.for_task(TASK, "gru", HIDDEN), {"optimizer": "SGD", "lr": 1e-3}
"""
    (found,) = mended(body, hidden, FIRST)
    assert not found.earned
    assert "of new sequences, and 99% are asked for" in found.message


@pytest.mark.process
def test_answers_of_the_wrong_kind_get_one_clear_line(hidden):
    model = 'tg.manual_seed(seed)\n    model = SequenceModel.for_task(TASK, "gru", HIDDEN)\n    '
    for body, words in (
        ("return failing(seed)[0]", "returns a model and a dict of settings; it was "),
        (
            model + 'return model, {"optimizer": "Lion", "lr": 1e-3}',
            "optimizer is 'Lion'; it has to be one of SGD, RMSprop, Adam, AdamW",
        ),
        (model + 'return model, {"optimizer": "Adam", "updates": 300}', "the optimizer: "),
        (model + 'return model, {"optimizer": "Adam", "lr": -1.0}', "the optimizer: "),
        (
            model.replace("gru", "rnn:nonlinearity=relu") + 'return model, {"optimizer": "SGD", "lr": 1e30}',
            "training: ",
        ),
        ('return SequenceModel.for_task(TASK, "gru", 33), {"optimizer": "SGD", "lr": 1.0}', "'hidden_size': 33"),
        ("return 1, {}", "int"),
    ):
        (found,) = mended(f"    {body}\n", hidden, FIRST)
        assert not found.earned
        assert words in found.message, found.message


@pytest.mark.process
def test_a_model_that_knows_the_bit_before_training_is_refused(hidden):
    body = """
    model = SequenceModel.for_task(TASK, "rnn:nonlinearity=relu", HIDDEN)
    for parameter in model.parameters():
        parameter.assign_(parameter * 0.0)
    into, keep, out = (np.zeros(shape, "float32") for shape in ((HIDDEN, 2), (HIDDEN, HIDDEN), (2, HIDDEN)))
    into[0, 0] = keep[0, 0] = out[1, 0] = 1.0
    model.rnn.weight_ih_l0.assign_(tg.tensor(into))
    model.rnn.weight_hh_l0.assign_(tg.tensor(keep))
    model.output.weight.assign_(tg.tensor(out))
    model.output.bias.assign_(tg.tensor(np.array([0.5, 0.0], "float32")))
    return model, {"optimizer": "Adam", "lr": 1e-3}
"""
    (found,) = mended(body, hidden, FIRST)
    assert "it does not know the bit before its first update" in found.message


@pytest.mark.slow
@pytest.mark.process
def test_a_right_model_that_has_bad_luck_once_is_trained_from_another_seed(hidden):
    assignment, reference = building.source_of(FOLDER)
    looped = building.read_files(FOLDER / "alternatives" / "looped", assignment.files)
    checks = [each for each in hidden if each.name == "it_learns_what_is_drawn[second]"]
    (found,) = judge(assignment, reference, looped, checks, only="5.5", seed=10)
    assert found.message == ""


@pytest.mark.slow
@pytest.mark.process
def test_identity_weights_with_relu_are_a_cure_as_well(hidden):
    body = """
    tg.manual_seed(seed)
    model = SequenceModel.for_task(TASK, "rnn:nonlinearity=relu", HIDDEN)
    model.rnn.weight_hh_l0.assign_(tg.eye(HIDDEN))
    for bias in (model.rnn.bias_ih_l0, model.rnn.bias_hh_l0):
        bias.assign_(tg.zeros(HIDDEN))
    return model, {"optimizer": "Adam", "lr": 3e-3}
"""
    found = mended(body, hidden, [f"it_learns_what_is_drawn[{which}]" for which in ("first", "second", "third")])
    assert [each.message for each in found] == ["", "", ""]


@pytest.mark.slow
@pytest.mark.process
def test_show_passes_over_what_is_not_written_and_draws_when_all_is(tmp_path):
    for name, content in building.student_files(FOLDER).items():
        (tmp_path / name).write_bytes(content)

    def show():
        return subprocess.run(
            [sys.executable, "show.py"], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    begun = show()
    assert begun.count("not yet: Task 5.") == 4
    assert (tmp_path / "flow.json").stat().st_size > 1000
    shutil.copy(FOLDER / "vanish.py", tmp_path)
    done = show()
    assert "not yet" not in done
    assert "carrier:    unit 5; effectively 1.00 units carry" in done
    assert "u v = 0.05" in done
    assert (tmp_path / "models.svg").stat().st_size > 1000
