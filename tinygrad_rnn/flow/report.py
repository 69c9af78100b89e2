"""The report of a measurement: what was found, what it means, and what flow.json says about it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from tinygrad_rnn.engine.protocol import Scope
from tinygrad_rnn.flow.decay import Decay
from tinygrad_rnn.flow.paths import factors_of, gates_of, paths_of, rounds_of, squashes_of
from tinygrad_rnn.flow.records import (
    CarryFlow,
    EdgeFlow,
    FactorFlow,
    GateFlow,
    Horizon,
    NodeFlow,
    PathFlow,
    RemedyFlow,
    SquashFlow,
    StateFlow,
    WeightFlow,
)
from tinygrad_rnn.flow.survey import lane_of
from tinygrad_rnn.flow.underflow import Underflow, underflow_of
from tinygrad_rnn.flow.verdict import LaneFlow, places
from tinygrad_rnn.flow.why import Cause, causes_of, unit_means


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
    #: By lane a state that the losses reach without passing a later one of any lane: its kind and step.
    early: Mapping[Scope, tuple[str, int]] = field(default_factory=dict)
    nonfinite: str | None = None  # which value or gradient is the first that is NaN or infinite, in words
    # What `beside` adds, for those that know the model:
    remedies: tuple[RemedyFlow, ...] = ()  # what changes to the cell would do to the gradient
    sigma_max: tuple[tuple[str, float], ...] = ()  # the largest singular value of each recurrent weight, by its name
    before: FlowReport | None = None  # the same model before it was trained

    def __repr__(self) -> str:
        horizon = self.horizon
        found = f"verdict={self.verdict!r}, horizon={horizon.steps} ({horizon.state})" if horizon else "no states"
        return f"FlowReport({len(self.steps)} steps, batch={self.batch}, loss={self.loss:.4g}, {found})"

    def _repr_html_(self) -> str | None:
        return None if FlowReport.shown_as is None else FlowReport.shown_as(self)

    def beside(self, **known: Any) -> Self:
        """Return this report with what else is known: `remedies`, `sigma_max`, `before`."""
        found = copy.copy(self)
        vars(found).update(known)  # past the setters, which refuse: a report is frozen
        return found

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
    def rounds(self) -> tuple[PathFlow, ...]:
        """What named nodes of a state's own step send to it, the h of an LSTM to its c; () without links.

        `child` and `parent` lie in the same step. Together with `paths` it is all that arrives at a state, but for what
        comes from other lanes and from the losses.
        """
        return rounds_of(self.nodes, self.links, self.states)

    @cached_property
    def factors(self) -> tuple[FactorFlow, ...]:
        """The factors of the ops between a state and the one before, where there is a single way; else ()."""
        return factors_of(self.nodes, self.edges, self.states)

    @cached_property
    def squashes(self) -> tuple[SquashFlow, ...]:
        """What squashes a state where its own step reads it, as tanh(c) in the h of an LSTM; () without statistics."""
        return squashes_of(self.nodes, self.edges)

    @cached_property
    def underflow(self) -> Underflow:
        """Which gradients are 0 only because they were too small for the dtype."""
        return underflow_of(self.nodes, self.edges or self.links)

    # ---- the cell: the states of the last layer, forward in time -----------------------------------------------

    @cached_property
    def lanes(self) -> tuple[LaneFlow, ...]:
        """The states by layer and direction, as they were computed: what each says about its own gradient."""
        lanes: dict[Scope, list[StateFlow]] = {}
        for state in self.states:
            lanes.setdefault(state.scope, []).append(state)
        return tuple(LaneFlow(tuple(states), self.threshold, self.early.get(at)) for at, states in lanes.items())

    @property
    def _cell(self) -> LaneFlow | None:
        """That of the last layer, in the forward direction unless there is none."""
        latest = reversed(self.lanes)  # of equals, what was computed last, such as a decoder after its encoder
        return max(latest, key=lambda lane: (lane.direction == "forward", lane.layer), default=None)

    @property
    def cell(self) -> tuple[StateFlow, ...]:
        """The states of the last layer, in the forward direction unless there is none."""
        return self._cell.states if self._cell else ()

    def causes(self, lane: LaneFlow | None = None) -> tuple[Cause, ...]:
        """Return by which factors, and in which units, the gradient of each state of a lane is carried back.

        Args:
            lane: the cell unless given.
        """
        lane = lane or self._cell
        if lane is None:
            return ()
        flows = self.factors, self.carries, self.paths, self.gates, self.squashes
        return causes_of(lane, *flows, self._read_at_once(lane))

    def _read_at_once(self, lane: LaneFlow) -> dict[str, list[str]]:
        """Return what reads each kind of state in its own step, such as the h of an LSTM its c; through links only."""
        found: dict[str, dict[str, None]] = {}
        for link in self.links:
            child, parent = self.nodes[link.child], self.nodes[link.parent]
            of_lane = parent.role == "state" and parent.label is not None and lane_of(parent.scope) == lane.scope
            if of_lane and child.step == parent.step and child.label and link.norm:
                found.setdefault(str(parent.label), {})[child.label] = None
        return {kind: list(readers) for kind, readers in found.items()}

    def place(self, flow: StateFlow | LaneFlow) -> str:
        """Return what tells the layer and direction of something apart, "encoder layer 1"; "" if there is one only."""
        return next(
            (words for lane, words in zip(self.lanes, places(self.lanes), strict=True) if lane.scope == flow.scope), ""
        )

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
        return self._cell.horizon if self._cell else None

    @property
    def explodes_at(self) -> int | None:
        """The first lag at which a state of the cell has more than 100 times its gradient at the last step."""
        return self._cell.explodes_at if self._cell else None

    @property
    def largest(self) -> float | None:
        """The gradient of any state of the cell where it is largest, relative to that at the last step."""
        return self._cell.largest if self._cell else None

    @property
    def decay(self) -> Decay | None:
        """How fast the cell's gradient changes from step to step, of the state with the longest horizon."""
        return self._cell.decay if self._cell else None

    @property
    def verdict(self) -> str | None:
        """One of "withheld", "nonfinite", "zero", "explodes", "vanishes" and "survives"; None without named states.

        It speaks of the cell, and is withheld if the losses reach any lane's states other than from the last.
        """
        if self._cell is None:
            return None
        return "withheld" if self._withheld else self._cell.verdict

    @property
    def verdict_reason(self) -> str | None:
        """Why there is no verdict, or where it began that numbers are not finite, and what to do; else None."""
        if self._cell is None or self.verdict not in ("withheld", "nonfinite"):
            return None
        return self._withheld or self.nonfinite or "some gradients are NaN or infinite"

    @property
    def _withheld(self) -> str | None:
        if self._cell is None:
            return None
        if self._cell.withheld:
            return self._cell.withheld
        for lane in self.lanes:
            if lane.early and lane.withheld:
                place = self.place(lane)
                return f"{place}: {lane.withheld}" if place else lane.withheld
        return None

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
        """Return what flow.json says about the graph: numbers that are not finite are None, which "status" tells.

        Sizes are by step, in ascending order; lags count from the last step taken. "verdict" and what stands beside it
        are about the cell. "sigma_max" is the largest singular value of each recurrent weight, "remedies" what each of
        the changes that the cell suggests would do to the gradient, measured (see `RemedyFlow`). Of each layer and
        direction "layers" has besides, by kind of state:

        - "part", the scopes around it, such as "encoder";
        - "per_step": (G_{T-d} / G_T)^(1/d), d the horizon, else T-1; "line": the factor of the line that fits, or None;
        - "zero_at", "underflows_at": the first lag at which G is exactly 0, or too small for its dtype;
        - "why": over the same d lags "left", G_{T-d} / G_T; "shares", by what reads the state in the next step the mean
          share of what arrives at the state; "straight", the mean factor of the way from the next state past the gates;
          "factors", that of each op of a single path; "rule", how the state is made; "gate", "gate_mean", "gate_units"
          and "gate_alone": what the gate that multiplies the state lets through per step, in the mean and unit by unit,
          and what it alone would leave;
          "carriers", "carriers_mean": the fewest units that have four fifths of G^2 in the mean, and what that gate
          lets through there in the mean; and of each gate the "mean" of its values and the means of its "units".
        """
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
            "horizon": horizon and _horizon(horizon),
            "verdict": self.verdict,
            "verdict_reason": self.verdict_reason,
            "explodes_at": self.explodes_at,
            "per_step": _plain(self.decay and self.decay.per_step),
            "layers": [_lane(lane) | {"why": self._why(lane)} for lane in self.lanes],
            "sigma_max": {name: _plain(size) for name, size in self.sigma_max},
            "remedies": [_remedy(remedy) for remedy in self.remedies],
        }

    def _why(self, lane: LaneFlow) -> dict[str, Any]:
        """Return what flow.json says about the causes; of units there is something with statistics only."""
        gates = {gate.label: gate for gate in self.gates if gate.scope == lane.scope}
        return {
            "gates": {
                label: {"mean": _plain(float(np.mean(gate.mean))), "units": _plain(unit_means(gate))}
                for label, gate in gates.items()
            },
            "states": {
                cause.kind: {
                    "lag": cause.lag,
                    "left": _plain(cause.measured),
                    "shares": {child: _plain(share) for child, share in cause.shares},
                    "straight": _plain(cause.straight),
                    "factors": [{"op": op, "per_step": _plain(size)} for op, size in cause.factors],
                    "gate": cause.gate,
                    "rule": cause.rule,
                    "gate_mean": _plain(cause.gate_mean),
                    "gate_units": _plain(cause.gate_units),
                    "gate_alone": _plain(cause.gate_alone),
                    "carriers": cause.carriers and list(cause.carriers),
                    "carriers_mean": _plain(cause.carriers_mean),
                }
                for cause in self.causes(lane)
            },
        }


def _lane(lane: LaneFlow) -> dict[str, Any]:
    """Return what flow.json says about the states of one layer and direction."""
    kinds = {state.kind: state for state in lane.states}
    norms = {kind: _plain(state.norms) for kind, state in kinds.items()}
    decays = {kind: state.decay(lane.threshold) for kind, state in kinds.items()}
    return {
        "layer": lane.layer,
        "direction": lane.direction,
        "part": lane.part,
        "hidden_grad": norms.get("h"),
        "cell_grad": norms.get("c"),
        "states": norms,
        "horizon": _horizon(lane.horizon),
        "verdict": lane.verdict,
        "explodes_at": lane.explodes_at,
        "per_step": {kind: _plain(decay and decay.per_step) for kind, decay in decays.items()},
        "line": {kind: _plain(decay and decay.line) for kind, decay in decays.items()},
        "zero_at": {kind: state.zero_at for kind, state in kinds.items()},
        "underflows_at": {kind: state.underflows_at for kind, state in kinds.items()},
    }


def _remedy(remedy: RemedyFlow) -> dict[str, Any]:
    """Return a change of the cell as flow.json has it."""
    numbers = {name: _plain(getattr(remedy, name)) for name in ("per_step", "left", "loss", "largest")}
    factors = [{"op": op, "per_step": _plain(size)} for op, size in remedy.factors]
    return asdict(remedy) | numbers | {"factors": factors}


def _horizon(horizon: Horizon) -> dict[str, Any]:
    return {"threshold": horizon.threshold, "state": horizon.state, "steps": horizon.steps}


def _plain(value: Any) -> Any:
    """Return numbers as JSON can hold them."""
    if value is None:
        return None
    if isinstance(value, np.ndarray):
        return [_plain(number) for number in value]
    return float(value) if math.isfinite(value) else None
