"""What a report of gradient flow consists of: plain records of nodes, edges, states, parameters and paths.

L_b is the loss of example b, of B; "the loss" is L = mean_b L_b. The size of a gradient is

- at a node n: sqrt(mean_b ||dL_b/dn||^2), and at a parameter W: ||dL/dW||;
- along an edge: the norm of the message its child sends, before the parent sums, on the scale of the parent.

Parameters are the leaves that require grad; what is computed from them alone (W.T, b_ih + b_hh) is measured like them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygrad_rnn.engine.protocol import Scope
from tinygrad_rnn.flow.decay import Decay, decay_of

#: A gradient that grew to this many times its size at the last step is called exploding.
EXPLODED = 100.0


@dataclass(frozen=True)
class Statistics:
    """What many numbers are like; `low` and `high` are their 10% and 90% quantiles."""

    mean: float
    std: float
    low: float
    high: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class NodeFlow:
    """One node of the graph, with the size of its gradient (over all its outputs; None: not computed)."""

    name: str  # unique and the same in every run, like "t3_forget_gate_f"
    label: str | None  # what `named` called it
    role: str | None  # "state" or "gate"
    op: str | None  # None for a leaf
    scope: Scope
    step: int | None  # of time; for data, that of the only step that reads it
    shape: tuple[int, ...]
    requires_grad: bool
    parameter: bool
    constants: tuple[tuple[int, float], ...]  # the inputs that are Python numbers: (position, value)
    norm: float | None
    value: float | None  # if it is a single number; then also
    gradient: float | None  # with its sign
    values: Statistics | None = None  # over all elements and examples, of the first output; if asked for
    gradients: Statistics | None = None  # the same of dL_b/dn; of dL/dW at a parameter; None with several outputs
    batch_free: bool = False  # computed from parameters alone: its gradient is measured like theirs
    units: tuple[float, ...] | None = None  # if asked for, of each unit over the examples: of a gate the mean, of a
    # state the root mean square
    slopes: tuple[float, ...] | None = None  # of tanh or sigmoid of a state: of each unit the mean of its derivative


@dataclass(frozen=True)
class EdgeFlow:
    """The message from a child to the parent it read, both as positions in the list of nodes.

    `position` is which input of the child it is; None for the sum over all paths that lead through unnamed nodes.
    `share` is which share it is of what arrives at the parent: sum_b <m_b, g_b> / sum_b ||g_b||^2 for the messages m_b
    into a node with gradients g_b. Those into one node sum to 1; that of a message against the sum is negative. None
    where g is 0 or not finite, and where more than eight messages arrive at a node that are not slices of it, as from
    every step at a weight: they would all have to be kept.
    """

    child: int
    position: int | None
    parent: int
    norm: float | None
    requires_grad: bool
    share: float | None = None


@dataclass(frozen=True)
class StateFlow:
    """G_t of one kind of state, such as "h" or "c", in one layer and direction, over the steps in ascending order."""

    kind: str
    layer: int
    direction: str  # "forward" or "reverse"
    scope: Scope  # where the steps lie
    steps: tuple[int, ...]
    norms: np.ndarray
    dtype: str = "float64"  # of the gradients: below its smallest normal number sizes lose their digits
    units: np.ndarray | None = None  # (T, H): sqrt(mean_b (dL_b/dk)^2) of each unit; None without statistics

    @property
    def by_lag(self) -> np.ndarray:
        """G from the last step taken back to the first: element d is G_{T-d}."""
        return self.norms if self.direction == "reverse" else self.norms[::-1]

    def relative(self, lag: int) -> float | None:
        """Return G_{T-lag} / G_T; None if there are not so many steps, or no gradient at the last."""
        norms = self.by_lag
        if not 0 <= lag < len(norms) or norms[0] == 0:
            return None
        return float(norms[lag] / norms[0])

    def horizon(self, threshold: float) -> int | None:
        """Return the smallest lag d with G_{T-d} < threshold * G_T, or None."""
        norms = self.by_lag
        return _first(norms < threshold * norms[0]) if self.measurable else None

    @property
    def explodes_at(self) -> int | None:
        """The smallest lag at which G is more than 100 times G_T, or None."""
        return _first(self.by_lag > EXPLODED * self.by_lag[0]) if self.measurable else None

    @property
    def measurable(self) -> bool:
        """Whether there is a gradient at the last step to compare with."""
        return bool(len(self.norms)) and bool(np.isfinite(self.by_lag[0])) and bool(self.by_lag[0] > 0)

    def decay(self, threshold: float) -> Decay | None:
        """Return the factor per step down to the horizon, or over all lags if there is none."""
        lag = self.horizon(threshold)
        return decay_of(self.by_lag, len(self.norms) - 1 if lag is None else lag, self._smallest)

    @property
    def underflows_at(self) -> int | None:
        """The first lag at which G is too small for the dtype: from there on it has lost digits, or is 0 for that.

        A 0 counts as such if G fell to it by a factor seen before, or from a size that has lost digits already.
        """
        sizes = self.by_lag
        small = _first(sizes < self._smallest)
        if small is None or sizes[small] > 0:
            return small
        if small < 2:  # no factor has been seen
            return None
        expected = sizes[small - 1] / sizes[small - 2] * sizes[small - 1]
        return small if expected < self._smallest else None

    def underflows(self, lag: int) -> bool:
        """Whether a 0 at this lag is only what was too small for the dtype."""
        return self.by_lag[lag] == 0 and self.underflows_at is not None and lag >= self.underflows_at

    @property
    def zero_at(self) -> int | None:
        """The first lag at which G is exactly 0, and not for being too small: no path carries a gradient there."""
        zero = _first(self.by_lag == 0)
        return zero if self.underflows_at is None or (zero is not None and zero < self.underflows_at) else None

    def unit_shares(self, lag: int) -> np.ndarray | None:
        """Return (H,), which share of G^2 each unit has: the mean over the first `lag` lags, from 0.

        Lags without a gradient do not count. None where the units were not measured, or none has a finite gradient.
        """
        if self.units is None:
            return None
        rows = (self.units if self.direction == "reverse" else self.units[::-1])[:lag]
        largest = rows.max(axis=1, initial=0.0)  # taken out, or small squares would underflow
        fine = (largest > 0) & (largest < np.inf)
        if not fine.any():
            return None
        squares = (rows[fine] / largest[fine, None]) ** 2
        return np.asarray((squares / squares.sum(axis=1, keepdims=True)).mean(axis=0))

    def carriers(self, lag: int, share: float = 0.8) -> tuple[int, ...] | None:
        """Return the fewest units that together have this share of G^2 in the mean over the first `lag` lags.

        The largest first. None where that is not known.
        """
        shares = self.unit_shares(lag)
        if shares is None:
            return None
        order = np.argsort(-shares, kind="stable")
        count = int(np.searchsorted(np.cumsum(shares[order]), share * shares.sum())) + 1
        return tuple(int(unit) for unit in order[:count])

    @property
    def _smallest(self) -> float:
        return float(np.finfo(self.dtype).smallest_normal)


def _first(found: np.ndarray) -> int | None:
    return int(found.argmax()) if found.any() else None


@dataclass(frozen=True)
class WeightFlow:
    """What each step contributes to the gradient of a parameter: dL/dW = sum_t (dL/dW)_t.

    `per_step` holds the norms ||(dL/dW)_t|| over the report's steps, `running` those of the sum of everything that
    arrived until then, in the order of the backward pass. Both are None if W is used outside any step.
    """

    node: int  # its position in the list of nodes
    per_step: np.ndarray | None
    running: np.ndarray | None
    total: float

    def steps_with(self, share: float, reverse: bool = False) -> int | None:
        """Return how many steps, counted from the loss, have this share of the sizes of all parts together.

        None without parts, or where they are 0 or not finite. Sizes do not add to that of the sum.
        """
        if self.per_step is None:
            return None
        sizes = np.cumsum(self.per_step if reverse else self.per_step[::-1])
        if not len(sizes) or not 0 < sizes[-1] < np.inf:
            return None
        return min(int(np.searchsorted(sizes, share * sizes[-1])) + 1, len(sizes))


@dataclass(frozen=True)
class Horizon:
    """How far back the gradient is felt: the longest lag over the cell's state kinds, and the kind that has it."""

    threshold: float
    state: str
    steps: int | None  # None: nowhere below the threshold


@dataclass(frozen=True)
class GateFlow:
    """The values of one named node of a cell that is no state: their mean and the band that holds 80% of them.

    Over all elements and all examples, per step. `low` and `high` are the 10% and 90% quantiles.
    """

    label: str  # what `named` called it: "f"
    name: str  # the innermost scope it lies in, "forget_gate", or its label
    layer: int
    direction: str  # "forward" or "reverse"
    scope: Scope
    steps: tuple[int, ...]
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    units: np.ndarray | None = None  # (T, H): the mean over the examples of each unit; what one mean over all hides


@dataclass(frozen=True)
class PathFlow:
    """What a named node of step t sends back to a state of the step before, per step t: norms[i] is of steps[i].

    The way from c to c is the LSTM's cell path, those from its gates to h the gate paths. The norms of contributions
    do not add up to the norm of their sum: they may point against each other, or at right angles. What adds up is
    `shares`, each the share of what arrives at the state; nan where there is none.
    """

    child: str  # in step t
    parent: str  # a state, in step t-1, or t+1 where the direction is "reverse"
    layer: int
    direction: str
    scope: Scope
    steps: tuple[int, ...]
    norms: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True)
class FactorFlow:
    """By how much one op of step t changes the size of the gradient on its way from a state to the one before.

    There is one for each op on the way, in the order in which the gradient meets them, and only where there is a
    single way, as in the Elman network: h_t = tanh(W x_t + W_hh h_{t-1}) has tanh, add and matmul. A product with a
    gate is called by it: s_t = f_t * s_{t-1} + ... has add and "gate f". If the loss is read at the last step only, the
    product of the factors of step t is G_{t-1} / G_t. nan where no gradient arrives.
    """

    kind: str  # "h"
    op: str
    layer: int
    direction: str
    scope: Scope
    steps: tuple[int, ...]
    factors: np.ndarray


@dataclass(frozen=True)
class SquashFlow:
    """What squashes a state where its own step reads it, such as the tanh(c) in the h of an LSTM.

    `slopes` (T, H) has the mean of its derivative over the examples, of each step and unit: 1 where a value is near 0,
    next to nothing where it is far from it, and what the loss would send by that way is lost there.
    """

    kind: str  # of the state: "c"
    op: str  # "tanh" or "sigmoid"
    scope: Scope
    steps: tuple[int, ...]
    slopes: np.ndarray


@dataclass(frozen=True)
class CarryFlow:
    """The gradient a state would have if only the path k_t = gate_t * k_{t-1} + ... carried it.

    norms[t] = sqrt(mean_b ||dL_b/dk_T * product of gate_s over s > t||^2): the forget gates f of the LSTM for its c,
    the update gates z of the GRU for its h. What is missing to the measured gradient comes through the other gates.
    `rule` is how the state is made, "f · c + i · g". `units` (T-1, H) is what each unit's gate lets through from one
    step to the one before, the geometric mean over the examples, the last step taken first. None where the gates are
    not (B, H).
    """

    kind: str  # "c"
    gate: str  # "f"; "1 - z" where a gate is used the other way round
    layer: int
    direction: str
    scope: Scope
    steps: tuple[int, ...]
    norms: np.ndarray
    units: np.ndarray | None = None
    rule: str = ""


@dataclass(frozen=True)
class RemedyFlow:
    """What the gradient does after a change to the cell and to nothing else, on the same examples.

    It says what becomes of the gradient, and not whether anything would be learned.

    Attributes:
        what: was changed, to stand after "with": "the bias of the forget gate f raised by 2".
        verdict: as a report's.
        state, horizon: the state whose gradient reaches furthest, and how far; None: beyond the first step.
        per_step, lag: its factor per step, and down to which lag; None without a gradient to compare with.
        left: of its gradient at the first step, relative to that at the last.
        loss: the mean of the losses with that change.
        largest: the gradient of any state of the cell where it is largest, relative to that at the last step.
        factors: by op, where a single way leads from step to step: the geometric mean of its factors over `lag` steps.
    """

    what: str
    verdict: str | None
    state: str | None
    horizon: int | None
    per_step: float | None
    lag: int | None
    left: float | None
    loss: float
    largest: float | None = None
    factors: tuple[tuple[str, float], ...] = ()
