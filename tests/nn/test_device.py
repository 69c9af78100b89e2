"""Networks on a second device: parameters move, everything they make is beside them, and nothing is looked at."""

from functools import partial

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.nn.test_inputs import MODULES, WITH_WEIGHTS
from tinygrad_rnn import backends, nn, optim
from tinygrad_rnn import functional as F
from tinygrad_rnn.errors import DeviceError

pytestmark = pytest.mark.host

EVERY = WITH_WEIGHTS | {"Embedding": lambda **options: nn.Embedding(5, 4, **options)}
EVERY |= {cell: partial(nn.Recurrent, cell, 3, 3) for cell in nn.CELLS if cell != "irnn"}  # which looks at its biases


def input_of(name, device="cpu"):
    if name == "Embedding":
        return tg.tensor([[0, 4], [2, 2]], device=device)
    shape = (6, 2, 3) if name in ("RNN", "LSTM", "GRU") else (2, 3)
    return tg.tensor(np.random.default_rng(0).normal(size=shape).astype("float32"), device=device)


def first_of(output):
    while isinstance(output, tuple):
        output = output[0]
    return output


# ---- modules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_a_module_made_there_is_the_one_made_here(name, fake_cuda):
    tg.manual_seed(4)
    here = EVERY[name]()
    tg.manual_seed(4)
    fake_cuda.reads = 0
    there = EVERY[name](device="cuda")
    assert fake_cuda.reads == 0
    for (path, a), b in zip(here.named_parameters(), there.parameters(), strict=True):
        assert b.device == "cuda"
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-6, err_msg=path)
    fake_cuda.reads = 0
    output = first_of(there(input_of(name, "cuda")))
    output.sum().backward()
    assert fake_cuda.reads == 0
    wanted = first_of(here(input_of(name)))
    wanted.sum().backward()
    np.testing.assert_allclose(output.numpy(), wanted.numpy(), rtol=1e-5, atol=1e-6)
    for a, b in zip(here.parameters(), there.parameters(), strict=True):
        assert b.grad.device == "cuda"
        np.testing.assert_allclose(b.grad.numpy(), a.grad.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_moving_a_module_moves_all_of_it_and_keeps_its_parameters(name, fake_cuda):
    module = EVERY[name]()
    before = list(module.parameters())
    first_of(module(input_of(name))).sum().backward()
    values = [p.numpy().copy() for p in before]
    assert module.to("cuda") is module
    for parameter, same, value in zip(module.parameters(), before, values, strict=True):
        assert parameter is same
        assert (parameter.device, parameter.grad.device) == ("cuda", "cuda")
        np.testing.assert_array_equal(parameter.numpy(), value)
    assert first_of(module(input_of(name, "cuda"))).device == "cuda"
    module.to("cpu", "float64")
    assert {(p.device, str(p.dtype)) for p in module.parameters()} == {("cpu", "float64")}


def test_the_weight_of_a_loss_follows_the_module_to_another_device(fake_cuda):
    weight = tg.tensor([1.0, 2.0])
    loss = nn.CrossEntropyLoss(weight).to("cuda")
    assert (loss.weight.device, weight.device) == ("cuda", "cpu")
    assert loss(tg.zeros(2, 2, device="cuda"), tg.tensor([0, 1], device="cuda")).device == "cuda"


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_an_input_from_elsewhere_is_refused_with_what_to_do(name, fake_cuda):
    module = WITH_WEIGHTS[name](device="cuda")
    advice = r"x\.to\('cuda'\), or module\.to\('cpu'\)"
    with pytest.raises(DeviceError, match=rf"{name}: the input is on cpu and the parameters are on cuda; .*{advice}"):
        module(input_of(name))


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRUCell", "LSTMCell"])
def test_a_state_from_elsewhere_is_refused(name, fake_cuda):
    module = WITH_WEIGHTS[name]()
    state = module(input_of(name))
    state = state[1] if "Cell" not in name else state
    with pytest.raises(DeviceError, match=rf"{name}: the initial h is on cpu .* h\.to\('cuda'\)"):
        module.to("cuda")(input_of(name, "cuda"), state)


@pytest.mark.parametrize("name", sorted(set(MODULES) - set(WITH_WEIGHTS)))
def test_modules_without_parameters_work_where_their_input_is(name, fake_cuda):
    assert MODULES[name]()(input_of(name, "cuda")).device == "cuda"


def test_a_module_without_parameters_refuses_an_unknown_device_too():
    with pytest.raises(DeviceError, match="cuda:1"):
        nn.Dropout().to("cuda:1")


def test_dropout_drops_the_same_elements_there(fake_cuda):
    x = tg.ones(50)
    for make in (lambda x: F.dropout(x, 0.5), nn.Dropout(0.25)):
        tg.manual_seed(2)
        here = make(x)
        tg.manual_seed(2)
        there = make(x.to("cuda"))
        assert there.device == "cuda"
        np.testing.assert_array_equal(there.numpy(), here.numpy())


@pytest.mark.parametrize("unrolled", [False, True])
def test_stacked_layers_with_dropout_in_both_directions(fake_cuda, unrolled):
    outputs = []
    for device in ("cpu", "cuda"):
        tg.manual_seed(7)
        net = nn.GRU(3, 4, num_layers=2, dropout=0.5, bidirectional=True, batch_first=True, device=device)
        x = input_of("GRU", device)
        fake_cuda.reads = 0
        output, h = (net.unroll if unrolled else net)(x, tg.zeros(4, 6, 4, device=device))
        assert fake_cuda.reads == 0
        assert output.device == h.device == device
        outputs.append(output.numpy())
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "fill", ["zeros_", "ones_", "uniform_", "normal_", "xavier_uniform_", "orthogonal_", "identity_"]
)
def test_initialisers_write_there_what_they_write_here(fill, fake_cuda, monkeypatch):
    found = []
    for device in ("cpu", "cuda"):
        tg.manual_seed(1)
        t = tg.full((4, 3), 9.0, device=device)
        with monkeypatch.context() as patch:
            if device == "cuda" and fill != "orthogonal_":  # which is computed on the CPU
                patch.setattr(backends.get("cpu"), "random", None)
            assert getattr(nn.init, fill)(t) is t
        assert t.device == device
        found.append(t.numpy())
    np.testing.assert_allclose(*found, rtol=1e-6)


def test_states_go_from_device_to_device(fake_cuda):
    here, there = nn.Linear(3, 2), nn.Linear(3, 2, device="cuda")
    here.load_state_dict(there.state_dict())
    np.testing.assert_array_equal(here.weight.numpy(), there.weight.numpy())
    other = nn.Linear(3, 2, device="cuda")
    other.load_state_dict(here.state_dict())
    assert other.weight.device == "cuda"
    np.testing.assert_array_equal(other.bias.numpy(), here.bias.numpy())
    fake_cuda.reads = 0
    other.load_state_dict(there.state_dict())
    assert fake_cuda.reads == 0
    other.weight.assign_(np.zeros((2, 3), "float32"))
    assert (there.weight != 0).sum().item() == 6


# ---- a training step ----------------------------------------------------------------------------------------------


class Tagger(nn.Module):
    def __init__(self, device):
        self.embedding = nn.Embedding(7, 5, device=device)
        self.rnn = nn.LSTM(5, 6, num_layers=2, dropout=0.2, device=device)
        self.norm = nn.LayerNorm(6, device=device)
        self.output = nn.Linear(6, 7, device=device)

    def forward(self, ids):
        return self.output(self.norm(self.rnn(self.embedding(ids))[0]))


def momentum(parameters):
    return optim.SGD(parameters, 0.1, momentum=0.9)


@pytest.mark.parametrize("optimizer", [optim.Adam, optim.AdamW, optim.RMSprop, momentum])
@pytest.mark.parametrize("ids_on", ["cpu", "cuda"])
def test_a_training_step_looks_at_nothing(fake_cuda, optimizer, ids_on):
    rng = np.random.default_rng(0)
    ids, targets = rng.integers(0, 7, size=(2, 4, 3))
    losses = {}
    for device in ("cpu", "cuda"):
        tg.manual_seed(0)
        model = Tagger(device)
        steps = optimizer(list(model.parameters()))
        found = []
        where = ids_on if device == "cuda" else "cpu"
        fake_cuda.reads = 0
        for _ in range(3):
            steps.zero_grad()
            logits = model(tg.tensor(ids, device=where))
            loss = nn.CrossEntropyLoss()(logits.reshape(-1, 7), tg.tensor(targets.reshape(-1), device=where))
            loss.backward()
            optim.clip_grad_norm_(model.parameters(), 0.5)
            optim.clip_grad_value_(model.parameters(), 0.25)
            steps.step()
            found.append(loss.detach())
        assert fake_cuda.reads == 0
        losses[device] = [loss.item() for loss in found]
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-4)
    assert losses["cpu"][-1] < losses["cpu"][0]


@pytest.mark.parametrize("lengths", [[6, 1], np.array([2, 4]), tg.tensor([0, 6])])
def test_lengths_zoneout_and_dropout_need_no_look_at_the_device(lengths, fake_cuda):
    options = {"num_layers": 2, "bidirectional": True, "zoneout": 0.3, "variational": 0.4, "dropout": 0.2}
    found = []
    for device in ("cpu", "cuda"):
        tg.manual_seed(4)
        module = nn.Recurrent("lstm", 3, 4, device=device, **options)
        fake_cuda.reads = 0
        for given in (lengths, lengths.to(device)) if isinstance(lengths, tg.Tensor) else (lengths,):
            output, (h, c) = module(input_of("LSTM", device), lengths=given)
        assert fake_cuda.reads == 0
        found.append([part.numpy() for part in (output, h, c)])
    for here, there in zip(*found, strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-5, atol=1e-6)
