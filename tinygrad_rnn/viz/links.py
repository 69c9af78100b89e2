"""Which links between named values are drawn where unnamed ones are not."""

from __future__ import annotations

from tinygrad_rnn.flow import EdgeFlow, FlowReport, NodeFlow


def telling_links(report: FlowReport) -> tuple[EdgeFlow, ...]:
    """Return the links of a report, without those from constants of the loss, such as its targets.

    These have neither name nor step nor gradient, and no step reads them.
    """
    timed = {link.parent for link in report.links if report.nodes[link.child].step is not None}
    return tuple(link for link in report.links if link.parent in timed or not _constant(report.nodes[link.parent]))


def _constant(node: NodeFlow) -> bool:
    return node.op is None and node.label is None and node.step is None and not node.requires_grad
