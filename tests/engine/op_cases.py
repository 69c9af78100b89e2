"""One small example of every primitive op but `Random` and `To`, for the properties that all of them share.

The derivative of an op is checked in float64 at points where it has one; ties and edges are tested by name elsewhere.
An elementwise op of one argument whose example is positive is meant for positive numbers: more of them are drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.engine import ops


class Case(NamedTuple):
    op: type[tg.Op]
    call: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]

    def tensors(self, dtype: str = "float64", requires_grad: bool = True, device: str = "cpu") -> list[tg.Tensor]:
        return [tg.tensor(x, dtype, device, requires_grad) for x in self.inputs]


_a = np.array([[0.3, -1.2, 0.8], [1.9, 0.5, -0.4]])
_b = np.array([[1.1, 0.7, -0.9], [-0.3, 1.6, 0.2]])
_row = np.array([0.6, -0.7, 1.4])
_positive = np.abs(_a) + 0.1

CASES = [
    Case(ops.Neg, lambda x: -x, (_a,)),
    Case(ops.Exp, lambda x: x.exp(), (_a,)),
    Case(ops.Erfc, lambda x: x.erfc(), (_a,)),
    Case(ops.Expm1, lambda x: x.expm1(), (_a,)),
    Case(ops.Log, lambda x: x.log(), (_positive,)),
    Case(ops.Log1p, lambda x: x.log1p(), (_positive,)),
    Case(ops.Sqrt, lambda x: x.sqrt(), (_positive,)),
    Case(ops.Reciprocal, lambda x: x.reciprocal(), (_positive,)),
    Case(ops.Abs, lambda x: x.abs(), (_a,)),
    Case(ops.Sign, lambda x: x.sign(), (_a,)),
    Case(ops.Floor, lambda x: x.floor(), (_a,)),
    Case(ops.Tanh, lambda x: x.tanh(), (_a,)),
    Case(ops.TanhGrad, lambda g, y: g._tanh_grad(y), (_a, _b)),
    Case(ops.Sigmoid, lambda x: x.sigmoid(), (_a,)),
    Case(ops.SigmoidGrad, lambda g, y: g._sigmoid_grad(y), (_a, _b)),
    Case(ops.Relu, lambda x: x.relu(), (_a,)),
    Case(ops.Sin, lambda x: x.sin(), (_a,)),
    Case(ops.Cos, lambda x: x.cos(), (_a,)),
    Case(ops.Add, lambda a, b: a + b, (_a, _row)),
    Case(ops.Sub, lambda a, b: a - b, (_row, _a)),
    Case(ops.Mul, lambda a, b: a * b, (_a, _row)),
    Case(ops.Div, lambda a, b: a / b, (_row, _a)),
    Case(ops.Pow, lambda a, b: a**b, (_positive, _row)),
    Case(ops.Maximum, lambda a, b: a.maximum(b), (_a, _row)),
    Case(ops.Minimum, lambda a, b: a.minimum(b), (_a, _row)),
    Case(ops.Equal, lambda a, b: a == b, (_a, _b)),
    Case(ops.NotEqual, lambda a, b: a != b, (_a, _b)),
    Case(ops.Less, lambda a, b: a < b, (_a, _b)),
    Case(ops.LessEqual, lambda a, b: a <= b, (_a, _b)),
    Case(ops.Greater, lambda a, b: a > b, (_a, _b)),
    Case(ops.GreaterEqual, lambda a, b: a >= b, (_a, _b)),
    Case(ops.Where, lambda a, b: a.where(b > 0.5, b), (_a, _b)),
    Case(ops.Cast, lambda x: x.cast("float32" if x.dtype == tg.float64 else "float64"), (_a,)),
    Case(ops.Sum, lambda x: x.sum(axis=1), (_a,)),
    Case(ops.Prod, lambda x: x.prod(axis=1), (_a,)),
    Case(ops.CumSum, lambda x: x.cumsum(axis=1), (_a,)),
    Case(ops.Max, lambda x: x.max(axis=0), (_a,)),
    Case(ops.Min, lambda x: x.min(axis=1, keepdims=True), (_a,)),
    Case(ops.ArgMax, lambda x: x.argmax(axis=1), (_a,)),
    Case(ops.ArgMin, lambda x: x.argmin(axis=1), (_a,)),
    Case(ops.LayerNorm, lambda x: x._layer_norm(0.1), (_a,)),
    Case(ops.LayerNormGrad, lambda g, y, scale: g._layer_norm_grad(y, scale), (_a, _b, _positive[:, :1])),
    Case(ops.Length, lambda x: x._length(), (_a,)),
    Case(ops.MatMul, lambda a, b: a @ b, (_a, _b.T)),
    Case(ops.Reshape, lambda x: x.reshape(3, 2), (_a,)),
    Case(ops.Permute, lambda x: x.transpose(0, 1), (_a,)),
    Case(ops.BroadcastTo, lambda x: x.broadcast_to(2, 3), (_row,)),
    Case(ops.GetItem, lambda x: x[1, ::-2], (_a,)),
    Case(ops.Split, lambda x: x.split([1, 2], axis=1), (_a,)),
    Case(ops.Unbind, lambda x: x.unbind(1), (_a,)),
    Case(
        ops.PutSlices,
        lambda a, b: a._put_slices([b], [(slice(0, 2),), (slice(1, 3),)], (4, 3)),
        (_a, _b),
    ),
    Case(ops.Concat, lambda a, b: tg.concat([a, b], axis=1), (_a, _b)),
    Case(ops.Stack, lambda a, b: tg.stack([a, b], axis=1), (_a, _b)),
    Case(ops.Copy, lambda x: x.copy(), (_a,)),
    Case(ops.Take, lambda x: x.take([2, 0, 2], axis=1), (_a,)),
    Case(ops.ScatterAdd, lambda x: x._scatter_add((tg.arange(3, device=x.device) - 1).abs() * 2, 1, 4), (_a,)),
]

BY_NAME = {case.op.__name__: case for case in CASES}
DIFFERENTIABLE = [name for name, case in BY_NAME.items() if case.op.differentiable]


def outputs(found: Any) -> tuple[tg.Tensor, ...]:
    return found if isinstance(found, tuple) else (found,)
