"""One trial of an experiment: train until a criterion is met, or the updates are used up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tinygrad_rnn import optim, tape
from tinygrad_rnn.engine.creation import manual_seed, tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch, Criterion, Task, parse_task
from tinygrad_rnn.train.cures import omega
from tinygrad_rnn.train.loop import TRAINING, assess
from tinygrad_rnn.train.models import MODELS

__all__ = ["ALGORITHMS", "Learner", "Plan", "Trial", "trial"]

#: How weights are updated, by the name that a learner gives.
ALGORITHMS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": optim.SGD,
    "rmsprop": optim.RMSprop,
    "adam": optim.Adam,
}
#: Added to the seed for the examples that are judged at the very end.
FRESH = 10**6


@dataclass(frozen=True)
class Learner:
    """What learns, and how.

    Attributes:
        name: as the table of the experiment calls it.
        cell: its specification; see `nn.parse_cell`.
        hidden: H.
        algorithm: a name of `ALGORITHMS`.
        learning_rate: of the algorithm.
        clip: the largest norm a gradient may have; None for no clipping.
        omega: the weight of Pascanu's regulariser beside the loss; 0 for none.
    """

    name: str
    cell: str
    hidden: int
    algorithm: str = "adam"
    learning_rate: float = 0.01
    clip: float | None = 1.0
    omega: float = 0.0

    @property
    def how(self) -> str:
        """The algorithm and its numbers: "adam 0.01, clip 1"."""
        found = f"{self.algorithm} {self.learning_rate:g}"
        found += "" if self.clip is None else f", clip {self.clip:g}"
        return f"{found}, Omega {self.omega:g}" if self.omega else found


@dataclass(frozen=True)
class Plan:
    """What is learned, for how long, and when it counts as learned.

    Attributes:
        task: its specification; see `tasks.parse_task`.
        steps: T; that of the table unless given.
        updates: at most.
        every: so many updates lie between two looks at the criterion.
        batch: B, the examples of an update.
        judged: the examples that the criterion is about, the same at every look; more if it speaks of more.
        judged_steps: their T; that of training unless given.
        criterion: that of the task unless given.
        windows: with more than 0, batches are windows of streams, so many one after the other until streams begin anew;
            the state is carried from window to window, and its gradient is not.
    """

    task: str
    updates: int
    every: int = 100
    batch: int = 32
    judged: int = 256
    steps: int | None = None
    judged_steps: int | None = None
    criterion: Criterion | None = None
    windows: int = 0

    def tasks(self) -> tuple[Task, Task, Criterion]:
        """Return the task to learn, the one to be judged on, and the criterion.

        Raises:
            InputError: neither the plan nor the task has a criterion.
        """
        spec = parse_task(self.task)
        text = spec.entry.reads().text if spec.entry.reads else None
        learned, judged = spec.make(self.steps, text).held_out()
        if self.judged_steps is not None:
            judged = spec.make(self.judged_steps, text).held_out()[1]
        criterion = self.criterion or learned.criterion
        if criterion is None:
            raise InputError(f"{self.task} has no criterion of its own; give the plan one")
        return learned, judged, criterion


@dataclass(frozen=True)
class Trial:
    """What one learner came to with one seed.

    Attributes:
        learner: that learned.
        seed: of weights and batches.
        parameters: how many numbers it learned.
        reached: the updates after which the criterion was first seen to be met; None if it never was.
        updates: made.
        scores: on examples drawn anew: the loss and the scores of the task. Where there are only so many held out,
            looks have shown them before.
        seconds: of training and of looks at the criterion.
        ended: why it ended early without the criterion, if it did: "the loss was nan at update 12".
    """

    learner: Learner
    seed: int
    parameters: int
    reached: int | None
    updates: int
    scores: dict[str, float]
    seconds: float
    ended: str | None = None


def trial(
    learner: Learner, plan: Plan, seed: int, on_look: Callable[[int, dict[str, float]], object] | None = None
) -> Trial:
    """Train until the criterion is met or the updates are used up.

    The same seed gives the same numbers, seconds apart. A loss that is no finite number ends the trial; it is one that
    did not reach the criterion.

    Args:
        on_look: called with the updates made and the scores whenever the criterion is looked at.

    Raises:
        InputError: an algorithm that there is not, a task without a criterion, a stream that is none, or Omega for a
            cell with gates or for streams.

    >>> from tinygrad_rnn.train.reproduce import Learner, Plan, trial
    >>> found = trial(Learner("GRU", "gru", 6), Plan("hello", updates=200, every=20, batch=1, judged=1), seed=0)
    >>> found.reached is not None, found.parameters
    (True, 244)
    """
    if learner.omega and plan.windows:
        raise InputError("Omega is not there for streams whose state is carried on; leave omega or windows out")
    if learner.algorithm not in ALGORITHMS:
        raise InputError(f"unknown algorithm {learner.algorithm!r}; there are {', '.join(ALGORITHMS)}")
    learned, judged, criterion = plan.tasks()
    examples = max(plan.judged, criterion.examples)
    manual_seed(seed)
    model = MODELS[learned.model].for_task(learned, learner.cell, learner.hidden)
    model.eval()  # it has no dropout; and a look at the criterion then changes no setting that a tape relies on
    parameters = sum(parameter.size for parameter in model.parameters())
    started = time.perf_counter()
    learning = _Learning(model, learned, learner)
    reached, made, ended = None, 0, None
    for batch in _batches(learned, plan, seed):
        if plan.windows and made % plan.windows == 0:
            learning.begin(plan.batch)
        loss = learning.update(batch)
        made += 1
        if not math.isfinite(loss):
            ended = f"the loss was {loss} at update {made}"
            break
        if made % plan.every == 0 or made == plan.updates:
            scores = assess(model, judged, examples, seed)
            if on_look is not None:
                on_look(made, scores)
            if criterion.met(scores):
                reached = made
                break
    seconds = time.perf_counter() - started
    return Trial(
        learner=learner,
        seed=seed,
        parameters=parameters,
        reached=reached,
        updates=made,
        scores=assess(model, judged, examples, seed + FRESH),
        seconds=seconds,
        ended=ended,
    )


def _batches(task: Task, plan: Plan, seed: int) -> Iterator[Batch]:
    if not plan.windows:
        for update in range(plan.updates):
            yield task.batch(plan.batch, (seed, TRAINING, update))
        return
    stream = getattr(task, "stream", None)
    if stream is None:
        raise InputError(f"{task.name} has no streams whose state could be carried on; take continual_reber")
    for first in range(0, plan.updates, plan.windows):
        windows = stream(plan.batch, (seed, TRAINING, first))
        yield from islice(windows, min(plan.windows, plan.updates - first))


@dataclass
class _Learning:
    """Makes updates; each form of batch is recorded once and replayed afterwards, in half the time."""

    model: Any
    task: Task
    learner: Learner
    tapes: dict[Any, tape.Tape] = field(default_factory=dict)
    state: tuple[Tensor, ...] = ()

    def __post_init__(self) -> None:
        self.parameters = list(self.model.parameters())
        self.optimizer = ALGORITHMS[self.learner.algorithm](self.parameters, lr=self.learner.learning_rate)

    def begin(self, size: int) -> None:
        """Begin new streams: from now on a state is carried on, and this is the first."""
        self.state = tuple(self.model.initial_state(size).values())

    def update(self, batch: Batch) -> float:
        """Learn from a batch, and return its loss before that."""
        there = [part for part in batch.parts() if part is not None]
        shapes = tuple(part.shape for part in there)
        given = [tensor(part) for part in there], list(self.state)
        if shapes in self.tapes:
            loss, self.state = self.tapes[shapes].replay(*given)
        else:
            self.tapes[shapes] = recorded = tape.record(self._step([part is None for part in batch.parts()]), *given)
            loss, self.state = recorded.result
        return float(loss.item())

    def _step(self, missing: list[bool]) -> Callable[..., tuple[Tensor, tuple[Tensor, ...]]]:
        """Return the step that is recorded: from the parts of a batch and a state to the loss and the next state."""

        def step(given: list[Tensor], state: list[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
            parts = iter(given)
            batch = Batch(*[None if absent else next(parts) for absent in missing])
            self.optimizer.zero_grad()
            after: tuple[Tensor, ...] = ()
            if self.learner.omega:
                loss, _ = omega(self.model, self.task, batch, self.learner.omega)
            else:
                if state:
                    outputs, final = self.model(batch.inputs, tuple(state) if len(state) > 1 else state[0])
                    after = tuple(part.detach() for part in (final if isinstance(final, tuple) else (final,)))
                else:
                    outputs = self.model.outputs(batch)
                loss = self.task.loss(outputs, batch)
                loss.backward()
            if self.learner.clip is not None:
                optim.clip_grad_norm_(self.parameters, self.learner.clip)
            self.optimizer.step()
            return loss.detach(), after

        return step
