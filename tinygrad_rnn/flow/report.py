"""The report of a measurement: what was found, what it means, and what flow.json says about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tinygrad_rnn.engine.protocol import Scope
from tinygrad_rnn.flow.paths import factors_of, gates_of, paths_of
from tinygrad_rnn.flow.records import (
    CarryFlow,
    EdgeFlow,
    FactorFlow,
    GateFlow,
    Horizon,
    NodeFlow,
    PathFlow,
    StateFlow,
    WeightFlow,
)


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
        """Return a node by its name; KeyError if none is called so."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"no node is called {name!r}; report.nodes lists them")

    # ---- on which ways it flows --------------------------------------------------------------------------------

    @cached_property
    def gates(self) -> tuple[GateFlow, ...]:
        """The values of the gates, per step; () without statistics."""
        return gates_of(self.nodes, self.states)

    @cached_property
    def paths(self) -> tuple[PathFlow, ...]:
        """What every named node sends to the states of the step before; () without links."""
        return paths_of(self.nodes, self.links, self.states)

    @cached_property
    def factors(self) -> tuple[FactorFlow, ...]:
        """The factors of the ops between a state and the one before, where there is a single way; else ()."""
        return factors_of(self.nodes, self.edges, self.states)

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
        """Return the flow of the cell's state of that name, such as "h" or "c", or None."""
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
        """Return G_{t-1} / G_t of a state of the cell for t = 2..T, how much is left after one more step back.

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
        for state in self.cell:
            if state.measurable:
                return f"{state.kind}_T", float(state.by_lag[0])
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
            "states": {state.kind: _plain(state.norms) for state in self.cell},
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
                    "states": {kind: _plain(norms) for kind, norms in kinds.items()},
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
