"""Elementwise ops: the same scalar function at every position, with NumPy broadcasting.

The engine sums a message over the axes that broadcasting added, so no rule here thinks about shapes.
"""

from __future__ import annotations

import math

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine.graph import Op

_BROADCAST_HINT = "sizes must be equal or 1, aligned from the last axis"


# ---- one argument ------------------------------------------------------------------------------------------------


class Neg(Op):
    @staticmethod
    def forward(backend, x):
        return backend.unary("neg", x)

    @staticmethod
    def vjp(node, g):
        return -g


class Exp(Op):
    @staticmethod
    def forward(backend, x):
        return backend.unary("exp", x)

    @staticmethod
    def vjp(node, g):
        return g * node.output()


class Expm1(Op):
    """exp(x) - 1 with all its digits near 0; its gradient asks for exp(x) again, as y + 1 has lost it below -17."""

    @staticmethod
    def forward(backend, x):
        return backend.unary("expm1", x)

    @staticmethod
    def vjp(node, g):
        return g * node.input(0).exp()


class Erfc(Op):
    """1 - erf(x), the share of a normal distribution beyond x on both sides, with all its digits where it is small."""

    @staticmethod
    def forward(backend, x):
        return backend.unary("erfc", x)

    @staticmethod
    def vjp(node, g):
        x = node.input(0)
        return g * (-(x * x)).exp() * (-2 / math.sqrt(math.pi))


class Log(Op):
    @staticmethod
    def forward(backend, x):
        return backend.unary("log", x)

    @staticmethod
    def vjp(node, g):
        return g / node.input(0)


class Log1p(Op):
    """log(1 + x) with all its digits near 0."""

    @staticmethod
    def forward(backend, x):
        return backend.unary("log1p", x)

    @staticmethod
    def vjp(node, g):
        return g / (node.input(0) + 1.0)


class Sqrt(Op):
    @staticmethod
    def forward(backend, x):
        return backend.unary("sqrt", x)

    @staticmethod
    def vjp(node, g):
        return g * 0.5 / node.output()


class Reciprocal(Op):
    @staticmethod
    def forward(backend, x):
        return backend.unary("reciprocal", x)

    @staticmethod
    def vjp(node, g):
        y = node.output()
        return -g * y * y


class Abs(Op):
    @staticmethod
    def forward(backend, x):
        return backend.unary("abs", x)

    @staticmethod
    def vjp(node, g):
        return g * node.input(0).sign()


class Sign(Op):
    """Its derivative is 0 wherever it has one."""

    differentiable = False

    @staticmethod
    def forward(backend, x):
        return backend.unary("sign", x)


class Floor(Op):
    """Its derivative is 0 wherever it has one."""

    differentiable = False

    @staticmethod
    def forward(backend, x):
        return backend.unary("floor", x)


class Tanh(Op):
    @staticmethod
    def forward(backend, x):
        return backend.unary("tanh", x)

    @staticmethod
    def vjp(node, g):
        return g._tanh_grad(node.output())


class TanhGrad(Op):
    """g * (1 - y * y) in one pass: the backward pass of an RNN is full of it."""

    name = "tanh_grad"

    @staticmethod
    def forward(backend, g, y):
        return backend.binary("tanh_grad", g, y)

    @staticmethod
    def vjp(node, gg):
        g, y = node.input(0), node.input(1)
        return gg._tanh_grad(y), gg * g * y * -2.0 if node.needs_grad(1) else None


class Sigmoid(Op):
    @staticmethod
    def forward(backend, x):
        return backend.unary("sigmoid", x)

    @staticmethod
    def vjp(node, g):
        return g._sigmoid_grad(node.output())


class SigmoidGrad(Op):
    """g * y * (1 - y) in one pass."""

    name = "sigmoid_grad"

    @staticmethod
    def forward(backend, g, y):
        return backend.binary("sigmoid_grad", g, y)

    @staticmethod
    def vjp(node, gg):
        g, y = node.input(0), node.input(1)
        return gg._sigmoid_grad(y), gg * g * (1.0 - 2.0 * y) if node.needs_grad(1) else None


class Relu(Op):
    """At exactly 0 the gradient is 0, as in torch."""

    @staticmethod
    def forward(backend, x):
        return backend.unary("relu", x)

    @staticmethod
    def vjp(node, g):
        return g.where(node.output() > 0.0, 0.0)  # a product would make inf * 0 = NaN of an exploding gradient


class Sin(Op):
    @staticmethod
    def forward(backend, x):
        return backend.unary("sin", x)

    @staticmethod
    def vjp(node, g):
        return g * node.input(0).cos()


class Cos(Op):
    @staticmethod
    def forward(backend, x):
        return backend.unary("cos", x)

    @staticmethod
    def vjp(node, g):
        return -g * node.input(0).sin()


# ---- two arguments -----------------------------------------------------------------------------------------------


class Add(Op):
    hint = _BROADCAST_HINT

    @staticmethod
    def forward(backend, a, b):
        return backend.binary("add", a, b)

    @staticmethod
    def vjp(node, g):
        return g, g


class Sub(Op):
    hint = _BROADCAST_HINT

    @staticmethod
    def forward(backend, a, b):
        return backend.binary("sub", a, b)

    @staticmethod
    def vjp(node, g):
        return g, -g if node.needs_grad(1) else None


class Mul(Op):
    hint = _BROADCAST_HINT

    @staticmethod
    def forward(backend, a, b):
        return backend.binary("mul", a, b)

    @staticmethod
    def vjp(node, g):
        return (
            g * node.input(1) if node.needs_grad(0) else None,
            g * node.input(0) if node.needs_grad(1) else None,
        )


class Div(Op):
    hint = _BROADCAST_HINT

    @staticmethod
    def forward(backend, a, b):
        return backend.binary("div", a, b)

    @staticmethod
    def vjp(node, g):
        b = node.input(1)
        return (
            g / b if node.needs_grad(0) else None,
            -g * node.output() / b if node.needs_grad(1) else None,
        )


class Pow(Op):
    """a ** b. Where a is 0 the gradient of b is 0 (the limit for b > 0), as in torch.

    An integer to a negative power is an error on the CPU, and 1 on a device, where nobody has looked at the power.
    """

    hint = _BROADCAST_HINT

    @staticmethod
    def forward(backend, a, b):
        """Return a ** b; TypeError for an integer to a negative power, where it can be seen without waiting."""
        whole = a.dtype.kind != "f" and b.dtype.kind != "f"
        if whole and backend.device == "cpu" and (backend.to_numpy(b) < 0).any():  # elsewhere looking would wait
            raise TypeError("an integer to a negative power is no integer; use x.cast('float32') ** y")
        return backend.binary("pow", a, b)

    @staticmethod
    def vjp(node, g):
        a, b = node.input(0), node.input(1)
        nonzero = a != 0.0
        grad_a = grad_b = None
        if node.needs_grad(0):  # a ** 0 is constant, also at a == 0, where a ** -1 is infinite
            grad_a = g * b * a ** (b - 1.0).where(nonzero.maximum(b != 0.0), 0.0)
        if node.needs_grad(1):
            grad_b = g * (node.output() * a.where(nonzero, 1.0).log()).where(nonzero, 0.0)
        return grad_a, grad_b


def _share(g, wins, ties):
    """Return g where an operand wins, half of it at a tie, and 0 elsewhere."""
    return g.where(wins, (g * 0.5).where(ties, 0.0))


class Maximum(Op):
    hint = _BROADCAST_HINT

    @staticmethod
    def forward(backend, a, b):
        return backend.binary("maximum", a, b)

    @staticmethod
    def vjp(node, g):
        a, b = node.input(0), node.input(1)
        tie = a == b
        return (
            _share(g, a > b, tie) if node.needs_grad(0) else None,
            _share(g, a < b, tie) if node.needs_grad(1) else None,
        )


class Minimum(Op):
    hint = _BROADCAST_HINT

    @staticmethod
    def forward(backend, a, b):
        return backend.binary("minimum", a, b)

    @staticmethod
    def vjp(node, g):
        a, b = node.input(0), node.input(1)
        tie = a == b
        return (
            _share(g, a < b, tie) if node.needs_grad(0) else None,
            _share(g, a > b, tie) if node.needs_grad(1) else None,
        )


class _Compare(Op):
    """Comparisons give bool tensors and have no gradient."""

    differentiable = False
    hint = _BROADCAST_HINT
    kernel = ""

    @classmethod
    def forward(cls, backend, a, b):
        return backend.binary(cls.kernel, a, b)


class Equal(_Compare):
    kernel = "eq"


class NotEqual(_Compare):
    kernel = "ne"


class Less(_Compare):
    kernel = "lt"


class LessEqual(_Compare):
    kernel = "le"


class Greater(_Compare):
    kernel = "gt"


class GreaterEqual(_Compare):
    kernel = "ge"


# ---- three arguments, dtype --------------------------------------------------------------------------------------


class Where(Op):
    """Choose from a where the condition holds, from b elsewhere."""

    hint = _BROADCAST_HINT

    @staticmethod
    def forward(backend, condition, a, b):
        return backend.where(condition, a, b)

    @staticmethod
    def vjp(node, g):
        condition = node.input(0)
        return (
            None,
            g.where(condition, 0.0) if node.needs_grad(1) else None,
            g.where(condition.logical_not(), 0.0) if node.needs_grad(2) else None,
        )


class Cast(Op):
    """Change the dtype. The engine casts the message back."""

    @staticmethod
    def forward(backend, x, *, dtype):
        return backend.cast(x, dtypes.resolve(dtype))

    @staticmethod
    def vjp(node, g):
        return g
