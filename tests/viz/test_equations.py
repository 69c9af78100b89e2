"""Ops written as equations."""

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.viz.equations import applied, equations


def test_each_op_of_an_lstm_is_an_equation_of_names():
    outputs, _ = nn.unroll(nn.LSTMCell(3, 4), tg.zeros(4, 2, 3))
    report = viz.gradient_flow(outputs[-1].sum(axis=1))
    written = dict(zip([node.name for node in report.nodes], equations(report), strict=True))
    assert written["t3_c"] == "t3_c = t3_mul + t3_mul_2"
    assert written["t3_mul"] == "t3_mul = t3_forget_gate_f * t2_c"
    assert written["t3_h"] == "t3_h = t3_output_gate_o * t3_tanh"
    assert written["bias_ih_l0" if "bias_ih_l0" in written else "bias_ih"] is None


def test_numbers_stand_where_they_were_given():
    x = tg.tensor([3.0, 4.0], requires_grad=True).named("x")
    report = viz.gradient_flow(((1.0 - x) * 2.0).sum().named("L"))
    assert equations(report) == [None, "sub = 1 - x", "mul = sub * 2", "L = sum(mul)"]


def test_an_input_read_twice_stands_twice():
    x = tg.tensor(3.0, requires_grad=True).named("x")
    assert equations(viz.gradient_flow((x * x).named("L"))) == [None, "L = x * x"]


def test_attributes_are_told_where_they_are_known():
    assert applied("sum", ["x"], {"axis": (1,), "keepdims": False}) == "sum(x, axis=(1,))"
    assert applied("getitem", ["x"], {"index": (slice(None), 0)}) == "x[:, 0]"
    assert applied("getitem", ["x"]) == "x[…]"
