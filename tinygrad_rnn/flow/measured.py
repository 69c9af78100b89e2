"""The report of a measurement: what a walk noted, put beside what is known of the graph when somebody asks for it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tinygrad_rnn.engine.protocol import Scope
from tinygrad_rnn.flow.crossings import Crossing, crossing_messages
from tinygrad_rnn.flow.early import early_reads
from tinygrad_rnn.flow.links import Links
from tinygrad_rnn.flow.records import CarryFlow, EdgeFlow, NodeFlow, StateFlow, Statistics, WeightFlow
from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.shares import arriving, shares_of
from tinygrad_rnn.flow.survey import Facts, Survey, direction_of, in_order, innermost, lane_of, layer_of


@dataclass
class Notes:
    """What a walk noted, by the positions of nodes: norms of the gradients of sum_b L_b. None: not measured."""

    batch: int
    sizes: dict[tuple[int, int], float] = field(default_factory=dict)  # by node and output
    single: dict[int, float] = field(default_factory=dict)  # the gradients of single numbers, with their sign
    messages: dict[tuple[int, int], float] | None = None  # by child and place of the input
    crossings: dict[Crossing, float] | None = None  # of the sums of several messages
    shares: dict[tuple[int, int], float] = field(default_factory=dict)  # of messages, as inner products
    links: Links | None = None
    outside: set[int] = field(default_factory=set)  # parameters used outside any step
    per_step: dict[int, dict[int, float]] | None = None  # what each step contributes to a parameter
    running: dict[int, dict[int, float]] | None = None
    directions: dict[int, str] = field(default_factory=dict)  # in which a parameter's steps were taken
    values: dict[int, Statistics] = field(default_factory=dict)
    gradients: dict[int, Statistics] = field(default_factory=dict)
    first: set[int] = field(default_factory=set)  # the states that the losses reach without passing any other
    nonfinite: str | None = None
    unit_values: dict[int, np.ndarray] = field(default_factory=dict)  # of gates and states, over the examples
    unit_slopes: dict[int, np.ndarray] = field(default_factory=dict)  # of what squashes a state, over the examples
    unit_sizes: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)  # of states, by node and output
    complete: bool = True  # whether a gradient that was not noted is zero


class MeasuredFlow(FlowReport):
    """A report that works out its lists when they are first looked at, from plain facts and numbers."""

    _survey: Survey
    _noted: Notes

    def __init__(
        self, survey: Survey, noted: Notes, loss: float, threshold: float, carries: tuple[CarryFlow, ...] = ()
    ) -> None:
        given: dict[str, object] = {"batch": noted.batch, "loss": loss, "threshold": threshold, "carries": carries}
        given |= {"nonfinite": noted.nonfinite}
        vars(self).update(given, _survey=survey, _noted=noted)  # past the setters, which refuse: a report is frozen

    @cached_property
    def steps(self) -> tuple[int, ...]:
        return self._survey.steps

    # ---- sizes: what was noted, on the scale of the definitions ------------------------------------------------

    def _scale(self, i: int) -> float:
        """Return what turns the norm of d(sum_b L_b)/dn into the size of a gradient."""
        return self.batch if i in self._survey.batch_free else math.sqrt(self.batch)

    def _size(self, i: int) -> float | None:
        sizes = self._noted.sizes
        found = [sizes[i, index] for index in range(self._survey.entries[i].outputs) if (i, index) in sizes]
        if not found and not (self._noted.complete and self._survey.entries[i].requires_grad):
            return None
        return (found[0] if len(found) == 1 else math.hypot(*found)) / self._scale(i)

    def _message(self, child: int, place: int, parent: int) -> float | None:
        if self._noted.messages is None or not self._survey.entries[parent].requires_grad:
            return None
        return self._noted.messages.get((child, place), 0.0) / self._scale(parent)

    # ---- nodes and what passes between them --------------------------------------------------------------------

    @cached_property
    def nodes(self) -> tuple[NodeFlow, ...]:
        survey, noted = self._survey, self._noted
        return tuple(
            NodeFlow(
                name=survey.names[i],
                label=survey.leaf_names.get(i) or entry.label,
                op=entry.op,
                role=survey.role(i),
                scope=entry.scope,
                step=survey.step[i],
                shape=entry.shape,
                requires_grad=entry.requires_grad,
                parameter=i in survey.sources,
                constants=entry.constants,
                value=entry.value,
                norm=self._size(i),
                gradient=noted.single[i] / self._scale(i) + 0.0 if i in noted.single else None,  # no -0.0
                values=noted.values.get(i),
                gradients=noted.gradients.get(i),
                batch_free=i in survey.batch_free,
                units=tuple(noted.unit_values[i].tolist()) if i in noted.unit_values else None,
                slopes=tuple(noted.unit_slopes[i].tolist()) if i in noted.unit_slopes else None,
            )
            for i, entry in enumerate(survey.entries)
        )

    @cached_property
    def edges(self) -> tuple[EdgeFlow, ...]:
        entries = self._survey.entries
        return tuple(
            EdgeFlow(
                child,
                place,
                parent,
                self._message(child, place, parent),
                entries[parent].requires_grad,
                self._edge_shares.get((child, place)),
            )
            for child, entry in enumerate(entries)
            for place, parent, _ in entry.inputs
        )

    @cached_property
    def _edge_shares(self) -> dict[tuple[int, int], float]:
        """The shares of messages in the gradients of whole nodes, all outputs together."""
        messages, sizes = self._noted.messages, self._noted.sizes
        if messages is None:
            return {}
        found: dict[tuple[int, int], float] = {}
        for (parent, output), senders in arriving(self._survey).items():
            size = sizes.get((parent, output), 0.0)
            shares = shares_of(senders, messages, size, self._noted.shares)
            outputs = self._survey.entries[parent].outputs
            if outputs > 1:
                whole = math.hypot(*[sizes.get((parent, i), 0.0) for i in range(outputs)])
                part = (size / whole) ** 2 if 0 < whole < math.inf else math.nan
                shares = shares if size else dict.fromkeys(senders, 0.0)
                shares = {message: part * share for message, share in shares.items() if not math.isnan(part)}
            found.update(shares)
        return found

    @cached_property
    def links(self) -> tuple[EdgeFlow, ...]:
        entries, links = self._survey.entries, self._noted.links
        ends = [(child, at) for child in sorted(self._survey.anchors) for at in self._survey.direct_anchors(child)]
        senders: dict[int, list[int]] = {}
        for child, parent in ends:
            senders.setdefault(parent, []).append(child)
        shares = {parent: self._link_shares(parent, children) for parent, children in senders.items()}
        found = []
        for child, parent in ends:
            size = None
            if links is not None and entries[parent].requires_grad:
                size = links.sizes.get(child, {}).get(parent, 0.0) / self._scale(parent)
            found.append(EdgeFlow(child, None, parent, size, entries[parent].requires_grad, shares[parent].get(child)))
        return tuple(found)

    def _link_shares(self, parent: int, children: list[int]) -> dict[int, float]:
        """Return which share of a gradient each of the nodes brings that send it."""
        links = self._noted.links
        if links is None or not self._survey.entries[parent].requires_grad:
            return {}
        sizes = {child: links.sizes[child][parent] for child in children if parent in links.sizes.get(child, {})}
        taken = {child: links.shares[child][parent] for child in children if parent in links.shares.get(child, {})}
        return shares_of(children, sizes, (self._size(parent) or 0.0) * self._scale(parent), taken)

    @cached_property
    def crossings(self) -> dict[tuple[int, int], float]:
        messages, summed = self._noted.messages, self._noted.crossings
        if messages is None or summed is None:
            return {}
        found: dict[tuple[int, int], float] = {}
        for (parent, output, step), senders in crossing_messages(self._survey).items():
            size = summed.get((parent, output, step)) if len(senders) > 1 else messages.get(senders[0])
            if size is not None:
                size /= self._scale(parent)
                found[parent, step] = math.hypot(found.get((parent, step), 0.0), size)
        return found

    # ---- states ------------------------------------------------------------------------------------------------

    @cached_property
    def states(self) -> tuple[StateFlow, ...]:
        """G_t of the states, by where they lie; a step without one has no gradient there."""
        found: dict[Scope, dict[str, dict[int, float]]] = {}
        dtypes: dict[tuple[Scope, str], str] = {}
        units: dict[tuple[Scope, str], dict[int, np.ndarray]] = {}
        for i, entry, step in self._of_steps():
            for index, kind in sorted(self._survey.states_of(i)):
                sizes = found.setdefault(lane_of(entry.scope), {}).setdefault(kind, {})
                sizes[step] = self._noted.sizes.get((i, index), 0.0) / self._scale(i)
                dtypes[lane_of(entry.scope), kind] = str(entry.dtype)
                if (i, index) in self._noted.unit_sizes:
                    units.setdefault((lane_of(entry.scope), kind), {})[step] = self._noted.unit_sizes[i, index]
        flows = []
        for scope, kinds in found.items():
            steps = tuple(sorted({step for sizes in kinds.values() for step in sizes}))
            direction = direction_of(scope, list(next(iter(kinds.values()))))
            for kind in in_order(kinds):
                norms = np.array([kinds[kind].get(step, 0.0) for step in steps])
                each = _side_by_side(units.get((scope, kind), {}), steps)
                flows.append(
                    StateFlow(kind, layer_of(scope), direction, scope, steps, norms, dtypes[scope, kind], each)
                )
        return tuple(flows) if self._noted.complete else ()

    @cached_property
    def early(self) -> dict[Scope, tuple[str, int]]:
        return early_reads(self._survey, self.states, self._noted.first)

    def _of_steps(self) -> Iterator[tuple[int, Facts, int]]:
        """Yield every node that was computed in a step."""
        for i, entry in enumerate(self._survey.entries):
            step = self._survey.step[i]
            if step is not None and entry.op is not None:
                yield i, entry, step

    # ---- parameters --------------------------------------------------------------------------------------------

    @cached_property
    def weights(self) -> dict[str, WeightFlow]:
        survey, noted = self._survey, self._noted
        flows: dict[str, WeightFlow] = {}
        for leaf in survey.sources if noted.complete else ():
            if survey.entries[leaf].op is not None:
                continue
            name = survey.leaf_names.get(leaf, survey.names[leaf])
            if name in flows:  # another leaf has been given the same
                name = survey.names[leaf]
            per_step = running = None
            if noted.per_step is not None and noted.running is not None and leaf not in noted.outside and self.steps:
                per_step = self._over_steps(noted.per_step.get(leaf, {}))
                filled = _filled(noted.running.get(leaf, {}), self.steps, noted.directions.get(leaf, "forward"))
                running = self._over_steps(filled)
            flows[name] = WeightFlow(leaf, per_step, running, self._size(leaf) or 0.0)
        return flows

    def _over_steps(self, sizes: dict[int, float]) -> np.ndarray:
        return np.array([sizes.get(step, 0.0) for step in self.steps]) / self.batch

    # ---- what is missing ---------------------------------------------------------------------------------------

    @cached_property
    def notes(self) -> tuple[str, ...]:
        if not self._noted.complete:
            return ()
        if not self.steps:
            return ("no time steps: compute step t inside `with tg.scope('t', t):` to see the flow through time",)
        if not self.states:
            return (
                "no states: name what a step hands to the next, h.named('h') and for an LSTM c.named('c'), inside "
                "tg.scope('t', t); under any other name say s.named('s', role='state')",
            )
        made = Counter(
            (lane_of(entry.scope), step, kind)
            for i, entry, step in self._of_steps()
            for _, kind in self._survey.states_of(i)
        )
        twice = sorted({kind for (_, _, kind), count in made.items() if count > 1})
        if twice:
            return (
                f"several outputs are named {' and '.join(twice)!r} in one step, and only the last of them is "
                "followed: put each cell in a scope of its own, with tg.scope('layer', l), outside tg.scope('t', t)",
            )
        return tuple(
            f"the gate in scope {word!r} has no name, so its values are not shown: name what it computes inside that "
            f"scope, for example .named({word[0]!r}, role='gate')"
            for word in self._nameless_gates()
        )

    def _nameless_gates(self) -> list[str]:
        """Return the scopes inside steps that are called gates, and in which no gate has a name."""
        gates: dict[str, bool] = {}
        for i, entry, _ in self._of_steps():
            word = innermost(entry.scope)
            if word is not None and "gate" in word:
                gates[word] = gates.get(word, False) or self._survey.role(i) == "gate"
        return [word for word, named in gates.items() if not named]


def _side_by_side(units: dict[int, np.ndarray], steps: tuple[int, ...]) -> np.ndarray | None:
    """Return (T, H) with zeros at steps that got no gradient; None if nothing was measured, or H is not the same."""
    if len({len(row) for row in units.values()}) != 1:
        return None
    none = np.zeros_like(next(iter(units.values())))
    return np.array([units.get(step, none) for step in steps])


def _filled(running: dict[int, float], steps: tuple[int, ...], direction: str) -> dict[int, float]:
    """Return the norms of a running sum for all steps: one that contributes nothing leaves the sum as it was."""
    backward = steps if direction == "reverse" else steps[::-1]
    filled: dict[int, float] = {}
    sofar = 0.0
    for step in backward:
        sofar = filled[step] = running.get(step, sofar)
    return filled
