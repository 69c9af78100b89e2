"""Checking derivatives: against finite differences, and for the first NaN or infinity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import dtypes
from tinygrad_rnn.engine import ops
from tinygrad_rnn.engine.autograd import grad, tensors_in
from tinygrad_rnn.engine.creation import Generator, basis_like, randn
from tinygrad_rnn.engine.graph import Node, Op
from tinygrad_rnn.engine.modes import enable_grad, modes, no_grad, recording, scope_suffix
from tinygrad_rnn.engine.recorder import Recorder, users_line
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import AnomalyError, DTypeError, GradcheckError, GraphError


def gradcheck(
    f: Callable[..., Any],
    inputs: Tensor | Sequence[Tensor],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
) -> bool:
    """Compare the gradients of f with central differences, entry by entry of the Jacobian.

    Args:
        f: takes the inputs and returns a tensor or a tuple of them. It may also read the inputs from elsewhere (the
            parameters of a model): they are perturbed in place and restored.
        inputs: float64 leaves; those that require grad are checked.
        eps: the step of the differences.
        atol, rtol: an entry passes if |analytic - numeric| <= atol + rtol * |numeric|.

    Returns:
        True.

    Raises:
        GradcheckError: an entry fails; the message shows the worst one.
        DTypeError: an input is not float64, whose precision finite differences need.
        GraphError: no input requires grad, or one is the result of an op instead of a leaf.

    >>> import tinygrad_rnn as tg
    >>> tg.gradcheck(lambda x: x.tanh(), tg.tensor([0.1, 2.0], dtype="float64", requires_grad=True))
    True
    """
    points = tensors_in(inputs, "gradcheck")
    checked = [(i, x) for i, x in enumerate(points) if x.requires_grad]
    if not checked:
        raise GraphError("gradcheck: no input requires grad; create them with requires_grad=True")
    for i, x in checked:
        if x.dtype != dtypes.float64:
            raise DTypeError(f"gradcheck: input {i} is {x.dtype}; finite differences need dtype='float64'")
        if not x.is_leaf:
            raise GraphError(f"gradcheck: input {i} is the result of an op; pass leaves, for example x.detach()")
    analytic = _analytic(f, points, [x for _, x in checked])
    for position, (i, x) in enumerate(checked):
        numeric = _numeric(f, points, x, eps)
        for k, (by_grad, by_difference) in enumerate(zip(analytic[position], numeric, strict=True)):
            _compare(by_grad, by_difference, i, k, atol, rtol)
    return True


def _outputs(f: Callable[..., Any], points: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tensors_in(f(*points), "f", "return")


def _analytic(f: Callable[..., Any], points: Sequence[Tensor], checked: Sequence[Tensor]) -> list[list[np.ndarray]]:
    """Return per checked input and output the Jacobian of shape (output size, input size)."""
    with enable_grad():
        outputs = _outputs(f, points)
    jacobians = [[np.zeros((y.size, x.size)) for y in outputs] for x in checked]
    for k, y in enumerate(outputs):
        if not y.requires_grad:
            continue
        for row, seed in enumerate(basis_like(y)):
            found = grad(y, checked, seed, allow_unused=True)
            for position, g in enumerate(found):
                if g is not None:
                    jacobians[position][k][row] = g.numpy().reshape(-1)
    return jacobians


def _numeric(f: Callable[..., Any], points: Sequence[Tensor], x: Tensor, eps: float) -> list[np.ndarray]:
    original = np.array(x.numpy())
    columns: list[list[np.ndarray]] = []
    with no_grad():
        outputs = _outputs(f, points)
        try:
            for column in range(x.size):
                values = []
                for step in (eps, -eps):
                    moved = original.copy()
                    moved.reshape(-1)[column] += step
                    x.assign_(moved)
                    values.append([np.array(y.numpy(), dtype=np.float64).reshape(-1) for y in _outputs(f, points)])
                columns.append([(up - down) / (2 * eps) for up, down in zip(*values, strict=True)])
        finally:
            x.assign_(original)
    return [
        np.stack([column[k] for column in columns], axis=1) if columns else np.zeros((y.size, 0))
        for k, y in enumerate(outputs)
    ]


def _compare(analytic: np.ndarray, numeric: np.ndarray, i: int, k: int, atol: float, rtol: float) -> None:
    excess = np.abs(analytic - numeric) - (atol + rtol * np.abs(numeric))
    excess = np.where(np.isfinite(analytic) & np.isfinite(numeric), excess, np.inf)
    if not excess.size or excess.max() <= 0:
        return
    row, column = np.unravel_index(int(np.argmax(excess)), excess.shape)
    raise GradcheckError(
        f"gradcheck: {int((excess > 0).sum())} of {excess.size} entries of d(output {k})/d(input {i}) disagree; the "
        f"worst is d(element {row})/d(element {column}): backward gives {analytic[row, column]:.6g}, finite "
        f"differences {numeric[row, column]:.6g}"
    )


def gradgradcheck(
    f: Callable[..., Any],
    inputs: Tensor | Sequence[Tensor],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
) -> bool:
    """Compare second derivatives with finite differences of first ones: `gradcheck` of the vjp itself.

    Arguments, result and errors as for `gradcheck`.

    Raises:
        GraphError: no output depends on an input that requires grad.

    >>> import tinygrad_rnn as tg
    >>> tg.gradgradcheck(lambda x: x * x * x, tg.tensor([0.5, 2.0], dtype="float64", requires_grad=True))
    True
    """
    points = tensors_in(inputs, "gradgradcheck")
    generator = Generator(seed=0)
    with enable_grad():
        outputs = _outputs(f, points)
    used = [k for k, y in enumerate(outputs) if y.requires_grad]
    if not used:
        raise GraphError("gradgradcheck: no output of f depends on an input that requires grad")
    cotangents = [
        randn(y.shape, dtype=y.dtype, device=y.device, requires_grad=True, generator=generator)
        for y in (outputs[k] for k in used)
    ]

    @enable_grad()  # finite differences only want values, but of first derivatives
    def first_derivatives(*args: Tensor) -> tuple[Tensor, ...]:
        xs, vs = args[: len(points)], args[len(points) :]
        outputs = _outputs(f, xs)
        checked = [x for x in xs if x.requires_grad]
        found = grad([outputs[k] for k in used], checked, vs, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(first_derivatives, (*points, *cotangents), eps, atol, rtol)


# ---- the first NaN or infinity ------------------------------------------------------------------------------------


class _AnomalyWatch(Recorder):
    """A recorder that looks at every result."""

    def op(self, node: Node, inputs: tuple[Tensor, ...], op: type[Op], attrs: dict[str, Any]) -> None:
        node.line = users_line()
        if op is ops.Copy:  # it makes no numbers: `tensor(x)` may hand on what x has
            return
        for array in node.outputs:
            if array.dtype.kind != "f" or node.backend.all_finite(array):
                continue
            bad = [i for i, x in enumerate(inputs) if x.dtype.kind == "f" and not node.backend.all_finite(x._data)]
            is_nan = bool(np.isnan(node.backend.to_numpy(array)).any())
            if bad and not is_nan:
                continue  # an infinity handed on, such as the -inf of a mask
            what = "NaN" if is_nan else "an infinity"
            how = f"from input {bad[0]}, which was not finite itself" if bad else "from finite inputs"
            raise AnomalyError(f"{op.name} gave {what} {how}{scope_suffix(modes.scope)}, at {node.line}")


def detect_anomaly(function: Callable[..., Any] | None = None) -> Any:
    """Raise AnomalyError at the op that makes the first NaN or infinity, in the forward or the backward pass.

    The error names the op, its scope and the line that called it. It looks at every result, so it is slow: use it to
    find a problem, not to train. Also a decorator, with or without parentheses.

    >>> import tinygrad_rnn as tg
    >>> with tg.detect_anomaly():
    ...     tg.tensor(0.0).log()
    Traceback (most recent call last):
    tinygrad_rnn.errors.AnomalyError: log gave an infinity from finite inputs, at ...
    """
    watching = recording(_AnomalyWatch(), "tg.detect_anomaly()")
    return watching if function is None else watching(function)
