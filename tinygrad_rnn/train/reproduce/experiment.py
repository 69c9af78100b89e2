"""What an experiment is: learners, what they learn, what the paper says came out, and what is different here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.train.reproduce.trial import Learner, Plan, Trial, trial

__all__ = ["Experiment", "Published", "Row"]


@dataclass(frozen=True)
class Published:
    """A result that the paper prints: of what, what, and where it stands."""

    what: str
    value: str
    source: str


@dataclass(frozen=True)
class Experiment:
    """A line of the table of experiments.

    Attributes:
        name: as the command takes it.
        question: what it is about, in one line.
        paper: authors, year and where there.
        plan: what is learned, and when it counts as learned.
        learners: that are compared.
        seeds: how many, unless others are asked for.
        published: results of the paper to lay beside.
        differs: what is different from the paper, in sentences.
    """

    name: str
    question: str
    paper: str
    plan: Plan
    learners: tuple[Learner, ...]
    seeds: int
    published: tuple[Published, ...]
    differs: tuple[str, ...]

    def asked(self, updates: int | None) -> Experiment:
        """Return the experiment with another number of updates at most; itself with None."""
        if updates is None:
            return self
        return replace(self, plan=replace(self.plan, updates=updates, every=min(self.plan.every, updates)))

    def of(self, names: Sequence[str] | None) -> Experiment:
        """Return the experiment with these of its learners; itself with None.

        Raises:
            InputError: a learner that it does not have.
        """
        if names is None:
            return self
        there = {learner.name: learner for learner in self.learners}
        for name in names:
            if name not in there:
                raise InputError(f"{self.name} has no line {name!r}; there are {', '.join(there)}")
        return replace(self, learners=tuple(there[name] for name in dict.fromkeys(names)))

    def trials(self, seeds: Sequence[int]) -> Iterator[Trial]:
        """Yield every trial as it ends: each learner with each seed."""
        for learner in self.learners:
            for seed in seeds:
                yield trial(learner, self.plan, seed)


@dataclass(frozen=True)
class Row:
    """What one learner came to over all seeds. Nothing here knows which learner ought to be better.

    >>> from tinygrad_rnn.train.reproduce import Learner, Row, Trial
    >>> gru = Learner("GRU", "gru", 4)
    >>> trials = [Trial(gru, seed, 90, reached, 500, {"wrong": 0.0}, 1.0) for seed, reached in enumerate((200, None))]
    >>> row = Row(gru, tuple(trials))
    >>> row.solved, row.updates, row.reached
    (1, 200.0, 'reached by 1 of 2')
    """

    learner: Learner
    trials: tuple[Trial, ...]

    def __post_init__(self) -> None:
        if not self.trials:
            raise InputError("a row needs at least one trial")

    @staticmethod
    def of(trials: Sequence[Trial]) -> list[Row]:
        """Return a row for every learner, in the order in which they first come."""
        learners = dict.fromkeys(trial.learner for trial in trials)
        return [Row(learner, tuple(each for each in trials if each.learner == learner)) for learner in learners]

    @property
    def solved(self) -> int:
        """How many trials reached the criterion."""
        return sum(trial.reached is not None for trial in self.trials)

    @property
    def reached(self) -> str:
        """The same in words: "not reached" if none did."""
        return f"reached by {self.solved} of {len(self.trials)}" if self.solved else "not reached"

    @property
    def updates(self) -> float | None:
        """The median of the updates to the criterion, of the trials that reached it; None if none did."""
        found = [trial.reached for trial in self.trials if trial.reached is not None]
        return float(median(found)) if found else None

    @property
    def spread(self) -> tuple[int, int] | None:
        """The fewest and the most of these updates."""
        found = [trial.reached for trial in self.trials if trial.reached is not None]
        return (min(found), max(found)) if found else None

    @property
    def seconds(self) -> float:
        """Of all trials together."""
        return sum(trial.seconds for trial in self.trials)

    def score(self, name: str) -> float:
        """Return the median of a score over the trials, on examples that no look has shown."""
        return float(median(trial.scores[name] for trial in self.trials))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "name": self.learner.name,
            "cell": self.learner.cell,
            "hidden": self.learner.hidden,
            "how": self.learner.how,
            "parameters": self.trials[0].parameters,
            "solved": self.solved,
            "of": len(self.trials),
            "updates": self.updates,
            "trials": [
                {
                    "seed": trial.seed,
                    "reached": trial.reached,
                    "updates": trial.updates,
                    "scores": {name: value if value - value == 0 else None for name, value in trial.scores.items()},
                    "seconds": round(trial.seconds, 1),
                    "ended": trial.ended,
                }
                for trial in self.trials
            ],
        }
