"""What would have to be changed, and what training did change: sentences and figures from what was measured."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from tinygrad_rnn.flow.figures import OPERATIONS, number, plural
from tinygrad_rnn.flow.records import EXPLODED, RemedyFlow, StateFlow
from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.trained import conclusion

#: A loss that changes by less than this share is not mentioned.
_NEXT_TO_NOTHING = 0.05
_BURST = f"to more than {EXPLODED:g} times as much"
#: By how much something is changed: what follows the change itself.
_AMOUNT = re.compile(r",? (times|by) [\d.]+$")
_JUDGED = ("vanishes", "explodes", "survives")


def remedy(report: FlowReport) -> str:
    """Return which of the changes that were measured keeps the gradient, and what it would then do: "with ...".

    "" where none was measured. It does not say that more would be learned: only what becomes of the gradient.
    """
    state = _furthest(report)
    if not report.remedies or state is None or report.verdict not in _JUDGED:
        return ""
    now = state.relative(len(state.norms) - 1)
    if report.verdict == "survives":
        return _better(report.remedies, now, report.loss)
    at = next((at for at, tried in enumerate(report.remedies) if tried.verdict == "survives"), None)
    if at is None:
        return _not_enough(report, now)
    chosen = report.remedies[at]
    said = f"with {chosen.what}, and nothing else, the gradient would survive{_how(chosen, now)}"
    said += _fits(report, chosen)
    milder = report.remedies[at - 1] if at else None
    if milder is not None and milder.verdict == "vanishes" and milder.horizon and (milder.left or 0.0) > (now or 0.0):
        said += f"; with {milder.what} it would still vanish, in {plural(milder.horizon, 'step')}"
    bursts = next((tried for tried in report.remedies if tried.verdict == "explodes"), None)
    if bursts is not None and report.verdict != "explodes":
        said += f"; with {bursts.what} it would explode, {_burst(bursts)}"
    said += _also(report.remedies[at + 1 :], chosen, report.loss)
    return f"{said}.{_honest(chosen, report.loss)}"


def _also(others: Sequence[RemedyFlow], chosen: RemedyFlow, loss: float) -> str:
    """Return what else keeps the gradient and is not the same change again, only larger."""
    kinds, found = {_AMOUNT.sub("", chosen.what)}, []
    for tried in others:
        kind = _AMOUNT.sub("", tried.what)
        if tried.verdict == "survives" and kind not in kinds:
            kinds.add(kind)
            about = [] if tried.per_step is None else [f"×{number(tried.per_step)} per step"]
            about += [] if math.isclose(tried.loss, loss, rel_tol=_NEXT_TO_NOTHING) else [f"loss {number(tried.loss)}"]
            found.append(f"{tried.what} ({', '.join(about)})" if about else tried.what)
    return f"; it would also survive with {' or with '.join(found)}" if found else ""


def _better(tried: tuple[RemedyFlow, ...], now: float | None, loss: float) -> str:
    """Return what would keep even more of a gradient that survives."""
    survivors = [each for each in tried if each.verdict == "survives" and each.left]
    best = min(survivors, key=lambda each: abs(math.log(each.left or 1)), default=None)
    if best is None or not now or abs(math.log(best.left or 1)) >= abs(math.log(now)):
        return "nothing has to be, and nothing that was tried keeps more."
    more = f"with {best.what}, and nothing else, even more would be left{_how(best, now)}"
    return f"nothing has to be; {more}.{_honest(best, loss)}"


def _not_enough(report: FlowReport, now: float | None) -> str:
    """Return that none of the changes helps, and which comes nearest, or how they fail."""
    bursts = [each for each in report.remedies if each.verdict == "explodes"]
    fading = [each for each in report.remedies if each.verdict == "vanishes" and (each.left or 0.0) > (now or 0.0)]
    said = f"none of the {plural(len(report.remedies), 'change')} tried is enough"
    if fading:
        best = max(fading, key=lambda each: each.left or 0.0)
        said += f": most is kept with {best.what}{_how(best, now)}"
    if bursts:
        said += f"; it would explode with {bursts[0].what}, {_burst(bursts[0])}"
    return f"{said}."


def _burst(tried: RemedyFlow) -> str:
    """Return how large the gradient becomes on its way; what is left at the first step may be less again."""
    if tried.largest is None or not EXPLODED < tried.largest < math.inf:
        return _BURST
    return f"to {number(tried.largest)} times as much on the way"


def _fits(report: FlowReport, tried: RemedyFlow) -> str:
    """Return what a change does to each factor of the only path, which need not be changed itself; "" if unknown.

    What takes the gradient away may go on doing so, and another factor make up for it.
    """
    cause = next((cause for cause in report.causes() if cause.kind == tried.state), None)
    now, then = _moving(cause.factors if cause else ()), _moving(tried.factors)
    if len(now) < 2 or now.keys() != then.keys():
        return ""
    least = min(now, key=lambda word: now[word])
    changed = ", ".join(f"{word} ×{number(then[word])} per step instead of ×{number(now[word])}" for word in then)
    others = [word for word in now if word != least]
    grown = math.prod(then[word] for word in others) > math.prod(now[word] for word in others)
    if then[least] < 1 and grown:
        verb = "makes" if len(others) == 1 else "make"
        return f" ({least} goes on taking it, and {' and '.join(others)} {verb} up for more of that: {changed})"
    return f" ({changed})"


def _moving(factors: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Return the factors that change a size, by what they are called."""
    return {OPERATIONS.get(op, op): size for op, size in factors if not math.isclose(size, 1, abs_tol=1e-9)}


def _how(tried: RemedyFlow, now: float | None) -> str:
    """Return what the gradient does with a change, and what is left now."""
    per_step = "" if tried.per_step is None else f"×{number(tried.per_step)} per step"
    down = f" to lag {tried.lag}" if tried.horizon is not None else ""
    is_left = "" if tried.left is None else f"{number(tried.left)} at the first step instead of {number(now)}"
    return f": {', '.join(filter(None, (per_step + down, is_left)))}"


def _honest(tried: RemedyFlow, loss: float) -> str:
    """Return what a change does to the loss of a network that was not trained with it; "" if next to nothing."""
    now, then = number(loss), number(tried.loss)
    learning = "About the gradient, not about learning"
    if math.isclose(tried.loss, loss, rel_tol=_NEXT_TO_NOTHING):
        return ""
    return f" ({learning}: without any training with it, the loss at the last step would be {then} instead of {now}.)"


def _furthest(report: FlowReport) -> StateFlow | None:
    horizon = report.horizon
    return report.state(horizon.state) if horizon else None


# ---- before and after a training -----------------------------------------------------------------------------------


def figures(report: FlowReport) -> dict[str, str]:
    """Return what decides over the gradient of the cell, by what it is called, as it is shown.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> from tinygrad_rnn.flow import gradient_flow
    >>> from tinygrad_rnn.flow.changes import figures
    >>> outputs, _ = nn.RNN(2, 3).unroll(tg.randn(5, 4, 2))
    >>> list(figures(gradient_flow(outputs[-1].sum(axis=1))))
    ['loss of the last step', 'tanh′', 'W_hh', '× per step to the horizon', 'horizon', 'left at the first step']
    """
    found = {"loss of the last step": number(report.loss)}
    state = _furthest(report)
    if state is None:
        return found
    cause = next((cause for cause in report.causes() if cause.kind == state.kind), None)
    if cause is not None:
        for op, size in cause.factors:
            if not math.isclose(size, 1, abs_tol=1e-9):
                found[OPERATIONS.get(op, op)] = "-" if math.isnan(size) else f"×{number(size)}"
        if cause.gate is not None and cause.straight is not None:
            found[f"straight through {cause.gate.replace('-', '−')}"] = f"×{number(cause.straight)}"
    scope = report.cell[0].scope
    found |= {f"σ_max of {name}": number(size) for name, size in report.sigma_max}
    found |= {
        f"gate {gate.label}, mean over all {plural(len(gate.steps), 'step')}": number(float(np.mean(gate.mean)))
        for gate in report.gates
        if gate.scope == scope
    }
    lag = state.horizon(report.threshold)
    found["× per step to the horizon"] = "-" if cause is None else number(cause.per_step)
    found["horizon"] = "-" if not state.measurable else f">{len(state.norms) - 1}" if lag is None else str(lag)
    found["left at the first step"] = number(state.relative(len(state.norms) - 1))
    return found


def training(report: FlowReport) -> str:
    """Return what a training did to the gradient and its factors; "" if the report before it is not known."""
    if report.before is None or report.verdict not in _JUDGED or report.before.verdict not in _JUDGED:
        return ""
    before, after = figures(report.before), figures(report)
    changed = [f"{name} {old} → {after[name]}" for name, old in _telling(before).items() if name in after]
    return f"{conclusion(report)} In figures: {', '.join(changed)}."


def _telling(found: Mapping[str, str]) -> dict[str, str]:
    """Return the figures a sentence has room for: of gates, that through which the gradient goes straight."""
    straight = next((name.removeprefix("straight through ") for name in found if name.startswith("straight")), "")
    gate = f"gate {straight.removeprefix('1 − ')},"
    return {
        name: value for name, value in found.items()
        if not name.startswith("loss") and (not name.startswith("gate ") or name.startswith(gate))
    }  # fmt: skip
