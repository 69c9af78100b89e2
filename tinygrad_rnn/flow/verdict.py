"""What became of the gradient in one lane: the states of one layer and direction of one part of a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_rnn.engine.protocol import Scope
from tinygrad_rnn.flow.decay import Decay
from tinygrad_rnn.flow.records import Horizon, StateFlow


@dataclass(frozen=True)
class LaneFlow:
    """The states of one lane, and what their sizes say.

    Attributes:
        states: one for each kind, such as h and c.
        threshold: the share of G_T below which a gradient counts as vanished.
        early: the kind and step of a state that the losses reach without passing a later one; None if there is none.
    """

    states: tuple[StateFlow, ...]
    threshold: float
    early: tuple[str, int] | None = None

    @property
    def layer(self) -> int:
        """The number of the layer."""
        return self.states[0].layer

    @property
    def direction(self) -> str:
        """ "forward" or "reverse"."""
        return self.states[0].direction

    @property
    def scope(self) -> Scope:
        """Where the steps lie."""
        return self.states[0].scope

    @property
    def part(self) -> str:
        """What the scopes around the layers say, such as "encoder"; "" if they say nothing."""
        return " ".join(
            name if index is None else f"{name} {index}"
            for name, index in self.scope
            if name not in ("layer", "reverse")
        )

    @property
    def horizon(self) -> Horizon:
        """The longest over the kinds of states: how far back the gradient is felt."""

        def reach(state: StateFlow) -> tuple[bool, float, float]:
            lag = state.horizon(self.threshold)
            return state.measurable, math.inf if lag is None else lag, state.relative(len(state.norms) - 1) or 0.0

        longest = max(self.states, key=reach)
        return Horizon(self.threshold, longest.kind, longest.horizon(self.threshold))

    @property
    def furthest(self) -> StateFlow:
        """The state that has this horizon."""
        return next(state for state in self.states if state.kind == self.horizon.state)

    @property
    def explodes_at(self) -> int | None:
        """The first lag at which a state has more than 100 times its gradient at the last step."""
        return min((lag for state in self.states if (lag := state.explodes_at) is not None), default=None)

    @property
    def largest(self) -> float | None:
        """The gradient of any state where it is largest, relative to that at the last step; None without one."""
        known = [float(state.by_lag.max() / state.by_lag[0]) for state in self.states if state.measurable]
        return max(known, default=None)

    @property
    def decay(self) -> Decay | None:
        """How fast the gradient of the state with the longest horizon changes from step to step."""
        return self.furthest.decay(self.threshold)

    @property
    def verdict(self) -> str:
        """One of "withheld", "nonfinite", "zero", "explodes", "vanishes" and "survives"."""
        if self.withheld is not None:
            return "withheld"
        if not all(np.isfinite(state.norms).all() for state in self.states):
            return "nonfinite"
        if all(state.by_lag[0] == 0 for state in self.states):
            return "zero"
        if self.explodes_at is not None:
            return "explodes"
        return "survives" if self.horizon.steps is None else "vanishes"

    @property
    def withheld(self) -> str | None:
        """Why there is no verdict, and what to do; None if there is one."""
        if len(self.states[0].steps) < 2:
            return "there is a single step, so there is nothing to compare: unroll at least 2 steps"
        if self.early is None:
            return None
        kind, step = self.early
        later = "an earlier" if self.direction == "reverse" else "a later"
        return (
            f"the losses reach {kind} of step {step} without passing the state of {later} step, so its gradient is not "
            "only what was carried back through time: measure one loss that reads the last state alone (what others "
            "read at every step, by attention or in the other direction, has no verdict)"
        )


def places(lanes: Sequence[LaneFlow]) -> list[str]:
    """Return what tells lanes apart, in words: "encoder layer 0 reverse"; "" for a single one."""
    words = [
        (lane.part, f"layer {lane.layer}", lane.direction)
        for lane in lanes
    ]  # fmt: skip
    telling = [len(set(column)) > 1 for column in zip(*words, strict=True)]
    return [" ".join(word for word, tells in zip(each, telling, strict=True) if tells and word) for each in words]
