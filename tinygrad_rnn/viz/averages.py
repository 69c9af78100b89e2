"""What paths bring on average: shares at one step can be far from their mean over the steps."""

from __future__ import annotations

import math

from tinygrad_rnn.flow import FlowReport


def mean_shares(report: FlowReport) -> dict[tuple[str, str], tuple[float, int]]:
    """Return by (state, what reads it) the mean share of a path in what arrives at the state, and of how many steps.

    These are the steps of which the sentence on why speaks. What is missing to 1 is of what reads the state in its own
    step, where only one thing does.
    """
    found: dict[tuple[str, str], tuple[float, int]] = {}
    for cause in report.causes():
        if not cause.shares:
            continue
        found |= {(cause.kind, child): (round(share, 4), cause.lag) for child, share in cause.shares}
        if len(cause.around) == 1:
            rest = 1 - math.fsum(share for _, share in cause.shares)
            found[cause.kind, next(iter(cause.around))] = (round(rest, 4), cause.lag)
    return found
