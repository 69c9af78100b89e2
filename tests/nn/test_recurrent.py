"""RNN, LSTM and GRU give PyTorch's numbers; hoisting changes nothing; scopes and names are where drawings look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.nn import cases, reference_values
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.nn.carrying import carried

KINDS = ("RNN", "LSTM", "GRU")


def check_case(case: cases.Recurrent, arrays: dict[str, np.ndarray], way: str) -> None:
    module = reference_values.recurrent_module(case)
    reference_values.load_parameters(module, arrays)
    leaves = {name: reference_values.leaf(arrays[f"in.{name}"]) for name in ("x", "h0", "c0") if f"in.{name}" in arrays}
    state = tuple(leaves[f"{name}0"] for name in case.states) if case.given_state else None
    if state is not None and case.kind != "LSTM":
        (state,) = state
    output, final = getattr(module, way)(leaves["x"], state, case.lengths)
    outputs = reference_values.recurrent_outputs(output, final, case)
    reference_values.check(outputs, leaves | dict(module.named_parameters()), arrays)


@pytest.mark.parametrize("way", ["forward", "unroll"])
@pytest.mark.parametrize("name", cases.RECURRENT)
def test_outputs_states_and_all_gradients_equal_the_reference_values(name: str, way: str) -> None:
    check_case(cases.RECURRENT[name], reference_values.values("recurrent", name), way)


@pytest.mark.many_launches
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_outputs_states_and_all_gradients_equal_pytorch(kind: str, data: st.DataObject) -> None:
    pytest.importorskip("torch")
    from tests.nn import make_reference

    options = {
        "num_layers": data.draw(st.integers(1, 3)),
        "bias": data.draw(st.booleans()),
        "bidirectional": data.draw(st.booleans()),
        "batch_first": data.draw(st.booleans()),
    }
    if kind == "RNN":
        options["nonlinearity"] = data.draw(st.sampled_from(["tanh", "relu"]))
    if kind == "LSTM" and data.draw(st.booleans()):
        options["proj_size"] = 1
    case = cases.Recurrent(kind, options, data.draw(st.booleans()), data.draw(st.booleans()))
    if case.batched and data.draw(st.booleans()):
        lengths = data.draw(st.lists(st.integers(1, cases.STEPS), min_size=cases.BATCH, max_size=cases.BATCH))
        case = replace(case, lengths=tuple(lengths))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    check_case(case, make_reference.recurrent(case, rng), "forward")


@pytest.mark.many_launches
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(
    steps=st.integers(1, 5),
    batch=st.sampled_from([(), (1,), (3,)]),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    layers=st.integers(1, 2),
    bidirectional=st.booleans(),
)
def test_hoisted_and_unrolled_runs_give_the_same_outputs_and_gradients(
    kind: str, steps: int, batch: tuple[int, ...], sizes: tuple[int, int], layers: int, bidirectional: bool
) -> None:
    tg.manual_seed(steps)
    module = getattr(nn, kind)(*sizes, num_layers=layers, bidirectional=bidirectional, dtype="float64")
    data = tg.randn(steps, *batch, sizes[0], dtype="float64").numpy()
    found = []
    for run in (module.forward, module.unroll):
        module.zero_grad()
        x = tg.tensor(data, requires_grad=True)
        output, final = run(x)
        finals = final if isinstance(final, tuple) else (final,)
        tg.stack([(part * part).sum() for part in (output, *finals)]).sum().backward()
        gradients = [x.grad, *(parameter.grad for parameter in module.parameters())]
        found.append([value.numpy() for value in (output, *finals, *gradients)])
    for hoisted, unrolled in zip(*found, strict=True):
        np.testing.assert_allclose(hoisted, unrolled, rtol=0, atol=1e-12)


@pytest.mark.many_launches
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("p", [0.4, 1.0])
def test_hoisted_and_unrolled_runs_drop_the_same_elements(p: float, bidirectional: bool) -> None:
    module = nn.LSTM(2, 3, num_layers=3, dropout=p, bidirectional=bidirectional, dtype="float64")
    x = tg.randn(5, 1, 2, dtype="float64")  # steps of an odd number of elements
    found = []
    for run in (module.forward, module.unroll):
        tg.manual_seed(4)
        module.zero_grad()
        output, _ = run(x)
        (output * output).sum().backward()
        gradients = [parameter.grad for parameter in module.parameters()]
        found.append([value.numpy() for value in (output, *gradients, tg.rand(1))])
    for hoisted, unrolled in zip(*found, strict=True):
        np.testing.assert_allclose(hoisted, unrolled, rtol=0, atol=1e-12)


@pytest.mark.many_launches
@pytest.mark.parametrize("options", [{"bidirectional": True}, {"dropout": 0.1}])
def test_links_between_the_steps_of_an_unrolled_network_grow_with_their_number(options: dict[str, object]) -> None:
    module = nn.LSTM(2, 3, num_layers=2, **options)
    counts = [len(gradient_flow(module.unroll(tg.zeros(steps, 1, 2))[0][-1].sum(axis=1)).links) for steps in (4, 8, 12)]
    assert counts[2] - counts[1] == counts[1] - counts[0] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_unrolling_the_shared_cell_equals_the_layer_and_fills_its_gradients(kind: str) -> None:
    module = getattr(nn, kind)(2, 3, bidirectional=True, dtype="float64")
    x = tg.randn(4, 2, 2, dtype="float64")
    output, _ = module(x)
    for reverse, columns in ((False, slice(0, 3)), (True, slice(3, 6))):
        cell = module.cell(reverse=reverse)
        steps, final = nn.unroll(cell, x, reverse=reverse)
        np.testing.assert_allclose(tg.stack(steps).numpy(), output[:, :, columns].numpy(), rtol=0, atol=1e-12)
        assert (final[0] if kind == "LSTM" else final) is steps[0 if reverse else -1]
        steps[-1].sum().backward()
        suffix = "_l0_reverse" if reverse else "_l0"
        assert cell.weight_ih is getattr(module, "weight_ih" + suffix)
        assert getattr(module, "weight_ih" + suffix).grad is not None


def test_a_shared_cell_leaves_the_names_of_the_parameters_alone() -> None:
    module = nn.LSTM(2, 3, num_layers=2)
    module.cell(1)
    assert [p.name for p in module.parameters()] == [name for name, _ in module.named_parameters()]


def states_by_scope(module: nn.Recurrent, x: tg.Tensor, way: str) -> set[tuple[object, ...]]:
    """Return (scope, name) of every named result behind the output."""
    seen, waiting, found = set(), [getattr(module, way)(x)[0]._node], set()
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            if node.op is not None and node.name_of(0):
                found.add((node.scope, node.name_of(0)))
            waiting.extend(parent for parent, _ in node.parents)
    return found


@pytest.mark.parametrize("way", ["forward", "unroll"])
def test_states_and_gates_are_named_in_the_scope_of_their_layer_direction_step_and_gate(way: str) -> None:
    found = states_by_scope(nn.LSTM(2, 3, num_layers=2, bidirectional=True), tg.zeros(2, 1, 2), way)
    gates = {"i": "input_gate", "f": "forget_gate", "g": "candidate", "o": "output_gate"}
    expected = set()
    for layer in range(2):
        for side in ((), (("reverse", None),)):
            for t in range(2):
                scope = (("layer", layer), *side, ("t", t))
                expected |= {(scope, "h"), (scope, "c")}
                expected |= {((*scope, (name, None)), gate) for gate, name in gates.items()}
    assert found == expected


@pytest.mark.parametrize(
    ("kind", "gates"), [("RNN", {}), ("GRU", {"r": "reset_gate", "z": "update_gate", "n": "candidate"})]
)
def test_rnn_and_gru_name_their_state_and_gates(kind: str, gates: dict[str, str]) -> None:
    found = states_by_scope(getattr(nn, kind)(2, 3), tg.zeros(1, 1, 2), "forward")
    scope = (("layer", 0), ("t", 0))
    assert found == {(scope, "h")} | {((*scope, (name, None)), gate) for gate, name in gates.items()}


def test_the_projection_is_hoisted_out_of_the_steps_and_stays_inside_when_unrolled() -> None:
    module, x = nn.LSTM(2, 3), tg.zeros(4, 1, 2)
    counts = {}
    for way in ("forward", "unroll"):
        nodes, waiting = set(), [getattr(module, way)(x)[0]._node]
        while waiting:
            node = waiting.pop()
            if node not in nodes:
                nodes.add(node)
                waiting.extend(parent for parent, _ in node.parents)
        products = [node for node in nodes if node.op is not None and node.op.name == "matmul"]
        counts[way] = sorted(any(name == "t" for name, _ in node.scope) for node in products)
    assert counts == {"forward": [False] + [True] * 4, "unroll": [True] * 8}


@pytest.mark.parametrize(("kind", "options"), [*((kind, {}) for kind in KINDS), ("LSTM", {"proj_size": 2})])
@pytest.mark.filterwarnings("ignore:LSTM with projections")  # which PyTorch does without its fast path
def test_state_dicts_go_to_and_from_pytorch(kind: str, options: dict[str, int]) -> None:
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, kind)(3, 4, num_layers=2, bidirectional=True, **options)
    ours = getattr(nn, kind)(3, 4, num_layers=2, bidirectional=True, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    np.testing.assert_allclose(ours(tg.tensor(x))[0].numpy(), theirs(torch.tensor(x))[0].detach().numpy(), atol=2e-6)
    fresh = getattr(torch.nn, kind)(3, 4, num_layers=2, bidirectional=True, **options)
    fresh.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in fresh.state_dict().items())


@pytest.mark.parametrize("kind", KINDS)
def test_initial_weights_are_uniform_within_one_over_the_root_of_the_hidden_size(kind: str) -> None:
    tg.manual_seed(0)
    parameters = getattr(nn, kind)(8, 16, num_layers=2).parameters()
    values = np.concatenate([parameter.numpy().ravel() for parameter in parameters])
    assert np.abs(values).max() <= 0.25
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 0.25 / np.sqrt(3)) < 0.01


def test_dropout_acts_between_layers_in_training_only() -> None:
    tg.manual_seed(0)
    module = nn.RNN(2, 50, num_layers=2, dropout=0.5)
    x = tg.randn(3, 1, 2)
    assert np.abs(module(x)[0].numpy() - module(x)[0].numpy()).max() > 0
    module.eval()
    np.testing.assert_array_equal(module(x)[0].numpy(), module(x)[0].numpy())
    single = nn.RNN(2, 50, dropout=0.5)
    np.testing.assert_array_equal(single(x)[0].numpy(), single(x)[0].numpy())


def test_dropout_zeroes_what_the_second_layer_reads() -> None:
    module = nn.RNN(2, 3, num_layers=2, dropout=1.0, dtype="float64")
    without = nn.RNN(3, 3, dtype="float64")
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    without.load_state_dict({f"{name}_l0": module.state_dict()[f"{name}_l1"] for name in names})
    x = tg.randn(4, 1, 2, dtype="float64")
    np.testing.assert_array_equal(module(x)[0].numpy(), without(tg.zeros(4, 1, 3, dtype="float64"))[0].numpy())


@pytest.mark.many_launches
def test_ten_thousand_steps_run_forward_and_backward() -> None:
    module = nn.RNN(1, 2)
    module(tg.ones(10_000, 1, 1))[0][-1].sum().backward()
    assert np.isfinite(module.weight_hh_l0.grad.numpy()).all()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.LSTM(3, 4)(tg.zeros(5, 2, 7)), ShapeError, r"LSTM: the input must be \(T, B, 3\) or \(T, 3\), not"),
        (lambda: nn.GRU(3, 4, batch_first=True)(tg.zeros(3)), ShapeError, r"\(B, T, 3\)"),
        (lambda: nn.RNN(3, 4)(tg.zeros(0, 2, 3)), ShapeError, "no steps"),
        (lambda: nn.RNN(3, 4, batch_first=True)(tg.zeros(2, 0, 3)), ShapeError, "no steps"),
        (lambda: nn.LSTM(3, 4)(tg.zeros(5, 2, 3), tg.zeros(1, 2, 4)), InputError, r"the state must be \(h, c\)"),
        (
            lambda: nn.GRU(3, 4)(tg.zeros(5, 2, 3), tg.zeros(2, 2, 4)),
            ShapeError,
            r"initial h must have shape \(1, 2, 4\)",
        ),
        (lambda: nn.RNN(0, 4), InputError, "input_size must be a positive whole number"),
        (lambda: nn.RNN(3, 4, num_layers=1.5), InputError, "num_layers"),
        (lambda: nn.LSTM(3, 4, dropout=1.5), InputError, "between 0 and 1"),
        (lambda: nn.LSTM(3, 4, proj_size=4), InputError, "proj_size must be smaller than hidden_size = 4, .* not 4"),
        (lambda: nn.LSTM(3, 4, proj_size=9), InputError, "proj_size must be smaller than hidden_size = 4, .* not 9"),
        (lambda: nn.LSTM(3, 4, proj_size=-1), InputError, "LSTMCell: proj_size must be a whole number >= 0, not -1"),
        (lambda: nn.Recurrent("lstm:proj_size=2.0", 3, 4), InputError, "'2.0' is no whole number"),
        (lambda: nn.JoinedLSTMCell(3, 4, proj_size=2), InputError, "'proj_size' is no option of this cell"),
        (
            lambda: nn.LSTM(3, 4, proj_size=2)(tg.zeros(5, 2, 3), (tg.zeros(1, 2, 4),) * 2),
            ShapeError,
            r"initial h must have shape \(1, 2, 2\), not \(1, 2, 4\)",
        ),
        (lambda: nn.RNN(3, 4, nonlinearity="sine"), InputError, "tanh, relu"),
        (lambda: nn.LSTM(3, 4).cell(1), InputError, "no layer 1"),
        (lambda: nn.LSTM(3, 4).cell(0, reverse=True), InputError, "in reverse"),
    ],
)
def test_what_does_not_fit_is_named(call, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_repr_shows_what_is_not_the_default() -> None:
    assert repr(nn.GRU(3, 4, 2, batch_first=True)) == "GRU(3, 4, num_layers=2, batch_first=True)"
    assert repr(nn.LSTM(3, 4, proj_size=2)) == "LSTM(3, 4, proj_size=2)"
    assert repr(nn.LSTM(3, 4)) == "LSTM(3, 4)"
    assert repr(nn.RNN(3, 4, nonlinearity="relu")) == "RNN(3, 4, nonlinearity='relu')"


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_single_example_without_steps_is_refused_in_either_layout(batch_first: bool) -> None:
    with pytest.raises(ShapeError, match="the sequence has no steps"):
        nn.RNN(3, 5, batch_first=batch_first)(tg.zeros(0, 3))


def test_the_options_of_a_cell_hold_for_both_directions() -> None:
    module = nn.Recurrent("lstm:forget_bias=3", 2, 4, bidirectional=True)
    for reverse in (False, True):
        cell = module.cell(0, reverse)
        assert (cell.bias_ih + cell.bias_hh)[4:8].tolist() == [3.0] * 4


def test_a_parameter_put_in_the_place_of_another_is_the_one_that_computes() -> None:
    module = nn.RNN(1, 1, bias=False)
    module.weight_ih_l0 = nn.Parameter([[0.0]])
    assert module(tg.ones(2, 1, 1))[0].tolist() == [[[0.0]], [[0.0]]]


def test_a_step_wants_a_state_of_every_layer_and_takes_lists() -> None:
    module, x = nn.GRU(3, 3, num_layers=2), tg.ones(2, 3)
    for states in ([], module.parted(None, (2,))[:1], module.parted(None, (2,)) * 2):
        with pytest.raises(InputError, match="for 2 layers"):
            module.step(x, states)
    lstm = nn.Recurrent("lstm", 3, 4, zoneout=0.1)
    as_tuple, _ = lstm.eval().step(x, [(tg.ones(2, 4), tg.ones(2, 4))])
    as_list, _ = lstm.step(x, [[tg.ones(2, 4), tg.ones(2, 4)]])
    np.testing.assert_array_equal(as_tuple.numpy(), as_list.numpy())


def test_the_dropout_of_a_step_acts_while_it_learns_and_only_then() -> None:
    module, x = nn.GRU(3, 64, num_layers=2, dropout=0.5), tg.ones(2, 3)
    states = module.parted(None, (2,))
    first, again = (module.step(x, states)[0].numpy() for _ in range(2))
    assert (first != again).any()
    module.eval()
    first, again = (module.step(x, states)[0].numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_a_single_state_is_no_tuple_and_arrays_are_said_to_be_arrays() -> None:
    with pytest.raises(InputError, match=r"must be h, a tensor, of shape .* not 1 of Tensor"):
        nn.GRU(3, 5)(tg.ones(4, 2, 3), (tg.zeros(1, 2, 5),))
    with pytest.raises(InputError, match="not 2 of ndarray"):
        nn.LSTM(3, 5)(tg.ones(4, 2, 3), (np.zeros((1, 2, 5)), np.zeros((1, 2, 5))))


def test_layers_show_their_cell_and_its_options() -> None:
    assert repr(nn.Recurrent("gru:reset=before", 3, 5, bias=False)) == (
        "Recurrent(GRUCell, 3, 5, reset='before', bias=False)"
    )
    assert repr(nn.Recurrent("lstm", 3, 5, proj_size=0)) == "Recurrent(LSTMCell, 3, 5)"
    assert repr(nn.GRU(3, 5)) == "GRU(3, 5)"


@pytest.mark.parametrize(
    "text",
    ["lstm:forget_bias=5", "gru:update_bias=3", "lstm97:input_bias=-1", "lstm:forget_bias=0", "coupled:forget_bias=0"],
)
def test_a_bias_to_set_needs_biases(text) -> None:
    with pytest.raises(InputError, match=f"bias=False leaves no bias to set to {text.partition('=')[2]}; leave"):
        nn.Recurrent(text, 3, 4, bias=False)
    assert nn.Recurrent("irnn", 3, 4, bias=False).cell().bias_ih is None


def test_parameters_replaced_by_others_of_another_dtype_are_those_that_count():
    gru = nn.GRU(3, 4)
    for name, parameter in list(gru.named_parameters()):
        setattr(gru, name, nn.Parameter(parameter.detach().cast("float64")))
    x, h = tg.zeros(5, 2, 3, dtype="float64"), tg.zeros(1, 2, 4, dtype="float64")
    assert gru(x, h)[0].dtype == "float64"
    with pytest.raises(DTypeError, match="the input is float32 and the parameters are float64"):
        gru(tg.zeros(5, 2, 3))
    with pytest.raises(DTypeError, match="the initial h is float32 and the parameters are float64"):
        gru(x, tg.zeros(1, 2, 4))
    varied = nn.Recurrent("gru", 3, 4, variational=0.5)
    for name, parameter in list(varied.named_parameters()):
        setattr(varied, name, nn.Parameter(parameter.detach().cast("float64")))
    assert varied(x)[0].dtype == "float64"


def test_a_state_that_is_a_list_keeps_all_its_parts_between_two_steps():
    cell, x = nn.LSTMCell(3, 4), tg.randn(5, 2, 3)
    start = [tg.randn(2, 4), tg.randn(2, 4)]
    stays = carried(cell, [lambda t, name, before, after: before])
    assert stays is not None
    _, (h, c) = nn.unroll(cell, x, start, carry=stays)
    for found, begun in zip((h, c), start, strict=True):
        np.testing.assert_array_equal(found.numpy(), begun.numpy())


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.unroll(nn.GRUCell(3, 4), []), ShapeError, r"unroll: the sequence has no steps \(\[\]\)"),
        (lambda: nn.unroll(nn.GRUCell(3, 4), tg.zeros(0, 2, 3)), ShapeError, r"no steps \(x of shape \(0, 2, 3\)\)"),
        (lambda: nn.unroll(nn.GRUCell(3, 4), tg.zeros()), ShapeError, r"no steps \(x of shape \(\)\)"),
        (
            lambda: nn.unroll(nn.GRUCell(3, 4), 5),
            InputError,
            "unroll: x must be a tensor or a sequence of them, not a int",
        ),
        (
            lambda: nn.unroll(nn.GRUCell(3, 4), [tg.zeros(3), 1.0]),
            InputError,
            "unroll: step 1: the input must be a tensor",
        ),
        (
            lambda: nn.unroll(nn.GRU(3, 4), tg.zeros(2, 3)),
            InputError,
            "not a GRU; layers have their own",
        ),
        (lambda: nn.unroll(nn.GRUCell, tg.zeros(2, 3)), InputError, "not the class GRUCell"),
        (lambda: nn.GRU(3, 4).step(None, [None]), InputError, "GRU.step: the input must be a tensor"),
        (lambda: nn.GRU(3, 4).step(tg.zeros(2, 3), 5), InputError, "GRU.step: the states must be a list"),
        (lambda: nn.GRU(3, 4).joined([]), InputError, r"joined takes a list .*, not \[\]"),
        (lambda: nn.parse_cell(5), InputError, "a cell is named by a text like 'rnn', not by a int"),
        (lambda: nn.GRU(3, 4).cell("0"), InputError, "GRU.cell: layer must be a whole number >= 0, not '0'"),
        (lambda: nn.GRU(3, 4).cell(0.0), InputError, "GRU.cell: layer must be a whole number >= 0, not 0.0"),
        (lambda: nn.GRU(3, 4).cell(-1), InputError, "GRU.cell: no layer -1"),
    ],
)
def test_what_cannot_be_unrolled_or_is_no_layer_is_named(call, error, text):
    with pytest.raises(error, match=text):
        call()
