"""Schedules: objects that change an optimizer's learning rate between its steps.

`tinygrad-rnn train --schedule` takes them as a text, such as "cosine:updates=1000"; a new one is a class here and a
line in `SCHEDULES`. What a schedule remembers are plain numbers, `state_dict`, which a checkpoint keeps.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tinygrad_rnn import arguments, specs
from tinygrad_rnn.engine.creation import zeros
from tinygrad_rnn.errors import InputError, StateError
from tinygrad_rnn.optim.algorithms import SGD
from tinygrad_rnn.optim.optimizer import Optimizer

__all__ = [
    "SCHEDULES", "CosineAnnealingLR", "GradientMonitor", "LinearLR", "ReduceLROnPlateau", "Schedule", "ScheduleEntry",
    "StepLR", "parse_schedule",
]  # fmt: skip


class Schedule:
    """Base of the schedules: `step` after every step of the optimizer, `validated` after every validation.

    Attributes:
        optimizer: whose learning rate it sets.
        base: the learning rate when the schedule was made.
        taken: how many steps it has seen.
    """

    #: What it remembers, in the attributes of these names.
    remembers: ClassVar[tuple[str, ...]] = ("base", "taken")

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.base, self.taken = optimizer, optimizer.lr.item(), 0

    def step(self, norm: float | None = None) -> None:
        """Take note of a step of the optimizer, and of the norm that the gradient had."""
        self.taken += 1
        if (factor := self.factor(self.taken)) is not None:
            self.optimizer.lr = self.base * factor

    def validated(self, loss: float) -> None:
        """Take note of a validation."""

    def rebase(self, lr: float) -> None:
        """Go on as if the learning rate had been another one when the schedule was made."""
        share = self.factor(self.taken)
        if share is None:  # it goes by what happened
            share = self.optimizer.lr.item() / self.base if self.base else 1.0
        self.base = lr
        self.optimizer.lr = lr * share

    def factor(self, step: int) -> float | None:
        """Return the learning rate after so many steps as a multiple of the first; None if that is not the question."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """Return what it remembers, as JSON can hold it. The learning rate itself is in the optimizer's state."""
        return {name: getattr(self, name) for name in self.remembers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict` of the same kind of schedule.

        Raises:
            StateError: it is of another kind, or holds something else than numbers.
        """
        if set(state) != set(self.remembers):
            raise StateError(f"the state does not fit {type(self).__name__}, which has {', '.join(self.remembers)}")
        for name, value in state.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise StateError(f"{type(self).__name__}: {name} must be a number, not {value!r}")
        vars(self).update(state)


class StepLR(Schedule):
    """Multiply the learning rate by gamma after every so many steps.

    lr_t = lr_0 * gamma**(t // step_size)

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> sgd = optim.SGD([tg.zeros(1, requires_grad=True)], lr=0.5)
    >>> schedule = optim.StepLR(sgd, step_size=2, gamma=0.5)
    >>> for _ in range(2): schedule.step()
    >>> sgd.lr.item()
    0.25
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = arguments.whole("step_size", step_size)
        self.gamma = arguments.not_negative("gamma", gamma)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.gamma ** (step // self.step_size)


class CosineAnnealingLR(Schedule):
    """Lower the learning rate along half a cosine, to `end` times the first after T steps (Loshchilov & Hutter 2017).

    lr_t = lr_0 * (end + (1 - end) * (1 + cos(pi * t / T)) / 2), and lr_0 * end after that. PyTorch's goes up again
    after T steps, and takes the last learning rate itself, eta_min = lr_0 * end.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, end: float = 0.0) -> None:
        self.T_max = arguments.whole("T_max", T_max)
        self.end = arguments.not_negative("end", end)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        done = min(step, self.T_max) / self.T_max
        return self.end + (1 - self.end) * (1 + math.cos(math.pi * done)) / 2


class LinearLR(Schedule):
    """Warm up: raise the learning rate evenly from `start_factor` times the first to the first itself.

    lr_t = lr_0 * (s + (1 - s) * min(t, total) / total). It begins when the schedule is made.
    """

    def __init__(self, optimizer: Optimizer, total_iters: int, start_factor: float = 1 / 3) -> None:
        self.total_iters = arguments.whole("total_iters", total_iters)
        self.start_factor = arguments.not_negative("start_factor", start_factor)
        super().__init__(optimizer)
        optimizer.lr = self.base * self.factor(0)

    def factor(self, step: int) -> float:
        return self.start_factor + (1 - self.start_factor) * min(step, self.total_iters) / self.total_iters


class ReduceLROnPlateau(Schedule):
    """Multiply the learning rate by `factor` when the validated loss has not fallen for more than `patience` times.

    It has fallen when it is below (1 - threshold) times the best so far, as in PyTorch.
    """

    remembers = ("base", "taken", "best", "waited")

    def __init__(self, optimizer: Optimizer, factor: float = 0.1, patience: int = 10, threshold: float = 1e-4) -> None:
        self.reduction = arguments.fraction("factor", factor)
        self.patience = arguments.whole("patience", patience, least=0)
        self.threshold = arguments.fraction("threshold", threshold)
        self.best: float | None = None  # the lowest loss so far
        self.waited = 0  # how many validations ago that was
        super().__init__(optimizer)

    def validated(self, loss: float) -> None:
        if self.best is None or loss < self.best * (1 - self.threshold):
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        if self.waited > self.patience:
            self.optimizer.lr = self.optimizer.lr.item() * self.reduction
            self.waited = 0


class GradientMonitor(Schedule):
    """Watch the norm of the gradient: halve the learning rate when it leaves a band, and double it when all is calm.

    The band reaches from 1 / band to band times the norm's running mean (of its logarithm, so up and down count alike).
    A norm outside halves the learning rate; after `patience` norms inside, one after the other, it is doubled, up to
    what it was at first. The mean takes in every norm with a share of 1 / 10.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> sgd = optim.SGD([tg.zeros(1, requires_grad=True)], lr=0.5)
    >>> monitor = optim.GradientMonitor(sgd, band=10.0)
    >>> for norm in (1.0, 1.1, 40.0): monitor.step(norm)
    >>> sgd.lr.item()
    0.25
    """

    remembers = ("base", "taken", "mean", "calm")
    SHARE = 0.1

    def __init__(self, optimizer: Optimizer, band: float = 10.0, patience: int = 50) -> None:
        self.band = arguments.number("band", band, "a number above 1", lambda found: 1 < found < math.inf)
        self.patience = arguments.whole("patience", patience)
        self.mean: float | None = None  # of the logarithms of the norms
        self.calm = 0  # how many norms lay inside since the last that did not, or since the last change
        super().__init__(optimizer)

    def step(self, norm: float | None = None) -> None:
        """Take note of a step and of the norm; a step without one, or with a gradient of 0, says nothing."""
        super().step()
        if not norm:
            return
        size = math.log(norm)
        self.mean = size if self.mean is None else self.mean
        if abs(size - self.mean) > math.log(self.band):
            self.optimizer.lr, self.calm = self.optimizer.lr.item() / 2, 0
        else:
            self.calm += 1
            if self.calm >= self.patience:
                self.optimizer.lr, self.calm = min(self.base, self.optimizer.lr.item() * 2), 0
        self.mean += self.SHARE * (size - self.mean)


# ---- the table -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScheduleEntry:
    """A line of the table of schedules.

    Attributes:
        schedule: the class.
        summary: what it does, in one line.
        options: what can be chosen about it, and how a value is read.
        arguments: what the class calls each option.
    """

    schedule: Callable[..., Schedule]
    summary: str
    options: Mapping[str, Callable[[str], specs.Value]]
    arguments: Mapping[str, str]

    @property
    def needed(self) -> tuple[str, ...]:
        """The options that have no default."""
        known = inspect.signature(self.schedule).parameters
        return tuple([name for name in self.options if known[self.arguments[name]].default is inspect.Parameter.empty])


#: By the name that texts and commands use.
SCHEDULES: dict[str, ScheduleEntry] = {
    "step": ScheduleEntry(
        StepLR, "times `by` after every `every` updates", {"every": specs.whole, "by": specs.number},
        {"every": "step_size", "by": "gamma"},
    ),
    "cosine": ScheduleEntry(
        CosineAnnealingLR, "along half a cosine, to `end` times the first after `updates`",
        {"updates": specs.whole, "end": specs.number}, {"updates": "T_max", "end": "end"},
    ),
    "warmup": ScheduleEntry(
        LinearLR, "up evenly, from `start` times the full one, in `updates`",
        {"updates": specs.whole, "start": specs.number}, {"updates": "total_iters", "start": "start_factor"},
    ),
    "plateau": ScheduleEntry(
        ReduceLROnPlateau, "times `by` when `patience` validations brought no lower loss",
        {"by": specs.number, "patience": specs.whole}, {"by": "factor", "patience": "patience"},
    ),
    "monitor": ScheduleEntry(
        GradientMonitor, "halved when the gradient is `band` times its usual norm, or a `band`th of it",
        {"band": specs.number, "patience": specs.whole}, {"band": "band", "patience": "patience"},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class ScheduleSpec(specs.Spec):
    """A schedule of the table and what was chosen about it."""

    def make(self, optimizer: Optimizer) -> Schedule:
        """Return the schedule.

        Raises:
            InputError: an option that it needs is missing, or has a value that cannot be.
        """
        entry, chosen = SCHEDULES[self.name], dict(self.options)
        for needed in entry.needed:
            if needed not in chosen:
                raise InputError(f"the schedule {self.name} needs {needed}: {self.name}:{needed}=...")
        return entry.schedule(optimizer, **{entry.arguments[name]: value for name, value in chosen.items()})


def parse_schedule(text: str) -> ScheduleSpec:
    """Read a specification: a schedule's name, then `:option=value` as often as needed.

    Raises:
        InputError: an unknown schedule or option, a value that cannot be, an option given twice, or one missing that
            is needed.

    >>> from tinygrad_rnn import optim
    >>> optim.parse_schedule("step:every=100:by=0.50").text
    'step:every=100:by=0.5'
    """
    spec = ScheduleSpec(*specs.read("schedule", text, SCHEDULES))
    try:
        spec.make(SGD([zeros(1, requires_grad=True)], lr=1.0))  # of nothing: to see whether it can be made
    except InputError as error:
        raise InputError(f"{text!r}: {error}") from None
    return spec
