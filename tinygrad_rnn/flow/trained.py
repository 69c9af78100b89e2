"""What a training did to the gradient of a network, as a sentence with its conclusion first."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tinygrad_rnn.flow.figures import OPERATIONS, number, plural
from tinygrad_rnn.flow.records import StateFlow
from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.why import Cause

#: What changed by less than this factor is not said to have changed.
_SAME = 1.02


def conclusion(report: FlowReport) -> str:
    """Return whether the gradient reaches further than before the training, and which factors are behind it.

    "" unless the report before it is known, and both have a verdict on the same kind of state.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> from tinygrad_rnn.flow import gradient_flow
    >>> from tinygrad_rnn.flow.trained import conclusion
    >>> outputs, _ = nn.RNN(2, 3).unroll(tg.randn(5, 4, 2))
    >>> conclusion(gradient_flow(outputs[-1].sum(axis=1)))
    ''
    """
    if report.before is None:
        return ""
    old, new = _judged(report.before), _judged(report)
    if old is None or new is None:
        return ""
    said = _reach(report.before, old, report, new)
    was, now = _cause(report.before, old), _cause(report, new)
    if was is None or now is None:
        return f"{said}."
    return f"{said} ({_pair(was.per_step, now.per_step)} per step). {_behind(was, now)}".strip()


def _judged(report: FlowReport) -> StateFlow | None:
    """Return the state that the verdict goes by."""
    known = report.horizon if report.verdict in ("vanishes", "survives", "explodes") else None
    return report.state(known.state) if known else None


def _cause(report: FlowReport, state: StateFlow) -> Cause | None:
    return next((cause for cause in report.causes() if cause.kind == state.kind), None)


def _reach(before: FlowReport, old: StateFlow, after: FlowReport, new: StateFlow) -> str:
    """Return what became of the verdict."""
    less = f"less than {after.threshold:.3g} of it left"
    first, then = old.horizon(before.threshold), new.horizon(after.threshold)
    if (before.verdict, after.verdict) == ("vanishes", "vanishes") and first and then:
        if first == then:
            return f"Training left the horizon where it was: {plural(then, 'step')} back, with {less}"
        verb = "let the gradient reach further" if then > first else "made the gradient vanish sooner"
        return f"Training {verb}: it now vanishes, with {less}, {plural(then, 'step')} back instead of {first}"
    if before.verdict == after.verdict == "survives":
        shares = [state.relative(len(state.norms) - 1) or 0.0 for state in (old, new)]
        kept = "as much" if math.isclose(*shares, rel_tol=_SAME - 1) else "more" if shares[1] > shares[0] else "less"
        return (
            f"The gradient survived before the training and survives after it, with {kept} left at the first step: "
            f"{number(shares[1])} instead of {number(shares[0])}"
        )
    past = {"vanishes": "vanished", "survives": "survived", "explodes": "exploded"}[before.verdict or "survives"]
    now = {"vanishes": "vanish", "survives": "survive", "explodes": "explode"}[after.verdict or "survives"]
    was, comes = (f", with {less} {plural(lag, 'step')} back" if lag else "" for lag in (first, then))
    return f"Training made the gradient {now}{comes}; before, it {past}{was}"


def _behind(old: Cause, new: Cause) -> str:
    """Return which factors keep more of the gradient than before, and which less; "" if none changed."""
    said = [" ".join(_verb(name, *sizes)) for name, *sizes in _factors(old, new)]
    straight = [dict(cause.shares).get(cause.kind) if cause.gate else None for cause in (old, new)]
    if None not in straight and old.gate == new.gate:
        around = [1 - (share or 0.0) for share in straight]
        if abs(around[1] - around[0]) >= 0.02:
            verb = "more" if around[1] > around[0] else "less"
            then = f"{around[1]:.0%} instead of {around[0]:.0%}"
            said.append(f"{verb} of what arrives comes by ways that are not straight, {then}")
    return f"{_capital('; '.join(said))}." if said else ""


def _factors(old: Cause, new: Cause) -> Iterator[tuple[str, float, float]]:
    """Yield the factors that both have, what keeps more of the gradient first."""
    known = dict(new.factors)
    pairs = [(OPERATIONS.get(op, op), size, known[op]) for op, size in old.factors if op in known]
    if old.gate and old.gate == new.gate and old.straight and new.straight:
        pairs.append((f"the way straight through {new.gate.replace('-', '−')}", old.straight, new.straight))
    moved = [pair for pair in pairs if all(0 < size < math.inf for size in pair[1:])]
    moved = [pair for pair in moved if max(pair[1] / pair[2], pair[2] / pair[1]) > _SAME]
    yield from sorted(moved, key=lambda pair: pair[1] / pair[2])


def _verb(name: str, old: float, new: float) -> tuple[str, str]:
    return name, f"keeps {'more' if new > old else 'less'} of it, {_pair(old, new)}"


def _pair(old: float, new: float) -> str:
    return f"×{number(new)} instead of ×{number(old)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
