"""What paths bring on average: shares at one step can be far from their mean over the steps."""

from __future__ import annotations

import math

from tinygrad_rnn.flow import FlowReport


def mean_shares(report: FlowReport) -> dict[tuple[str, str], tuple[float, int]]:
    """Return by (state, what reads it) the mean share of a path in what arrives at the state, and of how many steps.

    These are the steps of which the sentence on why speaks. What is missing to 1 is of what reads the state in its own
    step, where only one thing does.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> from tinygrad_rnn.flow import gradient_flow
    >>> from tinygrad_rnn.viz.averages import mean_shares
    >>> outputs, _ = nn.LSTM(2, 3).unroll(tg.randn(5, 4, 2))
    >>> shares = mean_shares(gradient_flow(outputs[-1].sum(axis=1), statistics=True))
    >>> sorted(child for kind, child in shares if kind == "c")
    ['c', 'h']
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
