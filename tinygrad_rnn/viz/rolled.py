"""The cell drawn once: what every step has, and what goes round from step to step."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import EdgeFlow, FlowReport
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.scale import look
from tinygrad_rnn.viz.shapes import Arrow, Box, Picture


def rolled(report: FlowReport, decades: int) -> Picture:
    """Return the cell of a report: gates and states with their sizes at both ends of time, not laid out yet.

    Sizes are those of the step next to the loss; what leads to the neighbouring step also tells by which factor it
    changes the gradient: the geometric mean over the steps of (message sent on) / (gradient of what sends it).

    Raises:
        InputError: the graph has no steps of time, or names nothing in them.
    """
    if not report.steps or not report.links:
        raise InputError(
            "draw: the level 'rolled' shows one step for all, but this graph has no named values in steps of time; "
            "compute step t inside tg.scope('t', t) and name its states, or draw the level 'ops'"
        )
    return _Rolled(report, decades).picture()


class _Rolled:
    def __init__(self, report: FlowReport, decades: int) -> None:
        self.report = report
        self.decades = decades
        self.reference = report.reference[1]
        lanes = {words.lane(node) for node in report.nodes if node.step is not None and node.op is not None}
        self.many_lanes = len(lanes) > 1
        self.groups: dict[tuple[str, str, bool], list[EdgeFlow]] = {}  # by tail and head; whether time passes between
        self.members: dict[str, list[int]] = {}
        self.first: dict[str, int] = {}
        for link in report.links:
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
            if len(report.steps) > 1 and len(steps[name]) == 1
        }

    def picture(self) -> Picture:
        boxes = [self._box(name, nodes) for name, nodes in self.members.items() if name not in self.initial]
        boxes.sort(key=lambda box: box.order)
        arrows = [self._arrow(*ends, links) for ends, links in self.groups.items() if ends[0] not in self.initial]
        return Picture(self.report, "rolled", boxes, arrows, timed=True, decades=self.decades)

    def _name(self, i: int) -> str:
        return words.row(self.report.nodes[i])

    def _late_first(self, nodes: Iterable[int]) -> list[int]:
        """Return nodes that play one part in the order in which the backward pass comes to them."""
        return sorted(set(nodes), reverse=True)

    def _box(self, name: str, members: list[int]) -> Box:
        nodes = self._late_first(members)
        node = self.report.nodes[nodes[0]]
        is_root = nodes[0] == len(self.report.nodes) - 1
        caption = words.caption(node, "cell", is_root)
        seen = look(node.norm, node.requires_grad, self.reference, self.decades)
        lines = [caption, seen.text]
        sizes = ""
        if len(nodes) > 1 and node.norm is not None and node.requires_grad:
            earliest = self.report.nodes[nodes[-1]]
            lines[1] += f" … {look(earliest.norm, True, self.reference, self.decades).text}"
            sizes = f"\nat t={node.step}: {words.size(node.norm, True)}"
            sizes += f"\nat t={earliest.step}: {words.size(earliest.norm, True)}"
        in_cell = node.step is not None or name in self.first
        return Box(
            name=name,
            kind=words.kind(node, is_root),
            node=nodes[0],
            step=self.report.steps[-1] if in_cell else None,
            caption=caption,
            lines=tuple(line for line in lines if line),
            norm=node.norm,
            requires_grad=node.requires_grad,
            tooltip=words.about(node, f"gradient: {words.size(node.norm, node.requires_grad)}") + sizes,
            row=name if in_cell else None,
            lane=words.lane(self.report.nodes[self.first.get(name, nodes[0])]) if self.many_lanes and in_cell else "",
            order=nodes[0] if node.op is not None else self.first.get(name, nodes[0]) - 0.5,
        )

    def _arrow(self, tail: str, head: str, passes: bool, links: list[EdgeFlow]) -> Arrow:
        links = sorted(links, key=lambda link: -link.child)
        nearest = links[0]
        text = f"message from {head} to {tail}: {words.size(nearest.norm, nearest.requires_grad)}"
        factor = self._factor(links) if passes else None
        if factor is not None:
            text += f"\nper step it is {factor:.4g} times the gradient it comes from (geometric mean)"
        label = f"× {factor:.2g}" if factor is not None else ""
        return Arrow(tail, head, nearest.norm, nearest.requires_grad, text, label, loop=passes)

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
