"""From a report to a picture: what is drawn at a level, which steps are shown and which are folded away."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import EdgeFlow, FlowReport, NodeFlow
from tinygrad_rnn.flow.survey import lane_of
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.folds import FOLDING, Folding, flags, folds
from tinygrad_rnn.viz.layout import place
from tinygrad_rnn.viz.links import telling_links
from tinygrad_rnn.viz.references import References
from tinygrad_rnn.viz.rolled import rolled
from tinygrad_rnn.viz.scale import DECADES, Scale
from tinygrad_rnn.viz.shapes import Arrow, Box, Picture

LEVELS = ("rolled", "cell", "ops")
#: With more nodes than this, gates and states are drawn alone unless asked otherwise.
MOST_OPS = 150


def picture(
    report: FlowReport,
    level: str | None = None,
    window: tuple[int, int] | None = None,
    decades: int = DECADES,
    folding: Mapping[str, Folding] = FOLDING,
    relative: bool = True,
) -> Picture:
    """Return a report as a picture, laid out.

    Args:
        report: of `gradient_flow`.
        level: "ops" for every operation, "cell" for named gates and states only, "rolled" for one step that stands for
            all; by size unless given.
        window: the steps A:B to draw, B not included; unless given, many steps are folded except both ends and where
            the verdict falls.
        decades: how far from the reference the scale of colours reaches on both sides, at least to its edges.
        folding: which steps are drawn where there are many, by level.
        relative: whether boxes of states have room for how much is left of the gradient at the last step.

    Raises:
        InputError: an unknown level, a window without steps, or "rolled" without time.
    """
    if level is None:
        named = any(node.label and node.op for node in report.nodes) and report.links
        level = "cell" if len(report.nodes) > MOST_OPS and named else "ops"
    if level not in LEVELS:
        raise InputError(f"draw: the level {level!r} is unknown; use one of {', '.join(LEVELS)}")
    folded = folds(report, level, window, folding)
    if decades < 1:
        raise InputError(f"draw: a scale of {decades} decades has no colours; use at least 1")
    references = References(report, Scale(report.threshold, decades))
    drawn = rolled(references) if level == "rolled" else _Unrolled(references, level, folded, relative).picture()
    place(drawn)
    return drawn


class _Unrolled:
    """Chooses the boxes, arrows and frames of the levels "cell" and "ops"."""

    def __init__(self, references: References, level: str, folds: list[tuple[int, int]], relative: bool) -> None:
        self.references, self.relative = references, relative
        self.report = report = references.report
        self.level = level
        self.taken = {node.name for node in report.nodes}
        self.folds = folds
        self.fold_of = {
            step: i for i, (first, last) in enumerate(folds) for step in report.steps if first <= step <= last
        }
        self.order = {step: position for position, step in enumerate(report.steps)}
        lanes = {words.lane(node) for node in report.nodes if node.step is not None and node.op is not None}
        self.many_lanes = len(lanes) > 1
        self.weights = {weight.node: weight for weight in report.weights.values()}
        self.edges: tuple[EdgeFlow, ...] = report.edges
        if level == "cell":
            reached = {link.child for link in report.links if link.norm != 0}
            self.edges = tuple(
                link for link in telling_links(report) if link.child not in reached or not self._far_and_zero(link)
            )
        self.readers: dict[int, set[int | None]] = {}  # in which steps (None: outside) a node is read
        for edge in self.edges:
            self.readers.setdefault(edge.parent, set()).add(report.nodes[edge.child].step)
        self.first: dict[tuple[int, int | None], int] = {}  # the first node that reads it, by step
        for edge in report.edges:
            key = edge.parent, report.nodes[edge.child].step
            self.first[key] = min(edge.child, self.first.get(key, edge.child))
        self.boxes: dict[str, Box] = {}
        self.copies: dict[tuple[int, int], str] = {}  # of nodes outside time, by the step that reads them

    def picture(self) -> Picture:
        for fold, steps in enumerate(self.folds):
            self._fold(fold, steps)
        for i in self._visible():
            if not self._repeated(i):
                self._box(i)
                continue
            for step in sorted(step for step in self.readers[i] if step is not None):
                if step not in self.fold_of:
                    self._box(i, step)
            if None in self.readers[i] or self.report.nodes[i].op is not None or i in self.weights:
                self._box(i)
        if self.level == "cell":
            self._shares()
        self._initial_states()
        boxes, arrows, marks = list(self.boxes.values()), self._arrows(), flags(self.report)
        timed, scale = bool(self.report.steps), self.references.scale
        return Picture(self.report, self.level, boxes, arrows, flags=marks, timed=timed, scale=scale)

    # ---- boxes -------------------------------------------------------------------------------------------------

    def _visible(self) -> list[int]:
        if self.level == "ops":
            return list(range(len(self.report.nodes)))
        ends = {end for edge in self.edges for end in (edge.child, edge.parent)}
        return sorted(ends | {len(self.report.nodes) - 1})

    def _far_and_zero(self, link: EdgeFlow) -> bool:
        """Whether nothing comes back from elsewhere: where steps are stacked and read singly, every step reads all."""
        head, tail = self.report.nodes[link.child].step, self.report.nodes[link.parent].step
        near = tail is None or (head is not None and abs(self.order[head] - self.order[tail]) <= 1)
        return link.norm == 0 and not near

    def _repeated(self, i: int) -> bool:
        """Whether a node outside time is read in several steps: it is drawn in each, or lines would cover the rest."""
        return self.report.nodes[i].step is None and len(self.readers.get(i, set()) - {None}) > 1

    def _box(self, i: int, step: int | None = None) -> None:
        """Draw a node, or its repetition in a step."""
        node = self.report.nodes[i]
        if node.step in self.fold_of:
            return
        weight = self.weights.get(i)
        norm, what = node.norm, "gradient"
        if step is not None and weight is not None and weight.per_step is not None:
            norm, what = float(weight.per_step[self.order[step]]), "contribution of this step to the gradient"
        is_root = i == len(self.report.nodes) - 1
        kind = words.kind(node, is_root)
        name = node.name
        if step is not None:
            kind = kind if kind == "parameter" else "copy"
            name = self.copies[i, step] = self._free_name(f"t{step}_{node.name}")
        elif kind == "parameter" and self._repeated(i):
            kind, what = "total", "gradient, the sum over all steps"
        at = node.step if step is None else step
        computed = node.op is not None and step is None
        reader = i if computed else self.first.get((i, at), i)
        caption = words.caption(node, self.level, is_root)
        seen = self.references.look(i, norm)
        lines = words.label(node, caption, norm, seen)
        if self.relative and kind == "state" and seen.share is not None and seen.against.endswith("_T"):
            lines[-1] += f" ({_percent(seen.share)})"
        self.boxes[name] = Box(
            name=name,
            kind=kind,
            node=i,
            step=at,
            caption=caption,
            lines=tuple(lines),
            norm=norm,
            seen=seen,
            tooltip=words.about(node, f"{what}: {words.size(norm, seen)}"),
            row=words.row(node) if at is not None or kind == "total" else None,
            lane=words.lane(self.report.nodes[reader]) if self.many_lanes and at is not None else "",
            level=words.fill_level(node),
            order=i if computed else reader - 0.5,
        )

    def _shares(self) -> None:
        """Draw what each step contributes to the parameters; what reads them is not drawn at this level."""
        for i, weight in self.weights.items():
            if weight.per_step is not None and len(self.report.steps) > 1:
                steps = [step for step in self.report.steps if (i, step) in self.first] or self.report.steps
                self.readers[i] = set(steps)
                for step in steps:
                    if step not in self.fold_of and len(steps) > 1:
                        self._box(i, step)
                self._box(i)

    def _initial_states(self) -> None:
        """Put data that one step alone reads, such as h0, beside the steps instead of into the frame of the first."""
        rows = Counter(box.row for box in self.boxes.values() if box.step is not None)
        if len(self.report.steps) - len(self.fold_of) > 1:
            for box in self.boxes.values():
                if box.kind == "input" and box.step is not None and rows[box.row] == 1:
                    box.step = box.row = None
                    box.lane = ""

    def _free_name(self, name: str) -> str:
        while name in self.taken:
            name += "_copy"
        return name

    def _fold(self, fold: int, steps: tuple[int, int]) -> None:
        lines = words.folded(self.report, *steps)
        state = next((state for state in self.report.cell if steps[1] in state.steps), None)
        norm = None if state is None else float(state.norms[state.steps.index(steps[1])])
        size = float(state.by_lag[0]) if state is not None and state.measurable else self.references.whole[1]
        self.boxes[f"fold{fold}"] = Box(
            name=f"fold{fold}",
            kind="fold",
            node=None,
            step=None,
            caption=lines[0],
            lines=tuple(lines),
            norm=norm,
            seen=self.references.scale.look(norm, True, size),
            tooltip="\n".join(lines),
            fold=steps,
        )

    # ---- arrows ------------------------------------------------------------------------------------------------

    def _arrows(self) -> list[Arrow]:
        """Return the arrows; several between a fold and a box become one, whose size is theirs together."""
        found: dict[tuple[str, str, str | None, str | None, int | None], list[EdgeFlow]] = {}
        for edge in self.edges:
            child, parent = self.report.nodes[edge.child], self.report.nodes[edge.parent]
            head, head_row = self._end(child, child.step, child.name)
            if self._repeated(edge.parent) and child.step is not None:
                name = self.copies.get((edge.parent, child.step), "")
                tail, tail_row = self._end(parent, child.step, name)
            else:
                tail, tail_row = self._end(parent, parent.step, parent.name)
            if tail != head:
                number = edge.position if tail_row is None and head_row is None else None  # x * x has two arrows
                found.setdefault((tail, head, tail_row, head_row, number), []).append(edge)
        leaving = Counter(tail for tail, *_ in found)
        return [self._arrow(*key[:4], edges, leaving[key[0]] == 1) for key, edges in found.items()]

    def _end(self, node: NodeFlow, step: int | None, name: str) -> tuple[str, str | None]:
        """Return the box at the end of an arrow, and the row if it is a fold."""
        return (f"fold{self.fold_of[step]}", words.row(node)) if step in self.fold_of else (name, None)

    def _arrow(
        self, tail: str, head: str, tail_row: str | None, head_row: str | None, edges: list[EdgeFlow], alone: bool
    ) -> Arrow:
        norms = [edge.norm for edge in edges if edge.norm is not None]
        norm = (norms[0] if len(norms) == 1 else math.hypot(*norms)) if norms else None
        what = "message" if len(edges) == 1 else f"{len(edges)} messages"
        seen = self.references.message(edges, norm)
        share, ratio = self._share(self.boxes[tail], edges, alone), self._factor(edges)
        text = f"{what} from {self._called(head)} to {self._called(tail)}: {words.size(norm, seen)}"
        text += words.further(share, self._called(tail), ratio)
        label = words.factor(ratio) if ratio is not None and self._carries(edges) else ""
        return Arrow(tail, head, norm, seen, text, share, label, tail_row=tail_row, head_row=head_row)

    def _share(self, tail: Box, edges: list[EdgeFlow], alone: bool) -> float | None:
        """Return which share of what arrives at a box an arrow brings; at a parameter's, of what its step adds."""
        if tail.kind == "parameter" and tail.step is not None:
            return 1.0 if alone and edges[0].norm else None
        shares = [edge.share for edge in edges if edge.share is not None]
        if len(shares) < len(edges) or len({edge.parent for edge in edges}) > 1:
            return None
        return math.fsum(shares)

    def _factor(self, edges: list[EdgeFlow]) -> float | None:
        """Return by which factor an edge changes the size of the gradient that it comes from."""
        child, parent = self.report.nodes[edges[0].child], self.report.nodes[edges[0].parent]
        sent = edges[0].norm
        if len(edges) > 1 or edges[0].share is None or parent.batch_free or not sent or not child.norm:
            return None
        return sent / child.norm

    def _carries(self, edges: list[EdgeFlow]) -> bool:
        """Whether an edge leads from a state to the same state of another step, past everything else."""
        child, parent = self.report.nodes[edges[0].child], self.report.nodes[edges[0].parent]
        if self.level != "cell" or not child.role == parent.role == "state" or child.step == parent.step:
            return False
        return (child.label, lane_of(child.scope)) == (parent.label, lane_of(parent.scope))

    def _called(self, name: str) -> str:
        fold = self.boxes[name].fold
        return name if fold is None else f"steps {fold[0]} to {fold[1]}"


def _percent(share: float) -> str:
    """Return what is left of a state's gradient, beside that at the last step, in few letters."""
    if share < 1e-4:
        return "<0.01%"
    return f"{100 * share:.2g}%" if share < 0.995 else f"{100 * share:.0f}%" if share < 10 else f"×{share:.2g}"
