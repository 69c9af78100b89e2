"""Which cures a training takes: how an update finds its gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from tinygrad_rnn import arguments, optim
from tinygrad_rnn.engine.creation import default_generator
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch, Task
from tinygrad_rnn.train.cures.omega import omega
from tinygrad_rnn.train.cures.pieces import recomputed, truncated
from tinygrad_rnn.train.cures.teaching import check_teacher, parse_teacher, taught
from tinygrad_rnn.train.models import Model

__all__ = ["Cures"]


@dataclass(frozen=True)
class Cures:
    """How an update finds its gradients; one of the first four at most. Plain back-propagation unless chosen.

    Attributes:
        truncate: (k1, k2) of truncated back-propagation through time; see `truncated`.
        recompute: whether to keep the graph of a piece of the sequence only; see `recomputed`.
        omega: the weight of Pascanu's Omega, 0 for none; see `omega`.
        teacher: of scheduled sampling, as a text; see `parse_teacher`.
        clip_value: what every element of the gradient is limited to, before the norm is clipped; None for no limit.

    Raises:
        InputError: two of the first four, a weight or a limit below 0, or an unknown teacher.

    >>> from tinygrad_rnn.train import Cures
    >>> Cures(truncate=(1, 15)).config()
    {'truncate': [1, 15]}
    """

    truncate: tuple[int, int] | None = None
    recompute: bool = False
    omega: float = 0.0
    teacher: str | None = None
    clip_value: float | None = None

    def __post_init__(self) -> None:
        arguments.flag("recompute", self.recompute)
        chosen = [name for name in ("truncate", "recompute", "omega", "teacher") if getattr(self, name)]
        if len(chosen) > 1:
            raise InputError(f"an update finds its gradients in one way: choose one of {' and '.join(chosen)}")
        if not self.omega >= 0:
            raise InputError(f"the weight of Omega must be a number >= 0, not {self.omega}")
        if self.clip_value is not None and not self.clip_value > 0:
            raise InputError(f"the limit of a gradient's elements must be above 0, not {self.clip_value}")
        if self.teacher is not None:
            parse_teacher(self.teacher)

    def config(self) -> dict[str, Any]:
        """Return what was chosen, as JSON can hold it."""
        chosen = {each.name: getattr(self, each.name) for each in fields(self)}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()}
        return {name: value for name, value in plain.items() if value}

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Return what a `config` says.

        Raises:
            InputError: it says something else.
        """
        given = dict(config)
        try:
            if given.get("truncate") is not None:
                k1, k2 = given["truncate"]
                given["truncate"] = (k1, k2)
            return cls(**given)
        except InputError:
            raise
        except (TypeError, ValueError) as error:
            raise InputError(f"these are no cures: {dict(config)!r} ({error})") from None

    @classmethod
    def said_by(cls, settings: Mapping[str, Any]) -> Self:
        """Return what the settings of a checkpoint say; earlier ones call it remedies.

        Raises:
            InputError: they say something else.
        """
        return cls.of(settings.get("cures", settings.get("remedies", {})))

    def check(self, model: Model, task: Task) -> None:
        """Refuse a model or a task that the cures are not for, before anything is trained.

        Raises:
            InputError: they are not for it; says why.
        """
        if task.stateful:
            self._check_plain()
        if self.teacher is not None:
            check_teacher(model, task)
        if self.truncate or self.recompute or self.omega:
            drawn = task.batch(1, 0, model.dtype).to(model.device)
            before, stood = [p.grad for p in model.parameters()], default_generator.state_dict()
            self._backward(model, task, drawn, 0)
            default_generator.load_state_dict(stood)
            for p, gradient in zip(model.parameters(), before, strict=True):
                p.grad = gradient

    def backward(self, model: Model, task: Task, batch: Batch, update: int) -> Tensor:
        """Leave the gradients of an update, and return its loss.

        Args:
            update: how many were made before.
        """
        loss = self._backward(model, task, batch, update)
        if self.clip_value is not None:
            optim.clip_grad_value_(model.parameters(), self.clip_value)
        return loss

    def _check_plain(self) -> None:
        """Refuse what begins every batch with a state of zeros, where it should go on with the state carried."""
        for name in ("truncate", "recompute", "omega", "teacher"):
            if getattr(self, name):
                raise InputError(
                    f"{name} begins every batch with a state of zeros, and a stateful task carries it on from batch to "
                    f"batch: leave {name} out, or the option stateful"
                )

    def _backward(self, model: Model, task: Task, batch: Batch, update: int) -> Tensor:
        if batch.continues is not None:
            self._check_plain()
        if self.truncate is not None:
            return truncated(model, task, batch, *self.truncate)
        if self.recompute:
            return recomputed(model, task, batch)
        if self.omega:
            return omega(model, task, batch, self.omega)[0]
        if self.teacher is not None:
            loss = task.loss(taught(model, task, batch, parse_teacher(self.teacher).share(update)), batch)
        else:
            loss = model.loss(task, batch)
        loss.backward()
        return loss
