"""The words of a sheet that not everybody knows, explained where they appear: only those that do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tinygrad_rnn.flow.figures import number, percent
from tinygrad_rnn.flow.records import EXPLODED
from tinygrad_rnn.nn import CELLS, parse_cell
from tinygrad_rnn.viz.plots import Entry

_VERDICTS = {
    "vanishes": "at some earlier step less than the threshold is left of the gradient at the last step.",
    "survives": (
        "nowhere is less than the threshold left, and nowhere more than {exploded:g} times as much: a gradient reaches "
        "every step, which is not to say that anything is learned from there."
    ),
    "explodes": "at some earlier step the gradient is more than {exploded:g} times as large as at the last step.",
    "zero": "no gradient arrives at the last state, so there is none to lose.",
    "nonfinite": "some gradient is NaN or infinite.",
    "withheld": "the numbers do not allow a verdict; the reason stands beside it.",
}
_OPTIONS = {
    "forget_bias": "what is added inside the forget gate at the start: 0 half open, larger keeps more",
    "update_bias": "what is added inside the update gate at the start: larger keeps more of the old state",
    "gain": "the factor by which the recurrent weights begin larger than those of a rotation, which keeps all lengths",
    "chrono": "forget biases are drawn at random so that units keep what they hold for up to so many steps",
    "nonlinearity": "the function that takes the place of tanh",
}


_GRADIENT = (
    "‖∂L/∂h_t‖: how strongly the loss of the last step depends on the state h of step t; root mean square over the "
    "examples. Nothing of it left means: what happened at t cannot be learned from this loss."
)
_THRESHOLD = (
    "{value} unless said otherwise, of the gradient at the last step: what is less counts as vanished. (Clipping has a "
    "limit of its own, for the norm of the gradient of all parameters.)"
)
_SHARE = (
    "of all that arrives at a state, the part that comes by one way: ⟨message, g⟩ / ‖g‖², where g is the sum of all "
    "messages. Shares sum to 1, and a message against the sum has a negative one. It is not the ratio of their sizes, "
    "but that ratio times the cosine of the angle between message and sum"
)
_HALF_LIFE = (
    "the lag at which half is left, read off the curve between two lags; so it need not be that of the mean factor per "
    "step. None where a straight line does not fit."
)
_TIME = (
    "steps count from t=0 to t={last}; T is the one taken last, t={last} (t=0 in the reverse direction). Lag d is d "
    "steps before it: in plots time runs to the right as in the graphs: lag 0, the loss, is at the right end."
)
_NOTHING_AT_FIRST = (
    "the recurrent weights meet the initial state there, which is 0, so that step adds exactly nothing to their "
    "gradient; nor does a forget gate matter where there is nothing to forget."
)
_NATS = (
    "the unit of the loss: −ln of the probability given to what comes next, on average per character. Guessing among N "
    "equally likely ones costs ln N; 1 nat is 1.44 bits."
)


#: Words and signs, by how they appear on the page.
_SIGNS = {
    "‖·‖": "the size of a vector or matrix: the square root of the sum of the squares of its elements.",
    "tanh′, relu′, W_hh": (
        "what a step of the only path multiplies a gradient by: the derivative of the activation at the values there "
        "(tanh′ = 1 − h², 1 at h = 0 and 0 at ±1), and the recurrent weight, transposed."
    ),
    "weight_ih_l0, weight_hh_l0": (
        "the weights of layer 0: ih from the input to the state, hh from the state to the next; W_hh is weight_hh. "
        "bias_ih and bias_hh are added to these products."
    ),
    "σ_max": "the largest singular value of a matrix: by how much it can make a vector longer, at most.",
    "straight": (
        "the way from a state straight to itself one step earlier, times the gate that keeps it: f of an LSTM, z of a "
        "GRU."
    ),
    "round": (
        "the way from a state by another one of its own step, which the gates of the next step read, back to itself: "
        "c → h → gates → c of an LSTM."
    ),
    "IRNN": (
        "an Elman network with relu in place of tanh that begins with W_hh the identity and biases 0, so that it "
        "copies its state (Le, Jaitly & Hinton 2015)."
    ),
    "root mean square": (
        "the square root of the mean of the squares (rms). The standard deviation is that of what is left when the "
        "mean has been taken away: both agree only where the mean is 0."
    ),
    "geometric mean": "of n factors the n-th root of their product: n steps with this factor make the same.",
    "finite-time Lyapunov exponent": (
        "λ = ln σ / d of the Jacobian over d steps: e^λ is the factor per step in a direction; below 0 it shrinks."
    ),
    "median": "half of the units, steps or examples have less, half have more: that of the middle one.",
}


def glossary(entries: Sequence[Entry], settings: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield each word with what it means here."""
    steps = max((len(entry.report.steps) for entry in entries), default=0)
    yield "gradient", _GRADIENT
    if steps:
        yield "T, t and lag", _TIME.format(last=steps - 1)
    if entries:
        values = sorted({entry.report.threshold for entry in entries})
        yield "threshold", _THRESHOLD.format(value=" or ".join(f"{value:.3g}" for value in values))
    yield "horizon", "the first lag at which less than the threshold is left of the gradient at the last step."
    yield "half-life", _HALF_LIFE
    yield from verdict_words(_verdicts(entries))
    if any(_adds_nothing_at_first(entry) for entry in entries):
        yield "0 at the first step", _NOTHING_AT_FIRST
    if said := _share(entries):
        yield "share", said
    yield from _signs(entries)
    if "nats" in str(settings.get("loss", "")):
        yield "nats", _NATS
    yield from _cells(entries)


def verdict_words(verdicts: Iterable[str | None]) -> Iterator[tuple[str, str]]:
    """Yield what verdicts mean, each once."""
    for verdict in dict.fromkeys(verdicts):
        if verdict in _VERDICTS:
            yield verdict, _VERDICTS[verdict].format(exploded=EXPLODED)


def _verdicts(entries: Sequence[Entry]) -> Iterator[str | None]:
    """Yield the verdicts on cells, on what they were before, and with what would have to be changed."""
    for entry in entries:
        for report in (*(report for _, report in entry.history), entry.report):
            yield report.verdict
            yield from (tried.verdict for tried in report.remedies)


def _signs(entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Yield the signs and words that the sentences and pictures of these cells make use of."""
    causes = [cause for entry in entries for cause in entry.report.causes()]
    weights = [name for entry in entries for name in entry.report.weights]
    there = {
        "‖·‖": bool(entries),
        "tanh′, relu′, W_hh": any(cause.factors for cause in causes),
        "weight_ih_l0, weight_hh_l0": any(name.endswith("_l0") for name in weights),
        "σ_max": any(entry.report.sigma_max or entry.jacobians for entry in entries),
        "straight": any(cause.gate for cause in causes),
        "round": any(cause.around for cause in causes),
        "root mean square": any(cause.gate for cause in causes),
        "geometric mean": bool(causes),
        "IRNN": any("IRNN" in tried.what for entry in entries for tried in entry.report.remedies),
        "finite-time Lyapunov exponent": any(entry.jacobians for entry in entries),
        "median": any(entry.flow_map or entry.jacobians for entry in entries),
    }
    yield from ((word, meaning) for word, meaning in _SIGNS.items() if there[word])


def _share(entries: Sequence[Entry]) -> str:
    """Return what a share is, with the numbers of a state whose straight way shows it; "" where there are no shares."""
    causes = [(entry, cause) for entry in entries for cause in entry.report.causes() if cause.shares]
    if not causes:
        return ""
    for entry, cause in causes:
        share = dict(cause.shares).get(cause.kind)
        if share is not None and cause.straight is not None and cause.per_step > 0:
            ratio = cause.straight / cause.per_step
            return (
                f"{_SHARE}: at {cause.kind} of {entry.name} the way straight back makes ×{number(cause.straight)} and "
                f"all together ×{number(cause.per_step)}, which is {percent(ratio)}, and its share is {percent(share)}."
            )
    return f"{_SHARE}."


def _adds_nothing_at_first(entry: Entry) -> bool:
    parts = [weight.per_step for weight in entry.report.weights.values() if weight.per_step is not None]
    return any(0 in (part[0], part[-1]) for part in parts if len(part))


def _cells(entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    specs = [parse_cell(entry.cell) for entry in entries if entry.cell]
    for name in dict.fromkeys(spec.name for spec in specs):
        yield name, f"{CELLS[name].summary} ({CELLS[name].reference})."
    for option in dict.fromkeys(option for spec in specs for option, _ in spec.options):
        if option in _OPTIONS:
            yield option, f"{_OPTIONS[option]}."
