"""A tape on a device: the same instructions, nothing that waits, and state that has to stay where it was."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tape.steps import id_batches, numbers_of
from tests.tape.test_replay import B, Model, T, V
from tinygrad_rnn import functional as F
from tinygrad_rnn import optim, tape
from tinygrad_rnn.errors import DeviceError, InputError


def world():
    tg.manual_seed(0)
    model = Model("lstm", dropout=0.3).to("cuda")
    adam = optim.Adam(model.parameters(), 0.02)

    def step(ids, targets):
        adam.zero_grad()
        loss = F.cross_entropy(model(ids).reshape(-1, V), targets.reshape(-1))
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 0.5)
        adam.step()
        return loss

    return model, adam, step


@pytest.mark.parametrize("ids_on", ["cpu", "cuda"])
def test_training_on_a_device_is_replayed_bit_for_bit_and_waits_for_nothing(fake_cuda, ids_on):
    batches = [[x.to(ids_on) for x in pair] for pair in id_batches(V, (T, B), count=5)]
    model, _, step = world()
    eager = [numbers_of([step(*batch).to("cpu")]) for batch in batches]
    wanted = numbers_of([x.to("cpu") for x in model.state_dict().values()])
    model, _, step = world()
    recorded = tape.record(step, *batches[0])
    waited = fake_cuda.reads
    losses = [recorded.result, *(recorded.replay(*batch) for batch in batches[1:])]
    assert fake_cuda.reads == waited
    assert [numbers_of([loss.to("cpu")]) for loss in losses] == eager
    assert numbers_of([x.to("cpu") for x in model.state_dict().values()]) == wanted


def test_what_moved_since_is_an_error(fake_cuda):
    (batch, *_) = id_batches(V, (T, B), count=2)
    model, _, step = world()
    recorded = tape.record(step, *batch)
    with pytest.raises(DeviceError, match=r"inputs\[0\] \(ids\) is int64 .* on cuda, but was int64 .* on cpu"):
        recorded.replay(batch[0].to("cuda"), batch[1])
    model.to("cpu")
    with pytest.raises(DeviceError, match="on cpu, but was"):
        recorded.replay(*batch)


def test_a_tape_of_one_device_can_be_read_for_another(fake_cuda):
    w = tg.tensor([1.0, 2.0], requires_grad=True)

    def step(x):
        w.grad = None
        (w * x + tg.ones(2)).sum().backward()
        w.assign_(w - 0.5 * w.grad)
        return w.grad

    text = tape.record(step, tg.ones(2)).to_json()
    there = tape.from_json(text, device="cuda")
    gradient = there.replay(tg.tensor([3.0, 4.0], device="cuda"))
    assert gradient.device == "cuda"
    assert gradient.to("cpu").tolist() == [3.0, 4.0]
    both = tape.record(lambda x: x.to("cuda").sum().to("cpu"), tg.ones(2))
    with pytest.raises(InputError, match="for the devices cpu, cuda; leave device= out"):
        tape.from_json(both.to_json(), device="cpu")
    assert tape.from_json(both.to_json()).replay(tg.tensor(np.full(2, 2.0, "float32"))).item() == 4.0
