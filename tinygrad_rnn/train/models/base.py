"""What training, measuring and checkpoints need to know about a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Self

from tinygrad_rnn import nn
from tinygrad_rnn.engine.creation import default_generator, tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch, Task

__all__ = ["Model", "in_use"]


class Model(nn.Module):
    """Base of the models. Which kind learns a task, the task says.

    A subclass is made from plain numbers and words, and gives them back by `config`. From a batch it computes `outputs`
    for training, as fast as it can, and `measured`, step by step, for gradient flow and pictures.

    Attributes:
        kind: its name in `MODELS`.
        cell_name: the cell it is built of, as a text; see `nn.parse_cell`.
    """

    kind: ClassVar[str]
    #: The parts of a batch that its steps read, one after the other.
    reads: ClassVar[tuple[str, ...]] = ("inputs",)
    #: Along which axis of the inputs the examples lie.
    batch_axis: ClassVar[int] = 1
    #: What its `config` has, and of which type or types; whole numbers are at least 1.
    settings: ClassVar[Mapping[str, type | tuple[type, ...]]]
    #: Of these, what files did not always say.
    defaults: ClassVar[Mapping[str, Any]] = {"dropout": 0.0}
    cell_name: str

    def __init__(self, *, dtype: Any, device: str, **config: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} has no __init__ method: define one")

    @classmethod
    def for_task(cls, task: Task, cell: str, hidden_size: int, num_layers: int = 1, **rest: Any) -> Self:
        """Return a new model of the sizes that a task needs; `rest` is dtype, device, and what else the kind takes."""
        raise NotImplementedError(f"{cls.__name__} has no for_task method: define one")

    @property
    def recurrent(self) -> Mapping[str, nn.Recurrent]:
        """The recurrent layers, by the name of the attribute that holds them."""
        return {name: part for name, part in vars(self).items() if isinstance(part, nn.Recurrent)}

    @property
    def last_cell(self) -> nn.Cell:
        """The cell of the last layer, whose state the output is made of."""
        raise NotImplementedError(f"{type(self).__name__} has no last_cell: define it")

    @property
    def dtype(self) -> Any:
        """The dtype of the parameters."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> str:
        """Where the parameters are, and inputs have to be."""
        return next(self.parameters()).device

    def config(self) -> dict[str, Any]:
        """Return what makes a model like this one, as JSON can hold it: `Kind(**config)`."""
        raise NotImplementedError(f"{type(self).__name__} has no config method: define one")

    @classmethod
    def shapes(cls, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters of the model with a `config`, by name, without making one."""
        raise NotImplementedError(f"{cls.__name__} has no shapes method: define one")

    def carried(self) -> dict[str, Tensor]:
        """Return the state with which the next batch begins, by the name of each part; nothing if none was carried."""
        return {}

    def carry(self, state: Mapping[str, Tensor]) -> None:
        """Begin the next batch that goes on with a state that `carried` has returned.

        Raises:
            InputError: a model of this kind carries no state.
        """
        raise InputError(f"a model of the kind {self.kind} carries no state from batch to batch")

    def loss(self, task: Task, batch: Batch) -> Tensor:
        """Return what training minimises: the task's loss, and what the model itself may add to it."""
        return task.loss(self.outputs(batch), batch)

    def outputs(self, batch: Batch) -> Tensor:
        """Return what the task's loss takes, from a batch of tensors."""
        raise NotImplementedError(f"{type(self).__name__} has no outputs method: define one")

    def answers(self, batch: Batch) -> Tensor:
        """Return what the task's scores take: what the model says with nobody to tell it the beginning."""
        return self.outputs(batch)

    def initial_state(self, batch: int) -> dict[str, Tensor]:
        """Return what every example starts from, by the name of the state."""
        raise NotImplementedError(f"{type(self).__name__} has no initial_state method: define one")

    def measured(self, batch: Batch, start: dict[str, Tensor]) -> list[Tensor]:
        """Return the output of every step, each computed from its own state, on a graph of nothing but the equations.

        No projection of all inputs at once, and no way from an output back but through the states: the graph to measure
        and to draw. The flow is measured of the loss of the last.
        """
        raise NotImplementedError(f"{type(self).__name__} has no measured method: define one")

    @classmethod
    def restored(cls, config: Mapping[str, Any], state: Mapping[str, Any], device: str = "cpu") -> Self:
        """Return the model with a `config` and a `state_dict`. It costs no random numbers."""
        spent = default_generator.counter.item()
        try:
            model = cls(**config, device=device)
        finally:
            default_generator.counter.assign_(tensor(spent))
        model.load_state_dict(state)
        return model

    def converted(self, dtype: Any) -> Self:
        """Return a copy of the model in another dtype, on the same device."""
        copy = self.restored(self.config() | {"dtype": dtype}, self.state_dict(), self.device)
        return copy.train(self.training)


@contextmanager
def in_use(model: Model) -> Iterator[None]:
    """Switch dropout off inside, and afterwards back to what it was."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
