"""The table of primitive ops, one class each: a forward rule on arrays beside a vjp rule on tensors."""

from tinygrad_rnn.engine.ops.elementwise import (
    Abs,
    Add,
    Cast,
    Cos,
    Div,
    Equal,
    Erfc,
    Exp,
    Expm1,
    Floor,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Log,
    Log1p,
    Maximum,
    Minimum,
    Mul,
    Neg,
    NotEqual,
    Pow,
    Reciprocal,
    Relu,
    Sigmoid,
    SigmoidGrad,
    Sign,
    Sin,
    Sqrt,
    Sub,
    Tanh,
    TanhGrad,
    Where,
)
from tinygrad_rnn.engine.ops.indexing import Random, ScatterAdd, Take
from tinygrad_rnn.engine.ops.linear import MatMul
from tinygrad_rnn.engine.ops.movement import (
    BroadcastTo,
    Concat,
    Copy,
    GetItem,
    Permute,
    PutSlices,
    Reshape,
    Split,
    Stack,
    To,
    Unbind,
)
from tinygrad_rnn.engine.ops.reduce import ArgMax, ArgMin, CumSum, Length, Max, Min, Prod, Sum

__all__ = [
    "Abs", "Add", "ArgMax", "ArgMin", "BroadcastTo", "Cast", "Concat", "Copy", "Cos", "CumSum", "Div", "Equal",
    "Erfc", "Exp", "Expm1", "Floor", "GetItem", "Greater", "GreaterEqual", "Length", "Less", "LessEqual", "Log",
    "Log1p", "MatMul", "Max", "Maximum", "Min", "Minimum", "Mul", "Neg", "NotEqual", "Permute", "Pow",
    "Prod", "PutSlices", "Random", "Reciprocal", "Relu", "Reshape", "ScatterAdd", "Sigmoid", "SigmoidGrad", "Sign",
    "Sin", "Split", "Sqrt", "Stack", "Sub", "Sum", "Take", "Tanh", "TanhGrad", "To", "Unbind", "Where",
]  # fmt: skip
