"""Sequences of several lengths in one batch: each example gives what it gives alone."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, tape
from tinygrad_rnn.engine.check import gradcheck
from tinygrad_rnn.errors import DTypeError, IndexRangeError, InputError, ShapeError, TapeError
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.flow.lanes import lanes_in

T, LENGTHS = 4, (2, 4, 0, 3)
B = len(LENGTHS)


def parts(state: object) -> tuple:
    return state if isinstance(state, tuple) else (state,)


def of_parameters(module: nn.Module) -> list[np.ndarray]:
    return [np.array(0.0 if p.grad is None else p.grad.numpy()) for p in module.parameters()]


def start_of(module: nn.Recurrent, batch: tuple[int, ...]) -> tuple[tg.Tensor, ...]:
    rows = module.num_layers * module.directions
    return tuple(tg.randn(rows, *shape, dtype="float64") for shape in module.cell().state_shapes(batch))


@pytest.mark.many_launches
@pytest.mark.parametrize("way", ["forward", "unroll"])
@pytest.mark.parametrize("cell", nn.CELLS)
def test_a_padded_example_gives_what_it_gives_alone_and_the_padding_is_not_looked_at(cell: str, way: str) -> None:
    tg.manual_seed(2)
    bidirectional = cell != "gates_from_input"  # which reads as many numbers as it shows, so never two directions
    module = nn.Recurrent(cell, 3, 3, num_layers=2, bidirectional=bidirectional, dtype="float64")
    start = start_of(module, (B,))
    data = tg.randn(T, B, 3, dtype="float64").numpy().copy()
    for i, length in enumerate(LENGTHS):
        data[length:, i] = np.nan
    x = tg.tensor(data, requires_grad=True)
    output, final = getattr(module, way)(x, start if len(start) > 1 else start[0], LENGTHS)
    weight = tg.randn(*output.shape, dtype="float64")
    tg.stack([(output * weight).sum(), *[(part * part).sum() for part in parts(final)]]).sum().backward()
    found = of_parameters(module)

    module.zero_grad()
    for i, length in enumerate(LENGTHS):
        begun = tuple(part[:, i : i + 1] for part in start)
        np.testing.assert_array_equal(output[length:, i].numpy(), 0)
        np.testing.assert_array_equal(x.grad[length:, i].numpy(), 0)
        alone = tg.tensor(data[:length, i : i + 1], requires_grad=True)
        losses = []
        if length:
            out, last = module(alone, begun if len(begun) > 1 else begun[0])
            np.testing.assert_allclose(output[:length, i : i + 1].numpy(), out.numpy(), rtol=0, atol=1e-12)
            losses.append((out * weight[:length, i : i + 1]).sum())
        else:
            last = begun
        for ours, theirs in zip(parts(final), parts(last), strict=True):
            np.testing.assert_allclose(ours[:, i : i + 1].numpy(), theirs.numpy(), rtol=0, atol=1e-12)
            losses.append((theirs * theirs).sum())
        if length:
            tg.stack(losses).sum().backward()
            np.testing.assert_allclose(x.grad[:length, i : i + 1].numpy(), alone.grad.numpy(), rtol=0, atol=1e-12)
    for ours, theirs in zip(found, of_parameters(module), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-11)


@pytest.mark.many_launches
@pytest.mark.parametrize("way", ["forward", "unroll"])
def test_derivatives_of_a_padded_batch_are_exact(way: str) -> None:
    module = nn.LSTM(2, 2, num_layers=2, bidirectional=True, dtype="float64")
    x = tg.randn(3, 2, 2, dtype="float64", requires_grad=True)
    start = tuple(tg.randn(4, 2, 2, dtype="float64", requires_grad=True) for _ in range(2))

    def run(x: tg.Tensor, *start: tg.Tensor) -> tg.Tensor:
        output, (h, c) = getattr(module, way)(x, start, lengths=[1, 3])
        return tg.concat([part.reshape(-1) for part in (output, h, c)])

    assert gradcheck(run, (x, *start))


@pytest.mark.parametrize(
    "lengths",
    [
        list(LENGTHS), np.array(LENGTHS), np.array(LENGTHS, "int32"), np.array(LENGTHS, "uint8"),
        [np.int64(n) for n in LENGTHS], tg.tensor(LENGTHS),
    ],
)  # fmt: skip
def test_lengths_may_be_whole_numbers_of_any_kind(lengths: object) -> None:
    module = nn.GRU(3, 2, batch_first=True)
    x = tg.randn(B, T, 3)
    expected = module(x, lengths=LENGTHS)[0].numpy()
    np.testing.assert_array_equal(module(x, lengths=lengths)[0].numpy(), expected)
    assert [(row != 0).any(axis=1).sum() for row in expected] == list(LENGTHS)


def test_all_lengths_of_T_change_nothing() -> None:
    module = nn.LSTM(3, 2, num_layers=2, bidirectional=True)
    x = tg.randn(T, B, 3)
    for ours, theirs in zip(module(x, lengths=[T] * B)[1], module(x)[1], strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_without_lengths_no_op_is_spent_on_them() -> None:
    ran = tape.record(lambda x: nn.LSTM(3, 2)(x)[0], tg.zeros(T, B, 3)).listing()
    assert "where" not in ran
    assert "where" in tape.record(lambda x: nn.LSTM(3, 2)(x, lengths=[1] * B)[0], tg.zeros(T, B, 3)).listing()


@pytest.mark.parametrize("way", ["forward", "unroll"])
def test_dropout_between_the_layers_is_the_same_with_and_without_padding(way: str) -> None:
    module = nn.RNN(3, 8, num_layers=2, dropout=0.5)
    x = tg.randn(T, B, 3)
    found = []
    for lengths in (None, [T] * B, [T, 2, T, T]):
        tg.manual_seed(5)
        found.append(getattr(module, way)(x, lengths=lengths)[0].numpy())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0][:, 2:], found[2][:, 2:])


@pytest.mark.host  # the range of numbers on a device is not looked at
def test_a_recorded_step_takes_the_lengths_of_each_batch_and_refuses_those_beyond_the_input() -> None:
    module = nn.LSTM(3, 2, num_layers=2, bidirectional=True, dtype="float64")

    def step(x: tg.Tensor, lengths: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        module.zero_grad()
        output, _ = module(x, lengths=lengths)
        (output * output).sum().backward()
        return output, module.weight_hh_l0.grad

    x = tg.randn(T, B, 3, dtype="float64")
    recorded = tape.record(step, x, tg.tensor([T, 1, 2, 3]))
    for lengths in ([3, 1, 0, 4], [1, 1, 1, 1]):
        replayed = recorded.replay(x, tg.tensor(lengths))
        for ours, theirs in zip(replayed, step(x, tg.tensor(lengths)), strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    with pytest.raises(IndexRangeError, match="length 5 is not within 0 and 4"):
        recorded.replay(x, tg.tensor([5, 1, 1, 1]))


def test_the_states_are_those_after_the_padding_was_left_out() -> None:
    module = nn.LSTM(3, 2, num_layers=2, bidirectional=True)
    output, final = module.unroll(tg.randn(T, 2, 3), lengths=[T, 1])
    everything = tg.stack([part.sum() for part in (output, *final)])
    nodes = sorted(_nodes(everything), key=lambda node: node.serial)
    states = [(n.scope, n.names[i]) for n in nodes for i, role in (n.roles or {}).items() if role == "state"]
    assert sorted(states) == sorted({(scope, name) for scope, name in states if name in ("h", "c")})  # each once
    lanes = lanes_in(nodes)
    assert len(lanes) == 4
    for lane, h, c in zip(lanes, *final, strict=True):
        last = lane.steps[-1]
        for kind, expected in (("h", h), ("c", c)):
            node, index = lane.states[kind][last]
            np.testing.assert_array_equal(node.values(index), expected.numpy())


def _nodes(output: tg.Tensor) -> set:
    seen, waiting = set(), [output.edge[0]]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += [parent for parent, _ in node.parents]
    return seen


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_gradient_goes_through_padding_unchanged(kind: str) -> None:
    module = getattr(nn, kind)(3, 2, dtype="float64")
    x = tg.randn(6, 1, 3, dtype="float64")
    found = []
    for given, lengths in ((x, [4]), (x[:4], None)):
        h = module.unroll(given, lengths=lengths)[1]
        h = h[0] if kind == "LSTM" else h
        found.append(gradient_flow((h[0] * h[0]).sum(axis=1)))
    padded, alone = ({state.kind: state.norms for state in flow.states}["h"] for flow in found)
    np.testing.assert_allclose(padded, [*alone, alone[-1], alone[-1]], rtol=1e-12)
    assert all(flow.verdict in ("survives", "vanishes") for flow in found)


@pytest.mark.parametrize(
    ("lengths", "error", "text"),
    [
        ([1, 2], ShapeError, r"GRU: lengths must be one number for each of the 4 examples, shape \(4,\), not \(2,\)"),
        (3, ShapeError, r"not \(\)"),
        ([[1, 2, 3, 4]], ShapeError, r"not \(1, 4\)"),
        ([1.0, 2.0, 3.0, 4.0], DTypeError, "GRU: lengths must be whole numbers, not float64"),
        (tg.ones(4), DTypeError, "not float32"),
        ([True] * 4, DTypeError, "not bool"),
        ("four", DTypeError, "whole numbers"),
        ([None] * 4, InputError, r"whole numbers .*, not \[None, None, None, None\]"),
        ({1, 2, 3, 4}, InputError, r"in a list, an array or a tensor, not \{1, 2, 3, 4\}"),
        ([1, 2, 3, 2**70], InputError, "that int64 can hold"),
        ([1, 2, 3, 2**63], InputError, "that int64 can hold"),
        (np.array([1, 2, 3, 2**64 - 1], "uint64"), InputError, "that int64 can hold"),
        ([[1], [1, 2], 3, 4], InputError, r"GRU: lengths must be whole numbers .*, not \[\[1\], \[1, 2\], 3, 4\]"),
        ([1, 2, 3, 5], IndexRangeError, "GRU: length 5 is not within 0 and 4, the steps of the input"),
        ([1, 2, -3, 4], IndexRangeError, "length -3 is not within 0 and 4"),
        pytest.param(tg.tensor([9, 2, 3, 4]), IndexRangeError, "length 9", marks=pytest.mark.host),
    ],
)
def test_lengths_that_do_not_fit_are_named(lengths: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        nn.GRU(3, 2)(tg.zeros(T, B, 3), lengths=lengths)


def test_a_single_example_is_cut_off_instead() -> None:
    with pytest.raises(ShapeError, match=r"LSTM: lengths are for the examples of a batch.* x\[:length\]"):
        nn.LSTM(3, 2)(tg.zeros(T, 3), lengths=[2])


def test_an_array_of_lengths_is_no_part_of_a_recorded_step() -> None:
    with pytest.raises(TapeError, match="lengths that are no tensor"):
        tape.record(lambda x: nn.RNN(3, 2)(x, lengths=np.array([1] * B))[0], tg.zeros(T, B, 3))


@pytest.mark.parametrize("of", [np.array, lambda each: [np.int64(n) for n in each]], ids=["array", "list of int64"])
def test_a_tape_refuses_lengths_that_it_could_not_follow(of):
    gru, x = nn.GRU(3, 4), tg.ones(4, 2, 3)
    lengths = of([4, 2])
    with pytest.raises(TapeError, match="lengths that are no tensor"):
        tape.record(lambda x: gru(x, lengths=lengths)[0], x)
    assert tape.record(lambda x: gru(x, lengths=[4, 2])[0], x).replay(x).shape == (4, 2, 4)
