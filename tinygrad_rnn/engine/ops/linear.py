"""Matrix products."""

from __future__ import annotations

from tinygrad_rnn.engine.graph import Op, Product


class MatMul(Op):
    """a @ b with NumPy's rules: batched over leading axes, 1-D operands as a row on the left, a column on the right.

    When b is one matrix, the leading axes of a are flattened into rows: (T, B, I) @ (I, O) is one product of
    (T*B, I), and the gradient of b one product too, not T of them and a sum.
    """

    hint = "the last axis of the left operand must have the size of the second-to-last axis of the right one"

    @staticmethod
    def forward(backend, a, b):
        """Return a @ b; ValueError if one of them has no axes."""
        if a.ndim == 0 or b.ndim == 0:
            raise ValueError("matmul needs operands with at least one axis")
        if a.ndim == 2 and b.ndim == 2:
            return backend.matmul(a, b)
        rows = a if a.ndim > 1 else backend.reshape(a, (1, *a.shape))
        columns = b if b.ndim > 1 else backend.reshape(b, (*b.shape, 1))
        if rows.shape[-1] != columns.shape[-2]:
            raise ValueError("inner sizes differ")
        if columns.ndim == 2:
            product = backend.matmul(backend.reshape(rows, (_rows(rows.shape), rows.shape[-1])), columns)
            shape = (*rows.shape[:-1], columns.shape[-1])
        else:
            product = backend.matmul(rows, columns)
            shape = product.shape
        if a.ndim == 1:
            shape = (*shape[:-2], shape[-1])
        if b.ndim == 1:
            shape = shape[:-1]
        return backend.reshape(product, shape)

    @staticmethod
    def vjp(node, g):
        left, right = node.input_shape(0), node.input_shape(1)
        if len(left) == 2 and len(right) == 2:
            return (
                g @ node.input(1).T if node.needs_grad(0) else None,
                Product(node.input(0), g) if node.needs_grad(1) else None,
            )
        if len(left) == 1:
            g = g.unsqueeze(-1 if len(right) == 1 else -2)
        if len(right) == 1:
            g = g.unsqueeze(-1)
        grad_a = grad_b = None
        if node.needs_grad(0):
            b = node.input(1)
            grad_a = g @ (b.unsqueeze(0) if len(right) == 1 else b.transpose(-1, -2))
            if len(left) == 1:
                grad_a = grad_a.squeeze(-2)
        if node.needs_grad(1):
            a = node.input(0)
            if len(right) <= 2:
                rows = _rows((1, *left))
                grad_b = a.reshape(rows, left[-1]).T @ g.reshape(rows, g.shape[-1])
                grad_b = grad_b.reshape(right)
            else:
                grad_b = (a.unsqueeze(-1) if len(left) == 1 else a.transpose(-1, -2)) @ g
        return grad_a, grad_b


def _rows(shape):
    """Return how many rows a stack of matrices has when its leading axes are flattened."""
    count = 1
    for size in shape[:-1]:
        count *= size
    return count
