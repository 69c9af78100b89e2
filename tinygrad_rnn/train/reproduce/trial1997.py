"""One trial of an experiment of 1997: learn from one sequence after the other until its criterion is met."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np

from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch, Task
from tinygrad_rnn.train.loop import TRAINING
from tinygrad_rnn.train.reproduce.lstm1997 import Network1997
from tinygrad_rnn.train.reproduce.setting1997 import FRESH, Looks, Setting, Streak

__all__ = ["Outcome", "Summary", "train1997"]

#: What seeds of sequences begin with, of those that judge at a look, and at the end.
_LOOK, _END = TRAINING + 1, TRAINING + 2
#: So many sequences are drawn at a time, or fewer if they have more numbers than memory should hold.
_TOGETHER, _NUMBERS = 500, 4_000_000


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    Attributes:
        setting: what was done.
        seed: of weights and sequences.
        weights: how many numbers were learned.
        reached: the sequences after which the criterion was met, those it looks back on included; None if it never was.
        sequences: learned from.
        wrong: the share of new sequences answered wrong.
        error: by how much outputs were off on these, on the mean.
        seconds: of the processor, looks included.
    """

    setting: Setting
    seed: int
    weights: int
    reached: int | None
    sequences: int
    wrong: float
    error: float
    seconds: float


@dataclass(frozen=True)
class Summary:
    """What all trials of an experiment came to.

    >>> from tinygrad_rnn.train.reproduce.setting1997 import SETTINGS
    >>> setting = SETTINGS["6a"]
    >>> trials = [Outcome(setting, 0, 156, reached, 900, 0.0, 0.1, 1.0) for reached in (600, None)]
    >>> found = Summary(setting, tuple(trials))
    >>> found.reached, found.sequences
    ([600], 600)
    """

    setting: Setting
    outcomes: tuple[Outcome, ...]

    def __post_init__(self) -> None:
        if not self.outcomes:
            raise InputError("a summary needs at least one trial")

    @staticmethod
    def of(outcomes: Sequence[Outcome]) -> list[Summary]:
        """Return one for every experiment, in the order in which they first come."""
        settings = dict.fromkeys(outcome.setting for outcome in outcomes)
        return [Summary(setting, tuple(each for each in outcomes if each.setting == setting)) for setting in settings]

    @property
    def reached(self) -> list[int]:
        """The sequences to the criterion, of the trials that met it."""
        return [each.reached for each in self.outcomes if each.reached is not None]

    @property
    def sequences(self) -> float | None:
        """Their mean, as the paper has it; None if no trial met the criterion."""
        return mean(self.reached) if self.reached else None

    @property
    def wrong(self) -> float | None:
        """The mean share of new sequences answered wrong, of the trials that met the criterion; None if none did."""
        found = [each.wrong for each in self.outcomes if each.reached is not None]
        return mean(found) if found else None

    @property
    def seconds(self) -> float:
        """Of all trials together."""
        return sum(each.seconds for each in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        setting = self.setting
        trials = [vars(each) | {"setting": setting.name} for each in self.outcomes]
        finite = [{name: value if value == value else None for name, value in each.items()} for each in trials]
        paper = {"weights": setting.weights, "sequences": setting.published, "wrong": setting.wrong}
        return {
            "name": setting.name,
            "what": setting.what,
            "task": setting.task,
            "steps": setting.steps,
            "criterion": str(setting.stop),
            "paper": paper,
            "weights": self.outcomes[0].weights,
            "solved": len(self.reached),
            "of": len(self.outcomes),
            "sequences": self.sequences,
            "wrong": self.wrong,
            "trials": finite,
        }


def train1997(setting: Setting, seed: int, most: int | None = None) -> Outcome:
    """Learn until the criterion is met, weights are no numbers any more, or there were as many sequences as may be.

    The same seed gives the same numbers, seconds apart.

    Args:
        most: sequences; those of the setting unless given.

    >>> from tinygrad_rnn.train.reproduce.setting1997 import SETTINGS
    >>> found = train1997(SETTINGS["6a"], seed=0, most=600)
    >>> found.reached, found.sequences, found.weights
    (None, 600, 156)
    """
    started = time.process_time()
    learned, judged = setting.make()
    network, stop, most = setting.network(seed), setting.stop, most or setting.most
    if isinstance(stop, Looks):
        tasks = (learned, judged) if stop.both else (judged,)
        reached, made = _by_looks(network, setting.rate, stop, learned, tasks, seed, most)
    else:
        reached, made = _by_streak(network, setting.rate, stop, learned, seed, most)
    worst, off = _looked_at(network, judged, FRESH, (seed, _END))
    return Outcome(
        setting=setting,
        seed=seed,
        weights=network.weights,
        reached=reached,
        sequences=made,
        wrong=float(_mistaken(worst, stop).mean()),
        error=float(off.mean()),
        seconds=time.process_time() - started,
    )


class _Run:
    """The last sequences, how many of them were wrong, and by how much their outputs were off, summed up."""

    def __init__(self, stop: Streak) -> None:
        self.stop, self.last = stop, deque[tuple[bool, float]](maxlen=stop.run)
        self.wrong, self.off = 0, 0.0

    def met(self, wrong: bool, off: float) -> bool:
        """Take one more sequence, and return whether the criterion is met."""
        full = len(self.last) == self.stop.run
        first = self.last[0] if full else (False, 0.0)
        self.last.append((wrong, off))
        self.wrong += wrong - first[0]
        self.off += off - first[1]
        few = len(self.last) == self.stop.run and self.wrong <= self.stop.wrong
        return few and (self.stop.error is None or self.off / self.stop.run < self.stop.error)


def _by_streak(
    network: Network1997, rate: float, stop: Streak, task: Task, seed: int, most: int
) -> tuple[int | None, int]:
    """Learn until the last sequences had been answered right; return how many that took, if ever, and how many came."""
    run = _Run(stop)
    for made, size in _portions(most, _TOGETHER, task):
        batch, before = task.batch(size, (seed, TRAINING, made)), network.copy()
        worst, off = _answered(network, task, batch, rate)
        for place, sequence in enumerate(zip(_mistaken(worst, stop).tolist(), off.tolist(), strict=True), 1):
            if run.met(*sequence):
                network.hidden[:], network.output[:] = before.hidden, before.output
                some = Batch(batch.inputs[:, :place], batch.targets[:place], batch.lengths[:place])
                _answered(network, task, some, rate)  # again, and no further
                return made + place, made + place
        if not np.isfinite(network.output).all():
            return None, made + size
    return None, most


def _by_looks(
    network: Network1997, rate: float, stop: Looks, learned: Task, judged: Sequence[Task], seed: int, most: int
) -> tuple[int | None, int]:
    """Learn until a look finds few wrong; return how many sequences that took, if ever, and how many came."""
    for made in range(0, most, stop.every):
        size = min(stop.every, most - made)
        _answered(network, learned, learned.batch(size, (seed, TRAINING, made)), rate)
        looked = [_looked_at(network, task, stop.judged, (seed, _LOOK, made)) for task in judged]
        worst, off = (np.concatenate(parts) for parts in zip(*looked, strict=True))
        close = stop.error is None or off.mean() < stop.error
        if close and _mistaken(worst, stop).sum() <= stop.wrong:
            return made + size, made + size
        if not np.isfinite(network.output).all():
            return None, made + size
    return None, most


def _looked_at(network: Network1997, task: Task, size: int, seed: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return what `_answered` does, of so many new sequences, and learn nothing."""
    found = [
        _answered(network, task, task.batch(some, (*seed, made)), 0.0) for made, some in _portions(size, size, task)
    ]
    worst, off = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return worst, off


def _portions(all_of: int, together: int, task: Task) -> Iterator[tuple[int, int]]:
    """Yield how many sequences there were, and how many come next."""
    some = max(1, min(together, _NUMBERS // (task.steps * task.input_size)))
    for made in range(0, all_of, some):
        yield made, min(some, all_of - made)


def _mistaken(worst: np.ndarray, stop: Streak | Looks) -> np.ndarray:
    """Return which sequences were answered wrong; NaN is wrong."""
    return ~(worst < (0.5 if stop.right is None else stop.right))


def _answered(network: Network1997, task: Task, batch: Batch, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Learn from sequences; return by how much the worst output of each was off before, and the mean output, (B,) each.

    Where a task asks at every step, these are 1 for a sequence with a mistake, as the task sees it, and 0 for others.
    """
    targets = np.asarray(batch.targets)
    targets = np.eye(task.output_size)[targets] if targets.dtype.kind == "i" else targets[:, None]
    answers = network.learn(batch.inputs, batch.lengths, targets, rate)
    if targets.ndim == 3:
        wrong = task.scores(tensor(answers), batch)["wrong"].astype(float)
        return wrong, wrong
    off = np.abs(answers - targets)
    return off.max(axis=1), off.mean(axis=1)
