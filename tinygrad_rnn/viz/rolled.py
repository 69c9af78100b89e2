"""The cell drawn once: what every step has, and what goes round from step to step."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import EdgeFlow
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.links import telling_links
from tinygrad_rnn.viz.references import References
from tinygrad_rnn.viz.shapes import Arrow, Box, Picture


def rolled(references: References) -> Picture:
    """Return the cell of a report: gates and states with their sizes at both ends of time, not laid out yet.

    Sizes are those of the step next to the loss, shares and the levels of gates means over the steps. What leads to the
    neighbouring step also tells by which factor it changes the gradient: the geometric mean over the steps of (message
    sent on) / (gradient of what sends it).

    Raises:
        InputError: the graph has no steps of time, or names nothing in them.
    """
    report = references.report
    if not report.steps or not report.links:
        raise InputError(
            "draw: the level 'rolled' shows one step for all, but this graph has no named values in steps of time; "
            "compute step t inside tg.scope('t', t) and name its states, or draw the level 'ops'"
        )
    return _Rolled(references).picture()


class _Rolled:
    def __init__(self, references: References) -> None:
        self.references = references
        self.report = report = references.report
        lanes = {words.lane(node) for node in report.nodes if node.step is not None and node.op is not None}
        self.many_lanes = len(lanes) > 1
        self.rows = {words.row(node) for node in report.nodes if node.step is not None}
        self.groups: dict[tuple[str, str, bool], list[EdgeFlow]] = {}  # by tail and head; whether time passes between
        self.members: dict[str, list[int]] = {}
        self.first: dict[str, int] = {}
        for link in telling_links(report):
            child, parent = report.nodes[link.child], report.nodes[link.parent]
            tail, head = self._name(link.parent), self._name(link.child)
            passes = None not in (child.step, parent.step) and child.step != parent.step
            if passes and abs(report.steps.index(child.step) - report.steps.index(parent.step)) > 1:
                continue
            self.groups.setdefault((tail, head, passes), []).append(link)
            self.members.setdefault(tail, []).append(link.parent)
            self.members.setdefault(head, []).append(link.child)
            if child.step is not None:
                self.first[tail] = min(link.child, self.first.get(tail, link.child))
        for weight in report.weights.values():
            if weight.per_step is not None:
                self.members.setdefault(self._name(weight.node), [weight.node])
                readers = [edge.child for edge in report.edges if edge.parent == weight.node]
                self.first.setdefault(self._name(weight.node), min(readers))
        steps = {name: {report.nodes[i].step for i in nodes} for name, nodes in self.members.items()}
        #: Data that one step alone reads, such as h0, is no part of every step.
        self.initial = {
            name
            for name, nodes in self.members.items()
            if report.nodes[nodes[0]].op is None and not report.nodes[nodes[0]].parameter
            if len(report.steps) > 1 and len(steps[name] - {None}) == 1
        }

    def picture(self) -> Picture:
        boxes = [self._box(name, nodes) for name, nodes in self.members.items() if name not in self.initial]
        boxes.sort(key=lambda box: box.order)
        arrows = [self._arrow(*ends, links) for ends, links in self.groups.items() if ends[0] not in self.initial]
        return Picture(self.report, "rolled", boxes, arrows, timed=True, scale=self.references.scale)

    def _name(self, i: int) -> str:
        """Return what a node is called in every step; data outside time may be called like an input, and is not it."""
        node = self.report.nodes[i]
        name = words.row(node)
        return f"outside_{name}" if node.step is None and name in self.rows else name

    def _late_first(self, nodes: Iterable[int]) -> list[int]:
        """Return nodes that play one part in the order in which the backward pass comes to them."""
        return sorted(set(nodes), reverse=True)

    def _box(self, name: str, members: list[int]) -> Box:
        nodes = self._late_first(members)
        node = self.report.nodes[nodes[0]]
        is_root = nodes[0] == len(self.report.nodes) - 1
        caption = words.caption(node, "cell", is_root)
        seen = self.references.look(nodes[0], node.norm)
        lines = words.label(node, caption, node.norm, seen)
        sizes = ""
        if len(nodes) > 1 and seen.text:
            ends = [(self.report.nodes[i], self.references.look(i, self.report.nodes[i].norm)) for i in nodes]
            ends = [ends[0], ends[-1]]
            lines = [caption, *(f"t={end.step}: {words.sizes(end, look)}" for end, look in ends)]
            sizes = "".join(f"\nat t={end.step}: {words.size(end.norm, look)}" for end, look in ends)
        in_cell = node.step is not None or name in self.first
        return Box(
            name=name,
            kind=words.kind(node, is_root),
            node=nodes[0],
            step=self.report.steps[-1] if in_cell else None,
            caption=caption,
            lines=tuple(lines),
            norm=node.norm,
            seen=seen,
            tooltip=words.about(node, f"gradient: {words.size(node.norm, seen)}") + sizes,
            row=name if in_cell else None,
            lane=words.lane(self.report.nodes[self.first.get(name, nodes[0])]) if self.many_lanes and in_cell else "",
            level=self._level(nodes),
            order=nodes[0] if node.op is not None else self.first.get(name, nodes[0]) - 0.5,
        )

    def _level(self, nodes: list[int]) -> float | None:
        """Return how open a gate is in the mean over the steps."""
        levels = [words.fill_level(self.report.nodes[i]) for i in nodes]
        known = [level for level in levels if level is not None]
        return math.fsum(known) / len(known) if len(known) == len(levels) else None

    def _arrow(self, tail: str, head: str, passes: bool, links: list[EdgeFlow]) -> Arrow:
        links = sorted(links, key=lambda link: -link.child)
        nearest = links[0]
        seen = self.references.message([nearest], nearest.norm)
        share, factor = self._share(links), self._factor(links) if passes else None
        text = f"message from {head} to {tail}: {words.size(nearest.norm, seen)}"
        if share is not None:
            text += f"\nshare of what arrives at {tail}: {share:.3g} (mean over the steps)"
        label = ""
        if factor is not None:
            text += f"\nper step it is {factor:.4g} times the gradient it comes from (geometric mean)"
            several = sum(passing and other == head for _, other, passing in self.groups) > 1
            label = f"{tail} {words.factor(factor)}" if several else words.factor(factor)
        return Arrow(tail, head, nearest.norm, seen, text, share, label, loop=passes)

    def _share(self, links: list[EdgeFlow]) -> float | None:
        """Return which share of what arrives an edge brings, in the mean over the steps that have it."""
        shares = [link.share for link in links if link.share is not None]
        return math.fsum(shares) / len(shares) if shares else None

    def _factor(self, links: list[EdgeFlow]) -> float | None:
        """Return by which factor an edge changes the gradient on its way to the neighbouring step."""
        logs = []
        for link in links:
            sent, at = link.norm, self.report.nodes[link.child].norm
            if sent is None or at is None or not math.isfinite(sent + at):
                return None
            if at == 0:
                continue  # nothing arrived to be changed
            if sent == 0:
                return 0.0
            logs.append(math.log(sent) - math.log(at))
        return math.exp(math.fsum(logs) / len(logs)) if logs else None
