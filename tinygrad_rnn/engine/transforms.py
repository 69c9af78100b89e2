"""Functions of functions: vjp, jvp, jacobian and hessian, all made of `grad`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine.autograd import grad, tensors_in, topological
from tinygrad_rnn.engine.creation import basis_like, stack
from tinygrad_rnn.engine.modes import enable_grad, modes
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import GraphError, ShapeError


def _fresh(x: Tensor) -> Tensor:
    """Return x as an input of its own: a new leaf, or a view that keeps x's place in an outer graph."""
    if x.requires_grad:
        return x.reshape(x.shape)
    leaf = x.detach()
    if dtypes.is_float(x.dtype):
        leaf.requires_grad = True
    return leaf


def _reads_from_outside(outputs: Sequence[Tensor], inputs: Sequence[Tensor]) -> bool:
    """Return whether outputs also depend on a leaf other than the inputs: derivatives may be differentiated by it."""
    own = {x._node for x in inputs}
    reached = topological(y._node for y in outputs if y.requires_grad)
    return any(node.op is None and node not in own for node in reached)


def vjp(f: Callable[..., Any], *xs: Tensor) -> tuple[Any, Callable[..., tuple[Tensor | None, ...]]]:
    """Return f(*xs) and its pullback: a function from cotangents of the output to gradients of the inputs.

    Args:
        f: takes tensors and returns a tensor or a tuple of them.
        xs: where to evaluate f. An input that is no float gets None.

    Returns:
        (out, pullback); `pullback(g)` takes one cotangent per output and returns one gradient per input.

    >>> import tinygrad_rnn as tg
    >>> out, pullback = tg.vjp(lambda a, b: a * b, tg.tensor(3.0), tg.tensor(4.0))
    >>> [g.item() for g in pullback(tg.tensor(1.0))]
    [4.0, 3.0]
    """
    out, pullback, _ = _vjp(f, xs)
    return out, pullback


def _vjp(f: Callable[..., Any], xs: Sequence[Tensor]) -> tuple[Any, Callable[..., tuple[Tensor | None, ...]], bool]:
    """Return what `vjp` does, and whether an outer derivative may go through it."""
    with enable_grad():
        inputs = tuple(_fresh(x) for x in tensors_in(xs, "a transform"))
        out = f(*inputs)
    outputs = tensors_in(out, "f", "return")
    wanted = [x for x in inputs if x.requires_grad]
    nested = modes.grad_enabled and _reads_from_outside(outputs, inputs)

    def pullback(*cotangents: Tensor) -> tuple[Tensor | None, ...]:
        if len(cotangents) != len(outputs):
            raise ShapeError(f"pullback: {len(outputs)} outputs need {len(outputs)} cotangents, not {len(cotangents)}")
        pairs = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y.requires_grad]
        found: Sequence[Tensor | None] = [None] * len(wanted)
        if pairs and wanted:
            create_graph = nested or any(isinstance(g, Tensor) and g.requires_grad for g in cotangents)
            found = grad([y for y, _ in pairs], wanted, [g for _, g in pairs], create_graph, allow_unused=True)
        by_input = {id(x): g for x, g in zip(wanted, found, strict=True)}
        return tuple(
            (by_input[id(x)] if by_input[id(x)] is not None else x._like(0)) if id(x) in by_input else None
            for x in inputs
        )

    return out, pullback, nested


def jvp(f: Callable[..., Any], xs: Any, tangents: Any) -> tuple[Any, Any]:
    """Return f(*xs) and the derivative of f along the tangents: J @ v in one go.

    It needs no forward-mode rules: a pullback is linear in its cotangent u, so the derivative of `pullback(u)` by u,
    applied to the tangents, is the product with the Jacobian itself (Townsend, "A new trick for calculating Jacobian
    vector products", 2017).

    Args:
        f: takes tensors and returns a tensor or a tuple of them.
        xs: one tensor or a tuple of them.
        tangents: of the same shapes.

    Raises:
        ShapeError: the tangents' shapes are not those of the inputs.

    >>> import tinygrad_rnn as tg
    >>> out, tangent = tg.jvp(lambda a: a * a, tg.tensor(3.0), tg.tensor(1.0))
    >>> tangent.item()
    6.0
    """
    points, directions = tensors_in(xs, "jvp"), tensors_in(tangents, "jvp")
    if [x.shape for x in points] != [t.shape for t in directions]:
        raise ShapeError(
            f"jvp: tangents of shapes {[t.shape for t in directions]} do not fit inputs of {[x.shape for x in points]}"
        )
    out, pullback, nested = _vjp(f, points)
    outputs = tensors_in(out, "f", "return")
    dummies = tuple(y._like(0.0) for y in outputs)
    for dummy in dummies:
        dummy.requires_grad = True
    with enable_grad():
        pulled = pullback(*dummies)
    pairs = [(g, t) for g, t in zip(pulled, directions, strict=True) if g is not None and g.requires_grad]
    nested = nested or any(t.requires_grad for t in directions)
    found: Sequence[Tensor | None] = [None] * len(dummies)
    if pairs:
        found = grad([g for g, _ in pairs], dummies, [t for _, t in pairs], create_graph=nested, allow_unused=True)
    derivative = tuple(y._like(0.0) if d is None else d for y, d in zip(outputs, found, strict=True))
    return out, derivative[0] if isinstance(out, Tensor) else derivative


def jacobian(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return df/dx of shape (*f(x).shape, *x.shape), one backward walk per output element.

    Raises:
        GraphError: f returns several tensors, or x is not of floats.

    >>> import tinygrad_rnn as tg
    >>> tg.jacobian(lambda x: x * x, tg.tensor([1.0, 2.0])).numpy().tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    out, pullback = vjp(f, x)
    if not isinstance(out, Tensor):
        raise GraphError("jacobian: f must return one tensor")
    if not out.size or not x.size:
        return x._zeros((*out.shape, *x.shape))
    rows = []
    for seed in basis_like(out):
        (row,) = pullback(seed)
        if row is None:
            raise GraphError(f"jacobian: only floats can be differentiated, x is {x.dtype}")
        rows.append(row)
    return stack(rows).reshape((*out.shape, *x.shape))


def hessian(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return the second derivatives of a function with a single value, of shape (*x.shape, *x.shape).

    >>> import tinygrad_rnn as tg
    >>> tg.hessian(lambda x: (x * x * x).sum(), tg.tensor([1.0, 2.0])).numpy().tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """

    def gradient(y: Tensor) -> Tensor:
        (value,) = tensors_in(f(y), "f", "return")
        if not value.requires_grad:
            return y._like(0.0)
        first = grad(value, y, create_graph=True, allow_unused=True)
        return y._like(0.0) if first is None else first

    return jacobian(gradient, x)
