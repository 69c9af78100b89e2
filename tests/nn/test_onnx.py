"""RNN, GRU and LSTM of ONNX as modules: their equations, their derivatives, the way back, and what is refused."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.nn import foreign_cases
from tests.nn.onnx_cases import ACTIVATIONS, FUNCTIONS, GATES, Case, by_the_equations, random_case
from tinygrad_rnn import nn
from tinygrad_rnn.engine.check import gradcheck
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.nn.cells import elman

SMALL = {"W": np.ones((1, 20, 3), "float32"), "R": np.ones((1, 20, 5), "float32")}


def close(found: list[np.ndarray], expected: list[np.ndarray], atol: float) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=atol, atol=atol)


@pytest.mark.parametrize("block", range(4))
def test_random_operators_compute_their_equations(block: int) -> None:
    rng = np.random.default_rng(block)
    for _ in range(15):
        case = random_case(rng, dtype="float64")
        close(case.run(case.module()), by_the_equations(case), 1e-12)


@pytest.mark.parametrize("op_type", GATES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_of_every_operator(op_type: str, name: str) -> None:
    case = random_case(np.random.default_rng(1), "float64", op_type=op_type, direction="forward", activations=False)
    case.attributes["activations"] = [name] * FUNCTIONS[op_type]
    for takes, which, value in zip(
        ACTIVATIONS[name][1:], ("activation_alpha", "activation_beta"), (0.3, 0.6), strict=True
    ):
        if takes:
            case.attributes[which] = [value + k / 10 for k in range(FUNCTIONS[op_type])]
    close(case.run(case.module()), by_the_equations(case), 1e-12)


@pytest.mark.parametrize("name", foreign_cases.ONNX)
def test_operators_compute_what_onnxruntime_computes(name: str) -> None:
    case, outputs = foreign_cases.onnx_reference(name)
    close(case.run(case.module()), outputs, 1e-5)


@pytest.mark.parametrize("op_type", GATES)
def test_layout_1_has_the_batch_first(op_type: str) -> None:
    case = random_case(
        np.random.default_rng(2), op_type=op_type, direction="bidirectional", initial_h=True, initial_c=True
    )
    Y, *last = case.run(case.module())
    swapped = copy.deepcopy(case)
    swapped.attributes["layout"] = 1
    for name in {"X", "initial_h", "initial_c"} & case.inputs.keys():
        swapped.inputs[name] = case.inputs[name].swapaxes(0, 1)
    batch_first, *last_batch_first = swapped.run(swapped.module())
    assert (batch_first == Y.transpose(2, 0, 1, 3)).all()
    for mine, other in zip(last_batch_first, last, strict=True):
        assert (mine == other.swapaxes(0, 1)).all()


def test_alphas_go_to_the_activations_that_take_one_in_their_order() -> None:
    weights = {"W": np.ones((2, 2, 1)), "R": np.zeros((2, 2, 2))}
    module = nn.from_onnx("RNN", **weights, direction="bidirectional", activations=["Elu", "LeakyRelu"])
    assert [cell.activations[0].alpha for cell in module.cells] == [1.0, 0.01]
    names = ["Tanh", "Elu", "LeakyRelu", "HardSigmoid", "Relu", "HardSigmoid"]
    weights = {"W": np.ones((2, 8, 1)), "R": np.zeros((2, 8, 2))}
    module = nn.from_onnx(
        "LSTM", **weights, direction="bidirectional", activations=names, activation_alpha=[1, 2, 3], activation_beta=[4]
    )
    found = [(each.name, each.alpha, each.beta) for cell in module.cells for each in cell.activations]
    assert found == [
        ("Tanh", None, None), ("Elu", 1, None), ("LeakyRelu", 2, None), ("HardSigmoid", 3, 4), ("Relu", None, None),
        ("HardSigmoid", 0.2, 0.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "alpha", "beta"),
    [("LeakyRelu", 0.01, None), ("ThresholdedRelu", 1.0, None), ("HardSigmoid", 0.2, 0.5), ("Elu", 1.0, None)],
)
def test_what_alpha_and_beta_are_unless_given(name: str, alpha: float, beta: float | None) -> None:
    (cell,) = nn.from_onnx("RNN", np.ones((1, 2, 1)), np.ones((1, 2, 2)), activations=[name]).cells
    assert (cell.activations[0].alpha, cell.activations[0].beta) == (alpha, beta)


def test_texts_may_be_bytes_as_in_files_of_onnx() -> None:
    module = nn.from_onnx("RNN", np.ones((1, 2, 1)), np.ones((1, 2, 2)), direction=b"reverse", activations=[b"Relu"])
    assert (module.direction, module.cells[0].nonlinearity) == ("reverse", "relu")


@pytest.mark.parametrize(
    ("op_type", "attributes", "cell"),
    [
        ("RNN", {}, nn.RNNCell),
        ("RNN", {"activations": ["Relu"]}, nn.RNNCell),
        ("GRU", {}, nn.GRUCell),
        ("LSTM", {}, nn.LSTMCell),
        ("LSTM", {"input_forget": 1}, nn.CoupledLSTMCell),
    ],
)
def test_the_cells_are_the_plain_ones_where_these_are_enough(op_type: str, attributes: dict, cell: type) -> None:
    weights = {"W": np.ones((1, GATES[op_type] * 2, 3)), "R": np.ones((1, GATES[op_type] * 2, 2))}
    (found,) = nn.from_onnx(op_type, **weights, **attributes).cells
    assert type(found) is cell
    (bounded,) = nn.from_onnx(op_type, **weights, **attributes, clip=1.0).cells
    assert type(bounded) is not cell


# ---- it learns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op_type", GATES)
@pytest.mark.parametrize("coupled", [False, True])
def test_derivatives_reach_inputs_states_and_parameters(op_type: str, coupled: bool) -> None:
    names = ["HardSigmoid", "Softsign", "ScaledTanh"][: FUNCTIONS[op_type]]
    options: dict[str, Any] = (
        {"P": True, "input_forget": coupled} if op_type == "LSTM" else {"linear_before_reset": coupled}
    )
    case = random_case(
        np.random.default_rng(3), "float64", op_type=op_type, direction="forward", B=True, clip=True, activations=False,
        sequence_lens=True, **options,
    )  # fmt: skip
    case.attributes["activations"] = names
    takers = [[name for name in names if ACTIVATIONS[name][k]] for k in (1, 2)]
    case.attributes["activation_alpha"] = [0.7] * len(takers[0])
    case.attributes["activation_beta"] = [0.6] * len(takers[1])
    module = case.module()
    B, H = case.inputs["X"].shape[1], case.attributes["hidden_size"]
    states = [tg.randn(1, B, H, dtype="float64", requires_grad=True) for _ in module.cells[0].state_names]
    inputs = [tg.tensor(case.inputs["X"], requires_grad=True), *states]
    lengths = case.inputs["sequence_lens"]

    def run(*_: tg.Tensor) -> tuple[tg.Tensor, ...]:
        return module(*inputs, sequence_lens=lengths)

    assert gradcheck(run, [*inputs, *module.parameters()])


def test_the_gradient_is_that_of_the_layer_it_was_made_of() -> None:
    lstm = nn.LSTM(3, 5, bidirectional=True, dtype="float64")
    (node,) = nn.to_onnx(lstm)
    module = nn.from_onnx(node.op_type, **node.tensors, **node.attributes)
    x, lengths = tg.randn(6, 4, 3, dtype="float64"), [6, 2, 0, 3]
    output, (h, _) = lstm(x, lengths=lengths)
    Y, Y_h, _ = module(x, sequence_lens=lengths)
    np.testing.assert_array_equal(Y.permute(0, 2, 1, 3).reshape(6, 4, 10).numpy(), output.numpy())
    (h * h).sum().backward()
    (Y_h * Y_h).sum().backward()
    for mine, theirs in zip(module.parameters(), lstm.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), theirs.grad.numpy(), rtol=0, atol=1e-14)


def test_its_gradient_flow_is_that_of_the_layer() -> None:
    lstm = nn.LSTM(3, 5, bidirectional=True, dtype="float64")
    (node,) = nn.to_onnx(lstm)
    module = nn.from_onnx(node.op_type, **node.tensors, **node.attributes)
    x = tg.randn(6, 4, 3, dtype="float64")
    h, Y_h = lstm.unroll(x)[1][0], module(x)[1]
    mine, theirs = (gradient_flow((final * final).sum(axis=(0, 2))) for final in (Y_h, h))
    assert (mine.verdict, len(mine.states)) == (theirs.verdict, 4)
    for one, other in zip(mine.states, theirs.states, strict=True):
        assert (one.kind, one.direction) == (other.kind, other.direction)
        np.testing.assert_allclose(one.norms, other.norms, rtol=1e-12)


# ---- there and back --------------------------------------------------------------------------------------------------

EXPORTED = [
    "rnn", "rnn:nonlinearity=relu", "rnn:nonlinearity=sigmoid", "rnn:nonlinearity=identity", "irnn", "carousel",
    "rnn_joined", "lstm", "np", "lstm_joined", "peephole", "coupled", "nig", "nfg", "nog", "niaf", "noaf", "cifg",
    "gru", "gru:reset=before", "gru:update=renew", "gru:reset=before:update=renew", "mgu",
]  # fmt: skip
#: Why each of the other cells of the table is refused.
REASONS = {
    "gates_from_input": "no weights for a candidate",
    "lstm97": "its gates see gates",
    "lstm97_nog": "its gates see gates",
    "peephole_full": "whole matrices",
    "fgr": "the gates of the last step",
    "layernorm_lstm": "layer normalisation",
    "grid": "a second memory along the layers",
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", EXPORTED)
def test_layers_are_operators_that_compute_the_same(cell: str, bias: bool) -> None:
    module = nn.Recurrent(cell, 3, 4, num_layers=2, bias=bias, bidirectional=True, dtype="float64")
    x, lengths = tg.randn(5, 2, 3, dtype="float64"), [5, 3]
    output, finals = module(x, lengths=lengths)
    finals = finals if isinstance(finals, tuple) else (finals,)
    last = []
    for node in nn.to_onnx(module):
        # By the equations, which know nothing of our cells, and once more as a module.
        case = Case(node.op_type, {"X": x.numpy(), "sequence_lens": np.array(lengths), **node.tensors}, node.attributes)
        Y, *states = by_the_equations(case)
        close(case.run(case.module()), [Y, *states], 1e-13)
        x = tg.tensor(Y.transpose(0, 2, 1, 3).reshape(5, 2, -1))
        last.append(states)
    close([output.numpy()], [x.numpy()], 1e-13)
    close([final.numpy() for final in finals], [np.concatenate(each) for each in zip(*last, strict=True)], 1e-13)


def test_every_nonlinearity_is_an_activation() -> None:
    assert {f"rnn:nonlinearity={name}" for name in elman.ACTIVATIONS} - {"rnn:nonlinearity=tanh"} <= set(EXPORTED)


@pytest.mark.parametrize("cell", [cell for cell in nn.CELLS if cell not in EXPORTED])
def test_cells_that_onnx_has_no_operator_for(cell: str) -> None:
    with pytest.raises(InputError, match=REASONS[cell]):
        nn.to_onnx(nn.Recurrent(cell, 4, 4))


def test_a_subclass_of_a_cell_is_refused() -> None:
    class Own(nn.LSTMCell):
        pass

    with pytest.raises(InputError, match="no operator for Own"):
        nn.to_onnx(nn.Recurrent(Own, 3, 4))
    with pytest.raises(InputError, match="a Linear is no recurrent layer"):
        nn.to_onnx(nn.Linear(3, 4))


def test_a_projection_and_zoneout_have_no_place() -> None:
    with pytest.raises(InputError, match="no place for weight_hr of LSTMCell"):
        nn.to_onnx(nn.LSTM(3, 4, proj_size=2))
    with pytest.raises(InputError, match="no operator with zoneout"):
        nn.to_onnx(nn.Recurrent("lstm", 3, 4, zoneout=0.1))


@pytest.mark.host
def test_weights_come_from_and_go_to_a_device(fake_cuda) -> None:
    case = random_case(np.random.default_rng(4), op_type="LSTM", P=True, input_forget=False)
    weights = {
        name: tg.tensor(case.inputs[name], device="cuda") for name in ("W", "R", "B", "P") if name in case.inputs
    }
    module = nn.from_onnx("LSTM", **weights, **case.attributes, device="cuda")
    assert {parameter.device for parameter in module.parameters()} == {"cuda"}
    x, lengths = tg.tensor(case.inputs["X"], device="cuda"), case.inputs.get("sequence_lens")
    assert {y.device for y in module(x, sequence_lens=lengths)} == {"cuda"}
    (node,) = nn.to_onnx(module)
    for name, value in node.tensors.items():
        np.testing.assert_array_equal(value, case.inputs[name])


@pytest.mark.parametrize("block", range(3))
def test_what_was_read_is_written_as_it_was(block: int) -> None:
    rng = np.random.default_rng(block)
    for _ in range(20):
        case = random_case(rng)
        module = case.module()
        (node,) = nn.to_onnx(module)
        again = nn.from_onnx(node.op_type, **node.tensors, **node.attributes)
        close(case.run(again), case.run(module), 0)
        assert repr(again) == repr(module)
        for name, value in node.tensors.items():
            given = case.inputs[name]
            if case.attributes.get("input_forget"):  # what belongs to f is not kept
                assert value.shape == given.shape
            else:
                assert (value == given).all()


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"op_type": "LTSM"}, InputError, "op_type must be one of RNN, GRU, LSTM, not 'LTSM'; did you mean LSTM?"),
        ({"op_type": "Conv"}, InputError, "op_type must be one of RNN, GRU, LSTM, not 'Conv'"),
        ({"op_type": ["LSTM"]}, InputError, "op_type must be one of RNN, GRU, LSTM, not ['LSTM']"),
        ({"foo": 1}, InputError, "from_onnx: RNN, GRU and LSTM have no attribute foo; leave it out"),
        ({"activation_betas": [1.0]}, InputError, "no attribute activation_betas; did you mean activation_beta?"),
        ({"activations": 5}, InputError, "activations must be a list of 3 names for this LSTM"),
        ({"activations": [["Tanh"], "Tanh", "Tanh"]}, InputError, "an activation must be one of Relu, Tanh"),
        ({"activation_alpha": 0.5}, InputError, "activation_alpha must be a list of numbers, not 0.5"),
        ({"W": [[[1.0], [1.0, 2.0]]]}, InputError, "from_onnx: W is no array ("),
        ({"direction": "backward"}, InputError, "direction must be one of forward, reverse, bidirectional"),
        ({"layout": 2}, InputError, "layout must be 0 for (T, B, I) or 1 for (B, T, I), not 2"),
        ({"clip": -1.0}, InputError, "clip must be a positive number or None, not -1.0"),
        ({"clip": "3"}, InputError, "clip must be a positive number or None, not '3'"),
        ({"linear_before_reset": 1}, InputError, "only GRU has linear_before_reset; leave it out for LSTM"),
        ({"input_forget": 2}, InputError, "input_forget must be 0 or 1, not 2"),
        ({"op_type": "GRU", "input_forget": 1}, InputError, "only LSTM has input_forget; leave it out for GRU"),
        ({"op_type": "RNN", "P": np.ones((1, 15))}, InputError, "only LSTM has P"),
        ({"activations": ["Sigmoid", "tanh", "Tanh"]}, InputError, "not 'tanh'; did you mean Tanh?"),
        ({"activations": ["Sigmoid", "Gelu", "Tanh"]}, InputError, "an activation must be one of Relu, Tanh"),
        ({"activations": ["Sigmoid", "Tanh"]}, InputError, "activations must be a list of 3 names for this LSTM"),
        ({"activations": "Tanh"}, InputError, "activations must be a list of 3 names for this LSTM"),
        ({"activations": ["Affine", "Tanh", "Tanh"]}, InputError, "Affine needs an alpha and a beta"),
        ({"activations": ["Elu", "Tanh", "Tanh"], "activation_alpha": [1, 1, 1]}, InputError, "only 1 take an alpha"),
        ({"activation_beta": [1.0]}, InputError, "has 1 values, but of Sigmoid, Tanh, Tanh only 0 take"),
        ({"activation_alpha": ["x"]}, InputError, "activation_alpha must be a finite number, not 'x'"),
        ({"W": np.ones((20, 3), "float32")}, ShapeError, "W must have 3 axes (directions, rows, columns)"),
        ({"W": None}, ShapeError, "W must have 3 axes (directions, rows, columns), and is None"),
        ({"W": np.ones((1, 15, 3), "float32")}, ShapeError, "the W of LSTM with 1 direction(s), hidden_size 5"),
        ({"direction": "bidirectional"}, ShapeError, "must have shape (2, 20, 3), not (1, 20, 3)"),
        ({"R": np.ones((1, 20, 4), "float32")}, ShapeError, "must have shape (1, 16, 3)"),
        ({"B": np.ones((1, 20), "float32")}, ShapeError, "must have shape (1, 40), not (1, 20)"),
        ({"P": np.ones((1, 5), "float32")}, ShapeError, "must have shape (1, 15), not (1, 5)"),
        ({"hidden_size": 4}, ShapeError, "hidden_size is 4, but R of shape (1, 20, 5) has 5 columns"),
        ({"hidden_size": 0}, InputError, "hidden_size must be a positive whole number, not 0"),
        ({"W": np.ones((1, 20, 3), "float16")}, DTypeError, "W must be float32 or float64, not float16"),
        ({"R": np.ones((1, 20, 5))}, DTypeError, "R is float64 and W is float32"),
    ],
)  # fmt: skip
def test_operators_that_there_are_none_of(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        nn.from_onnx(**({"op_type": "LSTM"} | SMALL | change))


def test_two_directions_need_twice_the_activations() -> None:
    weights = {name: np.concatenate([value, value]) for name, value in SMALL.items()}
    with pytest.raises(InputError, match="a list of 6 names for this LSTM, 3 for each of both directions"):
        nn.from_onnx("LSTM", **weights, direction="bidirectional", activations=["Sigmoid", "Tanh", "Tanh"])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"X": tg.zeros(7, 3)}, ShapeError, r"X must be \(T, B, I\) with I = 3, as layout=0 says, not \(7, 3\)"),
        ({"X": tg.zeros(7, 2, 4)}, ShapeError, "X must be"),
        ({"X": tg.zeros(0, 2, 3)}, ShapeError, "the sequence has no steps"),
        ({"X": np.zeros((7, 2, 3), "float32")}, InputError, "the input must be a tensor, not an array"),
        ({"X": tg.zeros(7, 2, 3, dtype="float64")}, DTypeError, "the input is float64 and the parameters are float32"),
        ({"initial_h": tg.zeros(2, 5)}, ShapeError, r"the initial h must have shape \(1, 2, 5\), not \(2, 5\)"),
        ({"initial_c": tg.zeros(1, 2, 4)}, ShapeError, r"the initial c must have shape \(1, 2, 5\)"),
        ({"sequence_lens": [7, 8]}, IndexError, "length 8 is not within 0 and 7"),
        ({"sequence_lens": [7]}, ShapeError, "one number for each of the 2 examples"),
    ],
)
def test_inputs_that_do_not_fit(given: dict[str, Any], error: type[Exception], message: str) -> None:
    module = nn.from_onnx("LSTM", **SMALL)
    with pytest.raises(error, match=message):
        module(**({"X": tg.zeros(7, 2, 3)} | given))


def test_only_the_lstm_has_a_cell_state() -> None:
    module = nn.from_onnx("GRU", np.ones((1, 15, 3), "float32"), np.ones((1, 15, 5), "float32"))
    with pytest.raises(InputError, match="GRU: there is no cell state, so initial_c must be None"):
        module(tg.zeros(7, 2, 3), None, tg.zeros(1, 2, 5))
