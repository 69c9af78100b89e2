"""The experiments of Hochreiter and Schmidhuber (1997): problem, network, criterion, and what the paper printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Task, parse_task
from tinygrad_rnn.train.reproduce.lstm1997 import Network1997

__all__ = ["DIFFERS", "FRESH", "PAPER", "QUESTION", "SETTINGS", "SHORT", "Looks", "Setting", "Streak", "chosen"]

PAPER = "Hochreiter & Schmidhuber 1997, section 5"
QUESTION = "the first LSTM, trained as it was then: how many sequences does it take?"
#: New sequences that judge what was learned.
FRESH = 2560


@dataclass(frozen=True)
class Streak:
    """Stop when the last sequences that were learned from had been answered right, each before it was learned from.

    Attributes:
        right: an answer is right if all its outputs are off by less.
        run: so many sequences are looked back on.
        wrong: so many of them may be wrong.
        error: further their outputs are off by less on the mean; None if that does not count.
    """

    right: float
    run: int
    wrong: int = 0
    error: float | None = None

    def __str__(self) -> str:
        allowed = f", {self.wrong} may be" if self.wrong else ""
        mean = "" if self.error is None else f", and off by less than {self.error:g} on the mean"
        return f"none of the last {self.run:,} off by {self.right:g}{allowed}{mean}"


@dataclass(frozen=True)
class Looks:
    """Stop at the first look at new sequences that finds few wrong.

    Attributes:
        right: an answer is right if all its outputs are off by less; None where the task itself tells.
        every: so many sequences lie between two looks.
        judged: so many are looked at.
        wrong: so many of them may be wrong.
        error: further their outputs are off by less on the mean; None if that does not count.
        both: as many of what is learned from are looked at too.
    """

    right: float | None
    every: int
    judged: int
    wrong: int = 0
    error: float | None = None
    both: bool = False

    def __str__(self) -> str:
        mistaken = "with a mistake" if self.right is None else f"off by {self.right:g}"
        allowed = f", {self.wrong} may be" if self.wrong else ""
        mean = "" if self.error is None else f", and off by less than {self.error:g} on the mean"
        of = "those to learn from and of others" if self.both else "new ones"
        return f"none of {self.judged:,} of {of} {mistaken}{allowed}{mean}; looked at every {self.every:,}"


@dataclass(frozen=True)
class Setting:
    """One experiment.

    Attributes:
        name: as the command takes it.
        what: it is about, in a few words.
        task: its specification; see `tasks.parse_task`.
        steps: T.
        shape: J and S, blocks and the cells in each.
        rate: the learning rate.
        biased: which units have a bias; see `lstm1997.BIASED`.
        stop: the criterion.
        weights, published, wrong: of the paper: how many weights, mean sequences to the criterion, and which share of
            new sequences was answered wrong (None if it does not say).
        input_bias, output_bias: of the gates at the beginning, block by block; random if empty.
        linear: output units are linear, where the paper says logistic.
        span: weights begin uniform between -span and span.
    """

    name: str
    what: str
    task: str
    steps: int
    shape: tuple[int, int]
    rate: float
    biased: str
    stop: Streak | Looks
    weights: int
    published: int
    wrong: float | None
    input_bias: tuple[float, ...] = ()
    output_bias: tuple[float, ...] = ()
    linear: bool = False
    span: float = 0.1

    @property
    def most(self) -> int:
        """Sequences to learn from at most, unless others are asked for: five times the mean of the paper."""
        return 5 * self.published

    def make(self) -> tuple[Task, Task]:
        """Return the task to learn, and the one to be judged on."""
        return parse_task(self.task).make(self.steps).held_out()

    def network(self, seed: int) -> Network1997:
        """Return the network as it starts.

        >>> SETTINGS["6a"].network(seed=0).weights, SETTINGS["4"].network(seed=0).weights
        (156, 93)
        """
        task, (blocks, size) = self.make()[0], self.shape
        found = Network1997.random(
            np.random.default_rng(seed), task.input_size, blocks, size, task.output_size, self.biased, self.linear,
            self.span,
        )  # fmt: skip
        if self.input_bias:
            found.hidden[:blocks, -1] = self.input_bias
        if self.output_bias:
            found.hidden[-blocks:, -1] = self.output_bias
        return found


def chosen(names: Sequence[str] | None) -> tuple[Setting, ...]:
    """Return the experiments of these names; without names those of `SHORT`.

    Raises:
        InputError: a name that there is not.

    >>> [setting.what for setting in chosen(["6a"])]
    ['order of 2 symbols']
    """
    for name in names or ():
        if name not in SETTINGS:
            raise InputError(f"there is no experiment {name!r} of 1997; there are {', '.join(SETTINGS)}")
    return tuple(SETTINGS[name] for name in dict.fromkeys(names or SHORT))


_REBER, _TWO = "embedded_reber:strings=256", "two_sequences:form={}:informative={}"
_STRINGS = Looks(None, 200, 256, both=True)  # a batch of so many has each of a set
_SUM, _ORDER = Streak(0.04, 2000, error=0.01), Streak(0.3, 2000, error=0.1)
_IN3, _OUT3 = (-1.0, -3.0, -5.0), (-2.0, -4.0, -6.0)
_OUTPUTS = (-1.0, -2.0, -3.0, -4.0)

#: With output units as the paper says.
_LOGISTIC = (
    Setting("1-4x1", "Reber, 4 blocks of 1", _REBER, 50, (4, 1), 0.1, "gates", _STRINGS,
            264, 39_740, None, output_bias=_OUTPUTS, span=0.2),
    Setting("1-3x2", "Reber, 3 blocks of 2", _REBER, 50, (3, 2), 0.1, "gates", _STRINGS,
            276, 21_730, None, output_bias=_OUTPUTS[:3], span=0.2),
    Setting("2c-50", "lag of 50, as many", "noise_free:form=2c", 50, (2, 1), 0.01, "none",
            Streak(0.2, 10_000), 364, 30_000, None, span=0.2),
    Setting("2c-100", "lag of 100, as many", "noise_free:form=2c", 100, (2, 1), 0.01, "none",
            Streak(0.2, 10_000), 664, 31_000, None, span=0.2),
    Setting("3a-n3", "two sequences, N = 3", _TWO.format("3a", 3), 100, (3, 1), 1.0, "hidden",
            Looks(0.2, 250, 256, error=0.01), 102, 39_850, 0.000195, _IN3, _OUT3),
    Setting("3a-n1", "two sequences, N = 1", _TWO.format("3a", 1), 100, (3, 1), 1.0, "hidden",
            Looks(0.2, 250, 256, error=0.01), 102, 64_330, 0.000117, _IN3, _OUT3),
    Setting("3b-n3", "noise everywhere, N = 3", _TWO.format("3b", 3), 100, (3, 1), 1.0, "hidden",
            Looks(0.2, 250, 256, 5, error=0.04), 102, 43_250, 0.00828, _IN3, _OUT3),
    Setting("3b-n1", "noise everywhere, N = 1", _TWO.format("3b", 1), 100, (3, 1), 1.0, "hidden",
            Looks(0.2, 250, 256, 5, error=0.04), 102, 78_430, 0.015, _IN3, _OUT3),
    Setting("3c-n3", "noise on targets, N = 3", _TWO.format("3c", 3), 100, (3, 1), 0.1, "hidden",
            Looks(0.1, 1000, 256, error=0.015), 102, 269_650, 0.00558, _IN3, _OUT3),
    Setting("3c-n1", "noise on targets, N = 1", _TWO.format("3c", 1), 100, (3, 1), 0.1, "hidden",
            Looks(0.1, 1000, 256, error=0.015), 102, 565_640, 0.00441, _IN3, _OUT3),
    Setting("4", "adding, T = 100", "adding:form=1997", 100, (2, 2), 0.5, "all", _SUM,
            93, 74_000, 1 / FRESH, (-3.0, -6.0)),
    Setting("4-500", "adding, T = 500", "adding:form=1997", 500, (2, 2), 0.5, "all", _SUM,
            93, 209_000, 0.0, (-3.0, -6.0)),
    Setting("5-140", "product, < 140 wrong", "multiplication", 100, (2, 2), 0.1, "all",
            Streak(0.04, 2000, 139), 93, 482_000, 139 / FRESH),
    Setting("5-13", "product, < 13 wrong", "multiplication", 100, (2, 2), 0.1, "all",
            Streak(0.04, 2000, 12), 93, 1_273_000, 14 / FRESH),
    Setting("6a", "order of 2 symbols", "temporal_order:form=6a", 100, (2, 2), 0.5, "all", _ORDER,
            156, 31_390, 1 / FRESH, (-2.0, -4.0)),
    Setting("6b", "order of 3 symbols", "temporal_order:form=6b", 100, (3, 2), 0.1, "all", _ORDER,
            308, 571_100, 2 / FRESH, (-2.0, -4.0, -6.0)),
)  # fmt: skip

#: By the name that the command takes: each experiment, and the same with linear output units.
SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for each in _LOGISTIC
    for setting in (each, replace(each, name=f"{each.name}-linear", linear=True))
}
#: Those that take seconds each.
SHORT = ("1-3x2-linear", "3a-n3", "3b-n3", "4-linear", "6a", "6a-linear")

#: What is different from the paper, or had to be guessed.
DIFFERS = (
    "The paper says that output units are logistic. Each experiment is there with such and with linear ones (-linear).",
    "Not here: experiments 2a and 2b, which have another network, and lags of 1,000 steps.",
    "A network sees the input of a step at that step, and cells and gates of the step before.",
    "A criterion that looks back counts the sequences that it looks back on. In 2c, 4, 5 and 6 each is judged "
    "before it is learned from. The mean error is that of all outputs, in absolute value.",
    "Experiment 1: strings of up to 50 symbols, weights change after every symbol; every 200 strings, of which none "
    "comes twice, all 256 of both sets are looked at.",
    "Experiment 3: looks every 250 sequences (3c: 1,000) at 256 that are drawn anew; only the second, stricter "
    "criterion of the paper.",
)
