"""Zoneout: some elements of a state stay as they were, in training by chance, in evaluation by their share."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, tape
from tinygrad_rnn.engine.check import gradcheck
from tinygrad_rnn.engine.creation import default_generator
from tinygrad_rnn.errors import InputError

T, B, I, H = 5, 3, 3, 3  # noqa: E741


def parts(state: object) -> tuple:
    return state if isinstance(state, tuple) else (state,)


def test_in_training_every_element_is_the_old_one_or_the_new_one_each_with_its_probability() -> None:
    tg.manual_seed(0)
    module = nn.Recurrent("gru", I, 50, zoneout=0.3, dtype="float64")
    x, old = tg.randn(T, 40, I, dtype="float64"), tg.zeros(40, 50, dtype="float64")
    outputs, _ = module.unroll(x)
    stayed = []
    for t in range(T):
        h, new = outputs[t].numpy(), module.cell()(x[t], old).numpy()
        stays = h == old.numpy()
        np.testing.assert_array_equal(h, np.where(stays, old.numpy(), new))
        stayed.append(stays)
        old = outputs[t]
    share = np.array(stayed)
    assert abs(share.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / share.size)
    assert (share[0] != share[1]).any()  # drawn anew for every step
    assert (share[:, 0] != share[:, 1]).any()  # and every example


def test_in_evaluation_the_states_are_the_expectation_of_the_paper() -> None:
    module = nn.Recurrent("lstm", I, H, zoneout={"h": 0.1, "c": 0.4}, dtype="float64").eval()
    x = tg.randn(T, B, I, dtype="float64")
    h, c = (tg.randn(B, H, dtype="float64") for _ in range(2))
    output, (h_n, c_n) = module(x, (h.unsqueeze(0), c.unsqueeze(0)))
    for t in range(T):
        new_h, new_c = module.cell()(x[t], (h, c))  # h of the new c
        h, c = 0.1 * h + 0.9 * new_h, 0.4 * c + 0.6 * new_c
        np.testing.assert_allclose(output[t].numpy(), h.numpy(), rtol=0, atol=1e-15)
    np.testing.assert_allclose(c_n[0].numpy(), c.numpy(), rtol=0, atol=1e-15)
    np.testing.assert_array_equal(h_n[0].numpy(), output[-1].numpy())


def test_the_mean_of_a_step_in_training_is_the_step_in_evaluation() -> None:
    tg.manual_seed(1)
    module = nn.Recurrent("lstm", I, H, zoneout=0.25, dtype="float64")
    x = tg.randn(1, 1, I, dtype="float64").broadcast_to(1, 20_000, I)
    start = tuple(tg.randn(1, 1, H, dtype="float64").broadcast_to(1, 20_000, H) for _ in range(2))
    drawn = module(x, start)[1]
    for found, expected in zip(drawn, module.eval()(x, start)[1], strict=True):
        error = found.numpy().std(axis=1) / np.sqrt(20_000)
        assert (np.abs(found.numpy().mean(axis=1) - expected[:, 0].numpy()) < 5 * error).all()


@pytest.mark.many_launches
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("cell", nn.CELLS)
def test_one_seed_gives_the_same_numbers_and_gradients_step_by_step(cell: str, training: bool) -> None:
    options = {"zoneout": 0.3, "variational": 0.4, "dropout": 0.2, "bidirectional": cell != "gates_from_input"}
    module = nn.Recurrent(cell, I, H, num_layers=2, dtype="float64", **options).train(training)
    x = tg.randn(T, B, I, dtype="float64")
    found = []
    for way in (module.forward, module.unroll):
        tg.manual_seed(4)
        module.zero_grad()
        output, final = way(x, lengths=[T, 2, 4])
        tg.stack([(part * part).sum() for part in (output, *parts(final))]).sum().backward()
        gradients = [p.grad.numpy() for p in module.parameters() if p.grad is not None]
        found.append([output.numpy(), *[part.numpy() for part in parts(final)], *gradients, tg.rand(1).numpy()])
    for hoisted, unrolled in zip(*found, strict=True):
        np.testing.assert_allclose(hoisted, unrolled, rtol=0, atol=1e-12)


@pytest.mark.many_launches
@pytest.mark.parametrize("training", [True, False])
def test_derivatives_are_exact(training: bool) -> None:
    module = nn.Recurrent("lstm", 2, 2, zoneout=0.5, variational=0.3, dtype="float64").train(training)
    x = tg.randn(3, 2, 2, dtype="float64", requires_grad=True)
    start = tuple(tg.randn(1, 2, 2, dtype="float64", requires_grad=True) for _ in range(2))

    def run(x: tg.Tensor, *start: tg.Tensor) -> tg.Tensor:
        tg.manual_seed(2)
        output, (_, c) = module(x, start)
        return tg.concat([output.reshape(-1), c.reshape(-1)])

    assert gradcheck(run, (x, *start))


def test_a_state_that_always_stays_is_never_new() -> None:
    module = nn.Recurrent("lstm", I, H, zoneout={"c": 1.0})
    c = tg.randn(1, B, H)
    output, (_, c_n) = module(tg.randn(T, B, I), (tg.zeros(1, B, H), c))
    np.testing.assert_array_equal(c_n.numpy(), c.numpy())
    assert (output[0] != output[1]).any()


def test_training_goes_on_from_where_the_generator_stood() -> None:
    module = nn.Recurrent("lstm", I, H, num_layers=2, zoneout=0.3, variational=0.2)
    x = tg.randn(T, B, I)
    module(x)
    state = default_generator.state_dict()
    first = module(x)[0].numpy()
    module(x)
    default_generator.load_state_dict(state)
    np.testing.assert_array_equal(module(x)[0].numpy(), first)


def test_every_replay_draws_anew() -> None:
    module = nn.Recurrent("lstm", I, H, num_layers=2, zoneout=0.3, variational=0.2)
    x = tg.randn(T, B, I)
    tg.manual_seed(6)
    recorded = tape.record(lambda x: module(x)[0], x)
    replayed = [np.array(recorded.replay(x).numpy()) for _ in range(2)]
    tg.manual_seed(6)
    ran = [np.array(module(x)[0].numpy()) for _ in range(3)]
    assert (ran[1] != ran[2]).any()
    np.testing.assert_array_equal(replayed, ran[1:])


def test_the_state_of_a_step_is_the_one_after_zoneout() -> None:
    h = nn.Recurrent("gru", I, H, zoneout=0.5).unroll(tg.randn(1, B, I))[1][0]
    waiting, named = [h.edge[0]], {}
    while waiting:
        node = waiting.pop()
        waiting += [parent for parent, _ in node.parents]
        named |= {name: (node.roles or {}).get(i) for i, name in (node.names or {}).items() if node.op_name}
    assert named == {"h": "state", "h_new": None, "r": "gate", "z": "gate", "n": "gate"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Recurrent("gru", I, H, zoneout=1.5), r"Recurrent: zoneout: h must be a number between 0 and 1"),
        (lambda: nn.Recurrent("lstm", I, H, zoneout={"c": "much"}), "zoneout: c must be a number between 0 and 1"),
        (lambda: nn.Recurrent("gru", I, H, zoneout={"c": 0.1}), "GRUCell has no state 'c'; it has h"),
        (lambda: nn.Recurrent("lstm", I, H, variational=-1), "Recurrent: variational must be a number between 0 and 1"),
    ],
)
def test_what_is_no_share_is_named(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_what_was_chosen_is_shown() -> None:
    shown = repr(nn.Recurrent("lstm", I, H, zoneout={"h": 0.0, "c": 0.5}, variational=0.25))
    assert shown == "Recurrent(LSTMCell, 3, 3, zoneout={'c': 0.5}, variational=0.25)"
