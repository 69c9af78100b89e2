"""How a small change of the state grows or shrinks from step to step: the Jacobians of a recurrent network."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np

from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.engine.modes import step_of
from tinygrad_rnn.engine.protocol import Edge, Observer, Vertex
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import GraphError, InputError, ShapeError
from tinygrad_rnn.flow.lanes import Lane, choose_lane, lanes_in

#: Singular values of a product are accurate to half of their digits down to this share of the largest.
_ACCURATE = 1e-8


@dataclass(frozen=True)
class JacobianReport:
    """The Jacobians ds_t/ds_{t-1} of the state s = h or (h, c) of one layer and direction, for each of B examples.

    Attributes:
        kinds: the parts of the state, in the order in which they lie in it: ("h",) or ("h", "c").
        layer, direction: which states these are.
        steps: the T steps in the order they were taken: descending in the reverse direction.
        one_step: (T-1, B, S, S) float64. one_step[i, b, j, k] is the derivative of unit j of the state after step
            steps[i+1] by unit k of the state after steps[i]. Each step's output state is an independent input: within
            a step h depends on its own c, but nothing goes back beyond the states of the step before.
        precision: of the numbers in the graph: 2.2e-16 for float64, 1.2e-7 for float32.
        notes: what the Jacobians leave out, if steps read more of each other than these states.
    """

    kinds: tuple[str, ...]
    layer: int
    direction: str
    steps: tuple[int, ...]
    one_step: np.ndarray
    precision: float
    notes: tuple[str, ...]

    def singular_values(self, lag: int) -> np.ndarray:
        """Return those of ds_T/ds_{T-lag}, (B, S), descending; by how much a change can grow or shrink in `lag` steps.

        nan where they are below precision times the largest of the example: rounding leaves nothing of them.

        Raises:
            InputError: there are not so many steps.
        """
        if not 0 <= lag < len(self.steps):
            raise InputError(f"singular_values: the lag must be from 0 to {len(self.steps) - 1}, not {lag}")
        values, scale = self._spectra[lag]
        return _times(np.where(values < self.precision * values[:, :1], np.nan, values), scale[:, None])

    @property
    def largest(self) -> np.ndarray:
        """(T,): by lag 0..T-1 the largest singular value of ds_T/ds_{T-lag}, the geometric mean over the examples."""
        return self._over_lags(lambda values: values[:, 0])

    @property
    def median(self) -> np.ndarray:
        """(T,): the same of the median singular value; nan where it is below the precision for any example."""
        return self._over_lags(lambda values: np.median(values, axis=1))

    @property
    def smallest(self) -> np.ndarray:
        """(T,): the same of the smallest singular value."""
        return self._over_lags(lambda values: values[:, -1])

    @cached_property
    def exponents(self) -> np.ndarray:
        """(S,): the finite-time Lyapunov exponents ln(sigma_i)/(T-1) of ds_T/ds_1, descending, the mean over examples.

        Below 0 a change in that direction shrinks by exp(exponent) per step. They are those of the singular values at
        the last lag, and go on where these are below the precision: the product is taken apart by QR decompositions,
        so that small values do not drown in the large. -inf where units that are exactly 0 let nothing pass, nan where
        a Jacobian is singular within the precision, so that rounding leaves nothing, or if there is a single step.
        """
        count, batch, size, _ = self.one_step.shape
        if not count:
            return np.full(size, np.nan)
        values, scale = self._spectra[-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(values) + math.log(2) * scale[:, None]
        for b in range(batch):
            small = values[b] < self.precision * values[b, 0]
            if small.any():
                logs[b, small] = _log_singular(self.one_step[:, b], self.precision)[small]
        return np.mean(logs / count, axis=0)

    @cached_property
    def _spectra(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """By lag all singular values (B, S), the meaningless ones too, and the power of 2 to multiply them by (B,)."""
        products = _products(self.one_step[::-1])
        return [(_singular(product), exponent) for product, exponent in products]

    def _over_lags(self, pick: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        found = []
        for values, scale in self._spectra:
            picked = pick(values)
            picked = np.where(picked < self.precision * values[:, 0], np.nan, picked)
            with np.errstate(divide="ignore", over="ignore"):
                found.append(np.exp(np.mean(np.log(picked) + math.log(2) * scale)))
        return np.array(found)


def _times(values: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return values * np.exp2(exponent)


def _products(jacobians: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the identity, J_1, J_1 J_2, ..., each with the power of 2 taken out so that it never over- or underflows.

    Args:
        jacobians: (T-1, B, S, S).
    """
    _, batch, size, _ = jacobians.shape
    product: np.ndarray = np.broadcast_to(np.eye(size), (batch, size, size))
    scale = np.zeros(batch)
    yield product, scale
    for jacobian in jacobians:
        product = product @ jacobian
        exponent = np.frexp(np.abs(product).max(axis=(1, 2)))[1]
        product = np.ldexp(product, -exponent[:, None, None])
        scale = scale + exponent
        yield product, scale


def _log_singular(jacobians: np.ndarray, precision: float) -> np.ndarray:
    """Return ln of all singular values of J_n ... J_1, descending, however much smaller than the largest.

    Of the product itself only the largest are accurate. Starting from the directions in which these lie, QR
    decompositions J_k Q_{k-1} = Q_k R_k separate them from the rest: what is left is a smaller product, of the lower
    right blocks of the R_k.

    Args:
        jacobians: (T-1, S, S).
        precision: a Jacobian's singular values below it, relative to its largest, are not known.
    """
    size = jacobians.shape[-1]
    logs = np.full(size, np.nan)
    if not np.isfinite(jacobians).all():
        return logs
    each = np.linalg.svd(jacobians, compute_uv=False)
    unknown = int((each < precision * each[:, :1]).sum())
    dead = max(int((~jacobians.any(axis=axis)).sum(axis=1).max()) for axis in (1, 2))
    logs[size - dead :] = -np.inf
    done = 0
    while done < size - max(unknown, dead):
        *_, (product, scale) = _products(jacobians[::-1, None])
        _, values, directions = np.linalg.svd(product[0])
        accurate = int((values >= _ACCURATE * values[0]).sum())
        if not values[0]:
            break
        found = np.log(values[:accurate]) + math.log(2) * scale[0]
        logs[done : done + accurate] = found[: size - done]
        done += accurate
        q, blocks = directions.T, []
        for jacobian in jacobians:
            q, r = np.linalg.qr(jacobian @ q)
            blocks.append(r[accurate:, accurate:])
        jacobians = np.array(blocks)
    logs[size - max(unknown, dead) : size - dead] = np.nan
    return logs


def _singular(matrices: np.ndarray) -> np.ndarray:
    if np.isfinite(matrices).all():
        return np.linalg.svd(matrices, compute_uv=False)
    one_by_one = [
        np.linalg.svd(matrix, compute_uv=False) if np.isfinite(matrix).all() else np.full(len(matrix), np.nan)
        for matrix in matrices
    ]
    return np.stack(one_by_one)


def elman_bound(weight_hh: Any, steps: int, max_slope: float = 1.0) -> np.ndarray:
    """Return the bound (sigma_max(W_hh) * max phi')^lag of ds_T/ds_{T-lag} for lags 0..steps-1.

    It holds for the Elman cell h' = phi(W_ih x + W_hh h + b) alone (Pascanu, Mikolov & Bengio 2013).

    Args:
        weight_hh: W_hh (H, H), a tensor or an array.
        steps: T.
        max_slope: max phi', `nn.RNNCell.max_slope`: 1 for tanh, relu and the identity, 1/4 for the logistic function.

    Raises:
        ShapeError: the weight is not square.

    >>> from tinygrad_rnn.flow import elman_bound
    >>> elman_bound([[0.5, 0.0], [0.0, -0.25]], 3).tolist()
    [1.0, 0.5, 0.25]
    >>> elman_bound([[0.5, 0.0], [0.0, -0.25]], 3, max_slope=0.25).tolist()
    [1.0, 0.125, 0.015625]
    """
    weight = np.asarray(weight_hh.numpy() if isinstance(weight_hh, Tensor) else weight_hh, dtype=np.float64)
    if weight.ndim != 2 or weight.shape[0] != weight.shape[1]:
        raise ShapeError(f"elman_bound: W_hh must be square, (H, H), not {weight.shape}; only the Elman cell has one")
    return (max_slope * np.linalg.norm(weight, 2)) ** np.arange(steps)


def state_jacobians(x: Tensor, layer: int | None = None, reverse: bool = False) -> JacobianReport:
    """Measure the Jacobian of the state from each step to the next, behind a tensor that the steps have computed.

    The states are the outputs with that role in scopes t (see `Tensor.named`), so this works for a cell of one's own,
    too. It takes one walk per unit of the state and (T-1) * B * S * S * 8 bytes: for an LSTM with H = 64, 100 steps and
    4 examples 52 MB.
    The graph stays as it was.

    Args:
        x: losses, outputs or the last state. States are (B, S), or (S,) for a single example; examples must not mix.
        layer: of which the states are; the last unless given.
        reverse: of the direction that goes from the last position to the first.

    Raises:
        ShapeError: the states are empty.
        GraphError: there are no named states, no step reads that of the step before, examples mix, nothing requires
            grad, or backward() has freed the graph.
        InputError: x is no tensor, or there is no such layer or direction.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.flow import state_jacobians
    >>> w = tg.tensor([[0.5, 0.0], [1.0, 0.25]], requires_grad=True)
    >>> h = tg.ones(1, 2)
    >>> for t in range(3):
    ...     with tg.scope("t", t):
    ...         h = (h @ w.T).named("h")
    >>> report = state_jacobians(h)
    >>> report.one_step.shape, report.one_step[0, 0].tolist()
    ((2, 1, 2, 2), [[0.5, 0.0], [1.0, 0.25]])
    """
    if not isinstance(x, Tensor):
        raise InputError(f"state_jacobians: pass a tensor that the steps have computed, not a {type(x).__name__}")
    if not x.requires_grad:
        raise GraphError(
            "state_jacobians: the tensor does not require grad, so its graph was not recorded; create the parameters "
            "with requires_grad=True, and compute outside no_grad()"
        )
    lane = choose_lane(lanes_in(x.engine.topological([x.edge[0]])), layer, reverse, "state_jacobians")
    steps = lane.steps
    kinds = tuple(kind for kind, made in lane.states.items() if len(made) == len(steps))
    if not kinds:
        raise GraphError(f"state_jacobians: name the states of every step; of {len(steps)} steps some have only a part")
    states = [[lane.states[kind][step] for step in steps] for kind in kinds]
    shapes = [_shape_of(kind, edges) for kind, edges in zip(kinds, states, strict=True)]
    walker = _Walker(x, lane, states, steps)
    batch = shapes[0][0] if len(shapes[0]) > 1 else 1
    if batch > 1:
        _must_not_mix(walker, states, shapes)
    ends = list(accumulate([math.prod(shape) // batch for shape in shapes], initial=0))
    one_step = np.zeros((len(steps) - 1, batch, ends[-1], ends[-1]))
    for part, (edges, shape) in enumerate(zip(states, shapes, strict=True)):
        for row in range(ends[part], ends[part + 1]):
            seed = np.zeros((batch, ends[part + 1] - ends[part]), walker.dtype)
            seed[:, row - ends[part]] = 1.0
            for place, other, grad in walker.collected(edges[1:], seed.reshape(shape)):
                one_step[place, :, row, ends[other] : ends[other + 1]] = grad.reshape(batch, -1)
    precision = float(np.finfo(walker.dtype).eps)
    return JacobianReport(kinds, lane.layer, lane.direction, steps, one_step, precision, walker.notes)


def _shape_of(kind: str, states: list[Edge]) -> tuple[int, ...]:
    """Return the shape that one state has after every step."""
    shapes = {node.outputs[index].shape for node, index in states}
    if len(shapes) > 1:
        raise GraphError(f"state_jacobians: {kind} must have one shape after every step, not {sorted(shapes)}")
    (shape,) = shapes
    if not math.prod(shape):
        raise ShapeError(f"state_jacobians: the states are empty, {kind} of shape {shape}")
    return shape


def _must_not_mix(walker: _Walker, states: list[list[Edge]], shapes: list[tuple[int, ...]]) -> None:
    """Raise an error if the states of the first example depend on those of others in the step before."""
    for edges, shape in zip(states, shapes, strict=True):
        seed = np.zeros(shape, walker.dtype)
        seed[0] = 1.0
        others = [grad[1:] for _, _, grad in walker.collected(edges[1:], seed)]
        if any((np.isfinite(grad) & (grad != 0)).any() for grad in others):  # 0 times infinity is no sign of mixing
            raise GraphError(
                f"state_jacobians: the examples mix: the first axis of a state of shape {shape} must be that of the "
                "examples, (B, H) or (H,), and no step may compute across it"
            )


class _Walker(Observer):
    """Walks back from the states of all steps at once, and stops at the states of the step before.

    What goes from one step into a state of the step before is collected there, and goes no further. So the steps do
    not meet, although one walk serves them all.
    """

    def __init__(self, x: Tensor, lane: Lane, states: list[list[Edge]], steps: tuple[int, ...]) -> None:
        self.engine, self.device = x.engine, x.device
        self.states = states
        node, index = states[0][0]
        self.dtype = node.outputs[index].dtype
        self._place = {edge: i for edges in states for i, edge in enumerate(edges)}
        self._position = {step: i for i, step in enumerate(steps)}
        #: the nodes between the states, each after its inputs, and what becomes of the message to each of these
        self._fates: dict[Vertex, tuple[str, ...]] = {}
        self._left_out: set[str] = set()
        self._find_nodes(self.engine.topological({node for edges in states for node, _ in edges}))
        self.notes = tuple(f"{what}: the Jacobians leave out what goes that way" for what in sorted(self._left_out))
        if len(steps) > 1 and not any("collect" in fates for fates in self._fates.values()):
            raise GraphError(
                "state_jacobians: no step reads the named state of the step before; name the very tensor that the "
                "next step reads, h = f(h).named('h')" + "".join(f" ({what})" for what in sorted(self._left_out))
            )

    def _find_nodes(self, order: Iterable[Vertex]) -> None:
        """Sort out which nodes lie between a state and the one before, and which messages end where."""
        depends: set[Vertex] = set()  # on a state of this lane, in whatever step
        between: dict[Vertex, tuple[str, ...]] = {}
        for node in order:
            edges = node.parents or ()
            if any(edge in self._place or edge[0] in depends for edge in edges):
                depends.add(node)
                fates = tuple([self._fate(node, edge, depends, between) for edge in edges])
                if any(fates):
                    between[node] = fates
        self._fates = between

    def _fate(self, child: Vertex, edge: Edge, depends: set[Vertex], between: Container[Vertex]) -> str:
        """Return "collect", "pass" or "" for a message: end at the state before, go on, or be of no use."""
        parent = edge[0]
        here, there = step_of(child.scope), step_of(parent.scope)
        if parent.op_name is None or (here == there and here is not None):
            return "pass" if parent in between else ""
        if edge in self._place:
            if here is None or self._position.get(here, -1) == self._place[edge] + 1:
                return "collect"
            self._left_out.add("some steps read states from further back than the step before")
        elif there is None:
            return "pass" if parent in between else ""
        elif parent in depends:
            name = (parent.names or {}).get(edge[1])
            self._left_out.add(f"steps also read {name if name else f'an unnamed {parent.op_name}'} of other steps")
        return ""

    def receive(self, child: Vertex, position: int, edge: Edge, message: Any) -> None:
        fate = self._fates[child][position]
        if fate == "pass":
            self.sums.add(edge, message)
        elif fate == "collect":
            self._arrived.add(edge, message)

    def collected(self, edges: list[Edge], seed: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
        """Seed some states, and return what arrives at those of the step before: (place, part of the state, values)."""
        start = tensor(seed, device=self.device)
        self._arrived = self.engine.gather()
        self.engine.walk(list(self._fates), [(edge, start) for edge in edges], self)
        arrived = self._arrived
        totals = [
            (i, part, arrived.so_far(edge)) for part, edges in enumerate(self.states) for i, edge in enumerate(edges)
        ]
        return [(place, part, total.numpy()) for place, part, total in totals if total is not None]
