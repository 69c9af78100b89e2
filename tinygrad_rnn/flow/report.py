"""What a measurement of gradient flow holds: plain numbers, from which every picture is drawn.

L_b is the loss of example b, of B; "the loss" is L = mean_b L_b. The size of a gradient is

- at a node n: sqrt(mean_b ||dL_b/dn||^2), and at a parameter W: ||dL/dW||;
- along an edge: the norm of the message its child sends, before the parent sums, on the scale of the parent.

Parameters are the leaves that require grad; what is computed from them alone (W.T, b_ih + b_hh) is measured like them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tinygrad_rnn.engine.graph import Scope
from tinygrad_rnn.flow.paths import CarryFlow, FactorFlow, GateFlow, PathFlow, factors_of, gates_of, paths_of

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


@dataclass(frozen=True)
class EdgeFlow:
    """The message from a child to the parent it read, both as positions in the list of nodes.

    `position` is which input of the child it is; None for the sum over all paths that lead through unnamed nodes.
    """

    child: int
    position: int | None
    parent: int
    norm: float | None
    requires_grad: bool


@dataclass(frozen=True)
class StateFlow:
    """G_t of one kind of state, "h" or "c", in one layer and direction, over the steps in ascending order."""

    kind: str
    layer: int
    direction: str  # "forward" or "reverse"
    scope: Scope  # where the steps lie
    steps: tuple[int, ...]
    norms: np.ndarray

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


@dataclass(frozen=True)
class Horizon:
    """How far back the gradient is felt: the longest lag over the cell's state kinds, and the kind that has it."""

    threshold: float
    state: str
    steps: int | None  # None: nowhere below the threshold


@dataclass(frozen=True, eq=False, repr=False)
class FlowReport:
    """The gradient flow of one graph: plain numbers, with no way back to the graph."""

    #: Set by viz when it is imported: a report as HTML, for notebooks; this floor cannot draw.
    shown_as: ClassVar[Callable[[FlowReport], str] | None] = None

    batch: int  # B
    loss: float  # L
    steps: tuple[int, ...]  # of time, in ascending order
    nodes: tuple[NodeFlow, ...]  # every node after its parents
    edges: tuple[EdgeFlow, ...]
    links: tuple[EdgeFlow, ...]  # between named nodes, whatever lies in between
    crossings: dict[tuple[int, int], float]  # (node, other step): all that this step sends back to it
    states: tuple[StateFlow, ...]
    weights: dict[str, WeightFlow]
    threshold: float
    notes: tuple[str, ...]  # what the graph lacks for a full report
    carries: tuple[CarryFlow, ...] = ()  # what the multiplicative paths alone would carry; () without statistics

    def __repr__(self) -> str:
        horizon = self.horizon
        found = f"verdict={self.verdict!r}, horizon={horizon.steps} ({horizon.state})" if horizon else "no states"
        return f"FlowReport({len(self.steps)} steps, batch={self.batch}, loss={self.loss:.4g}, {found})"

    def _repr_html_(self) -> str | None:
        return None if FlowReport.shown_as is None else FlowReport.shown_as(self)

    def node(self, name: str) -> NodeFlow:
        """Return a node by its name."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"no node is called {name!r}; report.nodes lists them")

    # ---- on which ways it flows --------------------------------------------------------------------------------

    @cached_property
    def gates(self) -> tuple[GateFlow, ...]:
        """The values of the gates, per step; () without statistics."""
        return gates_of(self)

    @cached_property
    def paths(self) -> tuple[PathFlow, ...]:
        """What every named node sends to the states of the step before; () without links."""
        return paths_of(self)

    @cached_property
    def factors(self) -> tuple[FactorFlow, ...]:
        """The factors of the ops between a state and the one before, where there is a single way; else ()."""
        return factors_of(self)

    # ---- the cell: the states of the last layer, forward in time -----------------------------------------------

    @property
    def cell(self) -> tuple[StateFlow, ...]:
        """The states of the last layer, in the forward direction unless there is none."""
        if not self.states:
            return ()
        latest = reversed(self.states)  # of equals, what was computed last, such as a decoder after its encoder
        last = max(latest, key=lambda state: (state.direction == "forward", state.layer))
        return tuple(state for state in self.states if state.scope == last.scope)

    def state(self, kind: str) -> StateFlow | None:
        """Return the flow of the cell's "h" or "c", or None."""
        return next((state for state in self.cell if state.kind == kind), None)

    @property
    def hidden_grad(self) -> np.ndarray | None:
        """G_t of h for t = 1..T."""
        state = self.state("h")
        return None if state is None else state.norms

    @property
    def cell_grad(self) -> np.ndarray | None:
        """G_t of c for t = 1..T."""
        state = self.state("c")
        return None if state is None else state.norms

    def attenuation(self, kind: str) -> np.ndarray | None:
        """Return G_{t-1} / G_t of the cell's "h" or "c" for t = 2..T, how much is left after one more step back.

        In the reverse direction G_{t+1} / G_t for t = 1..T-1. nan where there is no gradient at t; None without such a
        state.
        """
        state = self.state(kind)
        if state is None:
            return None
        here, there = (state.norms[1:], state.norms[:-1])
        if state.direction == "reverse":
            here, there = there, here
        with np.errstate(invalid="ignore"):
            return np.divide(there, here, out=np.full(len(here), np.nan), where=here != 0)

    @property
    def horizon(self) -> Horizon | None:
        """The longest horizon over the cell's state kinds; None without named states."""
        if not self.cell:
            return None

        def reach(state: StateFlow) -> tuple[bool, float, float]:
            lag = state.horizon(self.threshold)
            return state.measurable, math.inf if lag is None else lag, state.relative(len(state.norms) - 1) or 0.0

        longest = max(self.cell, key=reach)
        return Horizon(self.threshold, longest.kind, longest.horizon(self.threshold))

    @property
    def explodes_at(self) -> int | None:
        """The first lag at which a state of the cell has more than 100 times its gradient at the last step."""
        lags = [state.explodes_at for state in self.cell]
        return min((lag for lag in lags if lag is not None), default=None)

    @property
    def verdict(self) -> str | None:
        """One of "nonfinite", "zero", "explodes", "vanishes" and "survives"; None without named states."""
        if self.horizon is None:
            return None
        if not all(np.isfinite(state.norms).all() for state in self.cell):
            return "nonfinite"
        if all(state.by_lag[0] == 0 for state in self.cell):
            return "zero"
        if self.explodes_at is not None:
            return "explodes"
        return "survives" if self.horizon.steps is None else "vanishes"

    @property
    def reference(self) -> tuple[str, float]:
        """What pictures compare with: the gradient of the last state if there is one, else that of the loss itself."""
        for kind in ("h", "c"):
            state = self.state(kind)
            if state is not None and state.measurable:
                return f"{kind}_T", float(state.by_lag[0])
        return "L", 1.0

    # ---- as JSON -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """ "ok", or "nonfinite" if any number of the report is not finite."""
        arrays = [state.norms for state in self.states]
        arrays += [w.per_step for w in self.weights.values() if w.per_step is not None]
        numbers = [w.total for w in self.weights.values()] + [self.loss]
        fine = all(np.isfinite(array).all() for array in arrays) and bool(np.isfinite(numbers).all())
        return "ok" if fine else "nonfinite"

    def to_dict(self) -> dict[str, Any]:
        """Return what flow.json says about the graph: numbers that are not finite are None, which "status" tells."""
        horizon = self.horizon
        return {
            "status": self.status,
            "loss": _plain(self.loss),
            "hidden_grad": _plain(self.hidden_grad),
            "cell_grad": _plain(self.cell_grad),
            "weights": {
                name: {"per_step": _plain(weight.per_step), "total": _plain(weight.total)}
                for name, weight in self.weights.items()
            },
            "horizon": horizon and {"threshold": horizon.threshold, "state": horizon.state, "steps": horizon.steps},
            "verdict": self.verdict,
            "layers": [
                {
                    "layer": layer,
                    "direction": direction,
                    "hidden_grad": _plain(kinds.get("h")),
                    "cell_grad": _plain(kinds.get("c")),
                }
                for (_, layer, direction), kinds in self._lanes().items()
            ],
        }

    def _lanes(self) -> dict[tuple[Scope, int, str], dict[str, np.ndarray]]:
        lanes: dict[tuple[Scope, int, str], dict[str, np.ndarray]] = {}
        for state in self.states:
            lanes.setdefault((state.scope, state.layer, state.direction), {})[state.kind] = state.norms
        return lanes


def _plain(value: Any) -> Any:
    """Return numbers as JSON can hold them."""
    if value is None:
        return None
    if isinstance(value, np.ndarray):
        return [_plain(number) for number in value]
    return float(value) if math.isfinite(value) else None
