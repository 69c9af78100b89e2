"""The guided tour of a page: stops on its clock, each with a question first. All answers are worked out from the
reports: none says what should have come out. A link may lead to any stop, so none speaks of the one before, and the
first six have the same numbers on every page; why, and what to change, come after them where that is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.flow import EdgeFlow, FlowReport, NodeFlow, StateFlow, changes, reasons
from tinygrad_rnn.flow.sentences import OPERATIONS, left, number, percent, plural
from tinygrad_rnn.flow.survey import lane_of
from tinygrad_rnn.flow.trained import conclusion
from tinygrad_rnn.flow.why import Cause
from tinygrad_rnn.viz import words
from tinygrad_rnn.viz.strips import judged

#: This share of what all steps add to a weight is said to be most of it.
_MOST = 0.9
#: Paths that are listed.
_PATHS = 5
#: Less than this is 0% as it is written.
_SEEN = 0.005


def tour(reports: Mapping[str, FlowReport]) -> list[dict[str, Any]]:
    """Return the stops: where the clock stands when the question is asked ("ask_at"), and for the answer ("tell_at").

    That is the name of a place, or a lag. "look" is what should be in sight, "compare" the panels of which only the
    ways from state to state are shown: of all cells that are spoken of. "point" has the names of what is pointed at on
    them, at the last step; "beside" is what is to be said at a graph whose last step misleads; "overlay": whether the
    curves before a training are shown with the answer. There is no tour without
    named states over several steps.
    """
    seen = {name: (report, state) for name, report in reports.items() if (state := judged(report)) is not None}
    known = {name: pair for name, pair in seen.items() if len(pair[1].steps) > 2 and pair[1].measurable}
    if not known:
        return []
    steps = max(len(state.steps) for _, state in known.values())
    lags = [state.horizon(report.threshold) for report, state in known.values()]
    threshold = max(report.threshold for report, _ in known.values())
    furthest = max((lag for lag in lags if lag is not None), default=steps - 1)
    stops = [
        (
            "Forward", "first", "turn", "graphs",
            f"Values are computed from left to right, through {plural(steps, 'step')}; those of the first are there. "
            "Will states be smaller at the last step than they are here?",
            _values,
        ),
        (
            "The turn", "turn", 0, "graphs",
            "Every value is there, and not one gradient. Where does the first one come from, and how large is what "
            "reaches the last state?",
            _turn,
        ),
        (
            "One step back", 0, 1, "graphs",
            "How much of the gradient at the last state is left at the state one step before?",
            _back,
        ),
        (
            "Paths compared", 0, 1, "paths",
            "By which ways does the gradient of the last step come to the state one step before? Which brings most?",
            _paths,
        ),
        (
            "The horizon", 1, furthest, "strips",
            f"How many steps before the last is less than {threshold:.3g} of the gradient at the last state left?",
            _horizon,
        ),
        (
            "What W received", "turn", "end", "weights",
            "Every step adds its part to the gradient of the weights. From how many steps, counted from the loss, does "
            "most of it come?",
            _weights,
        ),
        (
            "Why", 0, 1, "paths",
            "What decides how much of the gradient comes back over a step: which factor, on which path? The boxes that "
            "the answer speaks of are ringed.",
            _why,
        ),
        (
            "What training did", "turn", "end", "strips",
            "Does the gradient reach further with the trained weights than with the initial ones? Which factor made "
            "the difference?",
            _training,
        ),
        (
            "What to change", "turn", "end", "strips",
            f"What would have to be changed, and nothing else, for {threshold:.3g} or more of the gradient to be left "
            "at every step?",
            _change,
        ),
    ]  # fmt: skip
    told = [(*stop, _answers(stop[-1], known)) for stop in stops]
    return [
        {
            "title": title,
            "ask_at": ask_at,
            "tell_at": tell_at,
            "look": look,
            "compare": list(known) if look == "paths" else None,
            "point": {name: _deciding(*pair) for name, pair in known.items()} if tell is _why else None,
            "overlay": tell is _training,
            "beside": _beside(known) if look == "paths" else None,
            "question": question,
            "answers": answers,
        }
        for title, ask_at, tell_at, look, question, tell, answers in told
        if any(answer["text"] for answer in answers)
    ]


def _answers(
    tell: Callable[[FlowReport, StateFlow], str], known: Mapping[str, tuple[FlowReport, StateFlow]]
) -> list[dict[str, str]]:
    return [{"name": name, "text": tell(*pair)} for name, pair in known.items()]


def _beside(known: Mapping[str, tuple[FlowReport, StateFlow]]) -> dict[str, str]:
    """Return of which graphs the last step is unlike the mean that the sentences speak of, with both numbers."""
    unlike = {name: reasons.last_step_unlike_mean(report) for name, (report, _) in known.items()}
    boxes = "Values in boxes: over all units."
    return {name: f"Not a typical step: {said}. {boxes}" for name, said in unlike.items() if said}


def _values(report: FlowReport, state: StateFlow) -> str:
    sizes = {
        node.step: math.hypot(node.values.mean, node.values.std)
        for node in report.nodes
        if node.label == state.kind and node.values is not None and lane_of(node.scope) == state.scope
    }
    first, last = _ends(state)
    if first not in sizes or last not in sizes:
        return "Values were not measured."
    return (
        f"{state.kind} has root mean square (rms) {number(sizes[first])} at t={first} and {number(sizes[last])} at "
        f"t={last}: ×{number(sizes[last] / sizes[first] if sizes[first] else math.nan)}."
    )


def _turn(report: FlowReport, state: StateFlow) -> str:
    return (
        f"The loss, {number(report.loss)}, has gradient 1 with respect to itself. At {state.kind} of "
        f"t={_ends(state)[1]} it is ‖∂L/∂{state.kind}_T‖ = {number(float(state.by_lag[0]))}."
    )


def _back(report: FlowReport, state: StateFlow) -> str:
    share, last = state.relative(1) or 0.0, len(state.norms) - 1
    return (
        f"{number(share)} of ‖∂L/∂{state.kind}_T‖. If every step did that, {number(share**last)} would be left after "
        f"{plural(last, 'step')}."
    )


def _paths(report: FlowReport, state: StateFlow) -> str:
    """Return which share each way brings to the state before the last, and what a single way multiplies by."""
    last, before = _ends(state)[1], _before_last(state)
    ways = [(link, report.nodes[link.child]) for link in _into(report, state) if link.norm]
    if not ways:
        return f"No message to {state.kind} of t={before} was measured."
    factors = [
        f"{OPERATIONS.get(flow.op, flow.op)} ×{number(factor)}"
        for flow in report.factors
        if flow.kind == state.kind and flow.scope == state.scope and last in flow.steps
        if not math.isclose(factor := float(flow.factors[flow.steps.index(last)]), 1)
    ]
    if len(ways) == 1 and factors:
        return f"There is one way only to {state.kind} of t={before}, and it multiplies by {' and '.join(factors)}."
    if any(link.share is None for link, _ in ways):
        sizes = sorted(ways, key=lambda way: -(way[0].norm or 0.0))
        said = [f"{node.label} of t={node.step} {number(link.norm or 0.0)}" for link, node in sizes[:_PATHS]]
        return f"Sizes of the messages to {state.kind} of t={before}: from {', '.join(said)}. They need not add up."
    cause = next((cause for cause in report.causes() if cause.kind == state.kind), None)
    shares: dict[str, float] = {}
    for link, node in ways:
        child = None if node.step == before else node.label
        way = f"by {node.label}" if cause is None else reasons.way_of(cause, child)
        shares[way] = shares.get(way, 0.0) + (link.share or 0.0)
    here = f"At this step, of all that arrives at {state.kind} of t={before}, comes {_listed(shares.items())}."
    seen = [node for link, node in ways if abs(link.share or 0.0) >= _SEEN]
    taken = " What is negative takes away." if any(share <= -_SEEN for share in shares.values()) else ""
    return f"{here}{taken}{_detour(state, seen)}{_on_average(cause)}"


def _listed(ways: Iterable[tuple[str, float]]) -> str:
    """Return the ways that bring most, each with its share."""
    largest = sorted(ways, key=lambda way: -abs(way[1]))[:_PATHS]
    return ", ".join(f"{percent(share)} {way}" for way, share in largest if abs(share) >= _SEEN)


def _detour(state: StateFlow, senders: Sequence[NodeFlow]) -> str:
    """Return why a way may lead through the step of the state itself, and not through the one after it."""
    before, last = _before_last(state), _ends(state)[1]
    here = next((node.label for node in senders if node.step == before), None)
    if here is None:
        return ""
    return f" ({here} of t={before} is made of {state.kind} in the same step, and is what t={last} reads.)"


def _on_average(cause: Cause | None) -> str:
    """Return the same shares as means of the steps, as the sentence on why has them; "" where they are not known."""
    if cause is None or not cause.shares:
        return ""
    return f" Mean of {plural(cause.lag, 'step')}: {_listed(reasons.ways(cause))}."


def _into(report: FlowReport, state: StateFlow) -> list[EdgeFlow]:
    """Return the ways on which a gradient comes to the state before the last."""
    into = {
        i
        for i, node in enumerate(report.nodes)
        if (node.label, node.step) == (state.kind, _before_last(state)) and lane_of(node.scope) == state.scope
    }
    return [link for link in report.links if link.parent in into]


def _horizon(report: FlowReport, state: StateFlow) -> str:
    last = len(state.norms) - 1
    decay = report.decay
    factor = f" That is ×{number(decay.per_step)} per step to {decay.lag} before the last." if decay is not None else ""
    expected = (
        f"; if every step were like the last it would be {number((state.relative(1) or 0.0) ** last)}"
        if last > 1
        else ""
    )
    return f"{words.findings(report)[0]}{factor} At the first step {left(state, last)} is left{expected}."


def _why(report: FlowReport, state: StateFlow) -> str:
    return reasons.why(report)


def _deciding(report: FlowReport, state: StateFlow) -> list[str]:
    """Return the names of what multiplies the gradient on its way straight from state to state."""
    cause = next((cause for cause in report.causes() if cause.kind == state.kind), None)
    return [state.kind, *([cause.gate.removeprefix("1 - ")] if cause is not None and cause.gate else [])]


def _training(report: FlowReport, state: StateFlow) -> str:
    return conclusion(report)


def _change(report: FlowReport, state: StateFlow) -> str:
    return changes.remedy(report)


def _weights(report: FlowReport, state: StateFlow) -> str:
    return " ".join(_parts(report, state)) or "No weight is used in every step."


def _parts(report: FlowReport, state: StateFlow) -> Iterator[str]:
    """Yield from how many steps next to the loss most of a recurrent weight's gradient comes."""
    summed = {name: weight.per_step for name, weight in report.weights.items() if weight.per_step is not None}
    recurrent = [name for name in summed if "weight_hh" in name] or list(summed)[:1]
    for name in recurrent:
        sizes = np.asarray(summed[name])[:: 1 if state.direction == "reverse" else -1]
        whole = float(sizes.sum())
        if not 0 < whole < math.inf:
            continue
        count = int(np.searchsorted(np.cumsum(sizes), _MOST * whole)) + 1
        yield (
            f"{name}: {min(count, len(sizes))} of {plural(len(sizes), 'step')}, counted from the loss, have "
            f"{_MOST:.0%} of the sizes of all parts, added up; the largest is {number(float(sizes.max()))}, that of "
            f"t={_ends(state)[0]} is {number(float(sizes[-1]))}."
        )


def _before_last(state: StateFlow) -> int:
    return state.steps[1] if state.direction == "reverse" else state.steps[-2]


def _ends(state: StateFlow) -> tuple[int, int]:
    """Return the step taken first, and the one taken last."""
    ends = state.steps[0], state.steps[-1]
    return ends[::-1] if state.direction == "reverse" else ends
