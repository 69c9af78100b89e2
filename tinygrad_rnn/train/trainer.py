"""A training from its first update to its last: `fit`, and now and then a validation and a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

import numpy as np

from tinygrad_rnn import arguments, optim
from tinygrad_rnn.errors import DivergenceError, InputError
from tinygrad_rnn.tasks import Task
from tinygrad_rnn.train.checkpoint import Checkpoint
from tinygrad_rnn.train.cures import Cures
from tinygrad_rnn.train.loop import Update, assess, check_optimizer, fit
from tinygrad_rnn.train.models import Model

#: A validation is the mean over this many examples, or more if the task's criterion speaks of more.
VALIDATED = 256


class Keeper(Protocol):
    """What a trainer tells how it is getting on."""

    def record(self, line: Mapping[str, Any]) -> None:
        """Write down a line of the metrics; see `train.metrics`."""

    def save(self, trainer: Trainer) -> None:
        """Make a checkpoint."""


class Trainer:
    """A model, what it learns and how, and how far it got.

    The batch of an update is a function of the seed and of the update's number, dropout draws from the default
    generator, and a checkpoint keeps both: a training that is resumed ends with the same numbers, to the bit.

    Args:
        model: with the parameters that it has; they are trained in place.
        task: what to learn.
        optimizer: over the model's parameters.
        updates: how many there shall have been at the end.
        held_out: what to validate on; the task itself unless given.
        batch: B, the examples in a batch.
        seed: of the batches.
        clip: the largest norm a gradient may have.
        validate_every: so many updates lie between two validations; there is one before the first update and one after
            the last, too.
        until_solved: whether to end at the first validation at which the task's criterion is met.
        cures: how an update finds its gradients; plain back-propagation unless given.
        schedule: of the learning rate, as a text; see `optim.parse_schedule`. It goes by the updates, the validated
            loss or the norm of the gradient.
        about: what else a checkpoint shall say, as JSON can hold it, such as how to make the task again.
        made: the number of updates made before.

    Raises:
        InputError: until_solved, and the task has no criterion; a number that cannot be; cures that are not for
            that model or task; or an optimizer of another model.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, Trainer
    >>> model = SequenceModel("gru", 2, 4, 1)
    >>> trainer = Trainer(model, AddingTask(6), optim.Adam(model.parameters()), updates=3, batch=4)
    >>> trainer.train(), trainer.made, sorted(trainer.scores())
    ('done', 3, ['loss', 'wrong'])
    """

    #: What a checkpoint says of the training, beside `about`, updates, called "target", and made, called "updates".
    SETTINGS = ("batch", "seed", "clip", "validate_every", "until_solved")

    def __init__(
        self,
        model: Model,
        task: Task,
        optimizer: optim.Optimizer,
        updates: int,
        *,
        held_out: Task | None = None,
        batch: int = 32,
        seed: int = 0,
        clip: float = 1.0,
        validate_every: int = 100,
        until_solved: bool = False,
        cures: Cures | None = None,
        schedule: str | None = None,
        about: Mapping[str, Any] | None = None,
        made: int = 0,
    ) -> None:
        if until_solved and task.criterion is None:
            raise InputError(f"nobody can say when the task {task.name} is solved; choose a number of updates instead")
        check_optimizer(model, optimizer)
        self.model, self.task, self.optimizer = model, task, optimizer
        self.held_out = task if held_out is None else held_out
        self.batch, self.seed = arguments.whole("batch", batch), arguments.whole("seed", seed, least=0)
        self.clip = arguments.number("clip", clip, "a number above 0", lambda norm: norm > 0)
        self.validate_every, self.until_solved = arguments.whole("validate_every", validate_every), until_solved
        self.cures = cures or Cures()
        self.cures.check(model, task)
        if task.stateful:
            task.continued(batch, 0)  # too short a text is refused before anything is kept
        self.schedule = None if schedule is None else optim.parse_schedule(schedule).make(optimizer)
        self._schedule = schedule
        self.about = dict(about or {})
        self.updates, self.made = arguments.whole("updates", updates, least=0), arguments.whole("made", made, least=0)
        self._scored: tuple[int, dict[str, float]] | None = None

    @classmethod
    def resumed(cls, checkpoint: Checkpoint, task: Task, held_out: Task | None = None) -> Self:
        """Return the training of which a checkpoint was made, as it stood; the default generator is put there, too.

        Args:
            task: what it learned, made again.
            held_out: what it was validated on.

        Raises:
            InputError: the checkpoint does not say what is needed to continue.
        """
        said = dict(checkpoint.settings)
        try:
            made = said.pop("updates")
            updates = said.pop("target", made)
            known = {name: said.pop(name) for name in cls.SETTINGS if name in said}
            known["cures"] = Cures.said_by(said)
            said = {name: value for name, value in said.items() if name not in ("cures", "remedies")}
            schedule, stood = said.pop("schedule", None), said.pop("schedule_state", {})
        except (KeyError, InputError) as error:
            raise InputError(f"the checkpoint lacks what is needed to continue: {error}") from None
        optimizer = checkpoint.resume()
        lr = optimizer.lr.item()
        options = known | {"schedule": schedule, "about": said, "made": made}
        found = cls(checkpoint.model, task, optimizer, updates, held_out=held_out, **options)
        if found.schedule is not None:
            found.schedule.load_state_dict(stood)
            optimizer.lr = lr
        return found

    @property
    def base_lr(self) -> float:
        """The learning rate that was asked for, which a schedule changes from; assign to it to ask for another."""
        return self.optimizer.lr.item() if self.schedule is None else self.schedule.base

    @base_lr.setter
    def base_lr(self, lr: float) -> None:
        if self.schedule is None:
            self.optimizer.lr = lr
        else:
            self.schedule.rebase(lr)

    def settings(self) -> dict[str, Any]:
        """Return what a checkpoint has to say so that the training can be resumed from it."""
        own = {name: getattr(self, name) for name in self.SETTINGS}
        own |= {"cures": chosen} if (chosen := self.cures.config()) else {}
        if self.schedule is not None:
            own |= {"schedule": self._schedule, "schedule_state": self.schedule.state_dict()}
        return {**self.about, **own, "target": self.updates, "updates": self.made}

    def scores(self) -> dict[str, float]:
        """Return the loss and the task's scores of the model as it is, on examples that it does not learn from."""
        if self._scored is None or self._scored[0] != self.made:
            criterion = self.task.criterion
            examples = VALIDATED if criterion is None else max(VALIDATED, criterion.examples)
            self._scored = self.made, assess(self.model, self.held_out, examples, self.seed)
        return self._scored[1]

    @property
    def solved(self) -> bool | None:
        """Whether the task's criterion is met; None if it has none."""
        return None if self.task.criterion is None else self.task.criterion.met(self.scores())

    def train(
        self,
        keeper: Keeper | None = None,
        every: int = 250,
        on_update: Callable[[Update], object] | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> str:
        """Make the updates that are missing; return "done", "solved" or "interrupted".

        Args:
            keeper: where metrics and checkpoints go.
            every: a checkpoint after so many updates, and at the end.
            on_update: called with each update.
            interrupted: asked after each update whether to end there.

        Raises:
            DivergenceError: loss, gradient or weights are no longer finite. The last checkpoint is from before that.
            InputError: none is missing, or `every` is no number of updates.
        """
        every = arguments.whole("every", every)
        if self.updates <= self.made:
            raise InputError(f"{self.made} updates have been made already; ask for more than that in all")
        if self.made == 0 and keeper is not None:
            keeper.record(self._validation())
        if self.until_solved and self.made % self.validate_every == 0 and self.solved:
            if keeper is not None:
                self._save(keeper)
            return "solved"
        options = self.updates, self.batch, self.seed, self.clip, self.made, self.cures
        try:
            for update in fit(self.model, self.task, self.optimizer, *options):
                self.made += 1
                if self.schedule is not None:
                    self.schedule.step(update.norm)
                if keeper is not None:
                    keeper.record({"update": self.made, **update._asdict()})
                if on_update is not None:
                    on_update(update)
                ended = self._ended(keeper, interrupted)
                if keeper is not None and (ended or self.made % every == 0):
                    self._save(keeper)
                if ended:
                    break
        except DivergenceError as error:
            if keeper is not None:
                keeper.record({"update": self.made + 1, "diverged": str(error)})
            raise
        return ended

    def _ended(self, keeper: Keeper | None, interrupted: Callable[[], bool]) -> str:
        """Validate if it is time to; return how the training ends here, and nothing if it goes on."""
        if self.made % self.validate_every == 0 or self.made == self.updates:
            if self.schedule is not None and self.made % self.validate_every == 0:
                self.schedule.validated(self.scores()["loss"])
            if keeper is not None:
                keeper.record(self._validation())
            if self.until_solved and self.solved:
                return "solved"
        if self.made == self.updates:
            return "done"
        return "interrupted" if interrupted() else ""

    def _validation(self) -> dict[str, Any]:
        """Return the line of the metrics about the model as it is."""
        line: dict[str, Any] = {"update": self.made, "validation": self.scores()}
        return line if self.solved is None else line | {"solved": self.solved}

    def _save(self, keeper: Keeper) -> None:
        if not all(np.isfinite(parameter.numpy()).all() for parameter in self.model.parameters()):
            raise DivergenceError(
                f"after update {self.made} the weights are no finite numbers: training diverged, and they are not "
                "saved; take a smaller learning rate or fewer updates"
            )
        keeper.save(self)


def updates_per_epoch(task: Task, batch: int) -> int:
    """Return how many updates see as many examples as the task has.

    They are drawn at random: in an epoch some are seen twice, and others not at all.

    Raises:
        InputError: the task makes new examples for every update.

    >>> from tinygrad_rnn.tasks import TextTask
    >>> from tinygrad_rnn.train import updates_per_epoch
    >>> updates_per_epoch(TextTask("to be or not to be" * 10, steps=6), batch=4)   # 180 characters, 24 an update
    8
    """
    if task.data_size is None:
        raise InputError(f"the task {task.name} makes new examples for every update, so it has no epochs")
    return math.ceil(task.data_size / batch)
