"""ONNX's operators RNN, GRU and LSTM beside onnxruntime, ONNX's own reference, and ONNX's tests of them.

The random operators are those of `tests/nn/onnx_cases.py`, which also has their equations in NumPy. Where onnxruntime
does other things than ONNX's text says, `test_what_onnxruntime_does_otherwise` shows it.
"""

from __future__ import annotations

import importlib
import io
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.reference import ReferenceEvaluator

import tinygrad_rnn as tg
from tests.nn.onnx_cases import GATES, Case, random_case
from tests.peers.differences import Sample
from tests.peers.results import Tally
from tinygrad_rnn import nn

pytestmark = pytest.mark.peers

#: ONNX's tests of its operators: onnx.backend.test.case.node.
NODE_TESTS = [
    "test_gru_batchwise", "test_gru_bidirectional", "test_gru_defaults", "test_gru_reverse", "test_gru_seq_length",
    "test_gru_with_initial_bias", "test_lstm_batchwise", "test_lstm_bidirectional", "test_lstm_defaults",
    "test_lstm_reverse", "test_lstm_with_initial_bias", "test_lstm_with_peepholes", "test_rnn_seq_length",
    "test_simple_rnn_batchwise", "test_simple_rnn_bidirectional", "test_simple_rnn_defaults", "test_simple_rnn_reverse",
    "test_simple_rnn_with_initial_bias",
]  # fmt: skip

#: The operator set whose RNN, GRU and LSTM these are, and a format of files that onnxruntime reads.
OPSET, IR_VERSION = 22, 10


def model_of(case: Case) -> onnx.ModelProto:
    """Return an operator as a model of its own, with X, sequence_lens and the initial states as inputs."""
    names = ["X", "W", "R", "B", "sequence_lens", "initial_h"] + ["initial_c", "P"] * (case.op_type == "LSTM")
    names = [name if name in case.inputs else "" for name in names]
    while not names[-1]:
        names.pop()
    outputs = ["Y", "Y_h"] + ["Y_c"] * (case.op_type == "LSTM")
    node = onnx.helper.make_node(case.op_type, names, outputs, **case.attributes)
    given = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in case.inputs.items()
    ]
    found = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs]
    graph = onnx.helper.make_graph([node], case.op_type, given, found)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def by_onnxruntime(case: Case) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what it refuses it also raises
    model = model_of(case).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, case.inputs)


def by_the_reference(case: Case) -> list[np.ndarray]:
    return ReferenceEvaluator(model_of(case)).run(None, case.inputs)


def compare(case: Case, expected: list[np.ndarray], beside: str, tally: Tally) -> None:
    """Count whether the module computes in float32 what somebody else does."""
    found, different = case.run(case.module()), ""
    for name, mine, theirs in zip(("Y", "Y_h", "Y_c"), found, expected, strict=False):
        if (mine.dtype, mine.shape) != (theirs.dtype, theirs.shape):
            different = f"{name} is {mine.dtype} {mine.shape} instead of {theirs.dtype} {theirs.shape}"
        elif not np.allclose(mine, theirs, rtol=1e-5, atol=1e-5):
            different = f"{name} is off by {np.abs(mine - theirs).max()}"
    if len(found) != len(expected):
        different = f"{len(found)} outputs instead of {len(expected)}"
    tally.sample(f"{beside}: {case.op_type}", Sample((), case.inputs, case.attributes), different)


def finish(beside: str, tally: Tally) -> None:
    for op_type in GATES:
        tally.finish(f"{beside}: {op_type}")


@pytest.mark.parametrize("block", range(10))
def test_a_thousand_random_operators_are_equal_to_onnxruntime(block: int, tally: Tally) -> None:
    rng = np.random.default_rng(block)
    for _ in range(100):
        case = random_case(rng)
        compare(case, by_onnxruntime(case), "onnxruntime", tally)
    finish("onnxruntime", tally)


@pytest.mark.parametrize("layout", [0, 1])
def test_random_operators_are_equal_to_the_reference_of_onnx(layout: int, tally: Tally) -> None:
    # Which does not look at clip, sequence_lens, input_forget, nor at the activations of a GRU or LSTM.
    rng = np.random.default_rng(layout)
    for _ in range(100):
        case = random_case(rng, clip=False, sequence_lens=False, input_forget=False, activations=False)
        case.attributes["layout"] = layout
        if layout:
            for name in ("X", "initial_h", "initial_c"):
                if name in case.inputs:
                    case.inputs[name] = np.ascontiguousarray(case.inputs[name].swapaxes(0, 1))
        compare(case, by_the_reference(case), "reference of ONNX", tally)
    finish("reference of ONNX", tally)


@pytest.fixture(scope="module")
def node_tests() -> dict[str, Any]:
    package = importlib.import_module("onnx.backend.test.case.node")
    for name in ("rnn", "gru", "lstm"):  # all of them together take 15 seconds to make
        importlib.import_module(f"onnx.backend.test.case.node.{name}")
    return {each.name: each for each in package._NodeTestCases if each.model.graph.node[0].op_type in GATES}


def test_there_are_no_other_node_tests(node_tests: dict[str, Any]) -> None:
    assert sorted(node_tests) == NODE_TESTS


@pytest.mark.parametrize("name", NODE_TESTS)
def test_the_node_tests_of_onnx(name: str, node_tests: dict[str, Any], tally: Tally) -> None:
    test = node_tests[name]
    (node,) = test.model.graph.node
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    ((given, expected),) = test.data_sets
    case = Case(node.op_type, dict(zip([each.name for each in test.model.graph.input], given, strict=True)), attributes)
    found = dict(zip(("Y", "Y_h", "Y_c"), case.run(case.module()), strict=False))
    outputs = [each for each in node.output if each]
    assert len(outputs) == len(expected) >= 1
    wrong = [
        each for each, theirs in zip(outputs, expected, strict=True)
        if found[each].shape != theirs.shape or not np.allclose(found[each], theirs, rtol=1e-5, atol=1e-6)
    ]  # fmt: skip
    tally.sample(f"test of ONNX: {node.op_type}", Sample((), case.inputs, case.attributes), " and ".join(wrong))
    tally.finish(f"test of ONNX: {node.op_type}")


@pytest.mark.filterwarnings("ignore")  # their exporter of operators is the older of two
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_files_that_torch_writes_are_read(kind: str) -> None:
    torch.manual_seed(0)
    theirs, x = getattr(torch.nn, kind)(3, 5, bidirectional=True), torch.randn(7, 2, 3)
    file = io.BytesIO()
    torch.onnx.export(theirs, (x,), file, dynamo=False)
    graph = onnx.load_from_string(file.getvalue()).graph
    (node,) = (node for node in graph.node if node.op_type == kind)
    stored = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    module = nn.from_onnx(kind, *(stored[name] for name in node.input[1:4]), **attributes)
    Y, *_ = module(tg.tensor(x.numpy()))
    expected = theirs(x)[0].detach().numpy()
    np.testing.assert_allclose(Y.permute(0, 2, 1, 3).reshape(7, 2, 10).numpy(), expected, rtol=1e-5, atol=1e-6)


EXPORTED = [
    "rnn", "rnn:nonlinearity=relu", "rnn:nonlinearity=sigmoid", "rnn:nonlinearity=identity", "carousel", "rnn_joined",
    "lstm", "lstm_joined", "peephole", "coupled", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "gru",
    "gru:reset=before", "gru:update=renew", "gru:reset=before:update=renew", "mgu",
]  # fmt: skip


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", EXPORTED)
def test_onnxruntime_computes_what_the_layers_compute(cell: str, bias: bool) -> None:
    tg.manual_seed(0)
    module = nn.Recurrent(cell, 3, 5, num_layers=2, bias=bias, bidirectional=True)
    x = tg.randn(6, 2, 3)
    output, finals = module(x)
    finals = finals if isinstance(finals, tuple) else (finals,)
    X, last = x.numpy(), []
    for node in nn.to_onnx(module):
        Y, *states = by_onnxruntime(Case(node.op_type, {"X": X, **node.tensors}, node.attributes))
        X = np.ascontiguousarray(Y.transpose(0, 2, 1, 3)).reshape(6, 2, -1)
        last.append(states)
    np.testing.assert_allclose(output.numpy(), X, rtol=1e-5, atol=1e-5)
    for mine, theirs in zip(finals, zip(*last, strict=True), strict=True):
        np.testing.assert_allclose(mine.numpy(), np.concatenate(theirs), rtol=1e-5, atol=1e-5)


def one_unit(names: list[str], X: list[float], **attributes: Any) -> Case:
    """Return an RNN with a single unit and no recurrence: Y is its activation of X."""
    inputs = {
        "X": np.float32(X).reshape(1, -1, 1),
        "W": np.ones((1, 1, 1), "float32"),
        "R": np.zeros((1, 1, 1), "float32"),
    }
    return Case("RNN", inputs, {"hidden_size": 1, "activations": names, **attributes})


def test_what_onnxruntime_does_otherwise() -> None:
    # ThresholdedRelu without an alpha: ONNX's default is 1, theirs 0; x = alpha passes by ONNX's text, not there.
    case = one_unit(["ThresholdedRelu"], [-1, 0.5, 1, 2])
    assert by_onnxruntime(case)[0].ravel().tolist() == [0, 0.5, 1, 2]
    assert case.run(case.module())[0].ravel().tolist() == [0, 0, 1, 2]
    case.attributes["activation_alpha"] = [1.0]
    assert by_onnxruntime(case)[0].ravel().tolist() == [0, 0, 0, 2]
    assert case.run(case.module())[0].ravel().tolist() == [0, 0, 1, 2]

    # An Affine or ScaledTanh without alpha and beta, for which ONNX has no default, is 0 there. Here it is an error.
    for name in ("Affine", "ScaledTanh"):
        assert by_onnxruntime(one_unit([name], [-1, 2]))[0].ravel().tolist() == [0, 0]

    # layout=1 is refused there.
    with pytest.raises(Exception, match="layout == 1"):
        by_onnxruntime(one_unit(["Tanh"], [1], layout=1))

    # After no step at all the state is 0 there, and here what it was before.
    case = random_case(
        np.random.default_rng(0), op_type="GRU", direction="forward", sequence_lens=False, initial_h=True
    )
    case.inputs["sequence_lens"] = np.zeros(case.inputs["X"].shape[1], "int32")
    assert not by_onnxruntime(case)[1].any()
    assert (case.run(case.module())[1] == case.inputs["initial_h"]).all()
