"""A model for a sequence: recurrent layers and a linear output layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tinygrad_rnn import functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.engine.creation import rand, stack, tensor, zeros
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.carrying import carried, zoneout
from tinygrad_rnn.tasks import Batch, Task
from tinygrad_rnn.train.models.base import Model


class SequenceModel(Model):
    """Recurrent layers from input to state, one linear layer from the last of them to the output, at every step.

    Args:
        cell: a cell of `nn.CELLS`, with options like "lstm:forget_bias=3"; see `nn.parse_cell`.
        input_size: I.
        hidden_size: H.
        output_size: O.
        num_layers: L.
        dropout: probability of dropping an element between two layers, in training.
        zoneout: probability that an element of a state stays as it was, one for all states, or one by the name of each;
            see `nn.Recurrent`.
        variational: probability of dropping an element of inputs and states, the same ones at every step, in training.
        dtype, device: of the parameters. One seed gives the same ones on every device.

    Raises:
        InputError: an unknown cell or option.
        DeviceError: there is no such device here.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.train import SequenceModel
    >>> outputs, state = SequenceModel("gru", input_size=3, hidden_size=4, output_size=2)(tg.zeros(7, 5, 3))
    >>> outputs.shape
    (7, 5, 2)
    """

    kind = "sequence"
    settings: ClassVar[dict[str, type | tuple[type, ...]]] = {
        "cell": str,
        "input_size": int,
        "hidden_size": int,
        "output_size": int,
        "num_layers": int,
        "dtype": str,
        "dropout": float,
        "zoneout": (float, dict),
        "variational": float,
    }
    defaults: ClassVar[dict[str, Any]] = {"dropout": 0.0, "zoneout": 0.0, "variational": 0.0}

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        output_size: int,
        num_layers: int = 1,
        dtype: Any = "float32",
        device: str = "cpu",
        dropout: float = 0.0,
        zoneout: float | Mapping[str, float] = 0.0,
        variational: float = 0.0,
    ) -> None:
        spec = nn.parse_cell(cell)
        self.cell_name = spec.text
        self.rnn = nn.Recurrent(
            spec.cell_class,
            input_size,
            hidden_size,
            num_layers,
            dropout=dropout,
            dtype=dtype,
            device=device,
            zoneout=zoneout,
            variational=variational,
            **spec.cell_options,
        )
        self.output = nn.Linear(self.rnn.output_size, output_size, dtype=dtype, device=device)
        self._carried: dict[str, Tensor] = {}
        spec.apply(self.rnn)  # last, so that one seed gives the same numbers to all that no option is about

    @classmethod
    def for_task(cls, task: Task, cell: str, hidden_size: int, num_layers: int = 1, **rest: Any) -> SequenceModel:
        """Return a new model of the sizes that a task needs."""
        return cls(cell, task.input_size, hidden_size, task.output_size, num_layers, **rest)

    @property
    def last_cell(self) -> nn.Cell:
        """The cell of the last layer."""
        return self.rnn.cell(self.rnn.num_layers - 1)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the outputs of all steps (T, B, O), and the final state, from inputs (T, B, I)."""
        hidden, state = self.rnn(x, state)
        return self.output(hidden), state

    @classmethod
    def shapes(cls, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters of the model with a `config`, by name, without making one."""
        layers = config["cell"], config["hidden_size"], config["num_layers"]
        shapes, features = recurrent_shapes("rnn", config["input_size"], *layers)
        return shapes | {"output.weight": (config["output_size"], features), "output.bias": (config["output_size"],)}

    def outputs(self, batch: Batch) -> Tensor:
        """Return the outputs of all steps (T, B, O); of a batch that goes on, from the state carried, which it renews.

        No gradient goes back into the batch before.

        Raises:
            InputError: the state carried is of another number of examples.
        """
        if batch.continues is None:
            return self(batch.inputs)[0]
        outputs, state = self(batch.inputs, self._state_of(batch))
        parts = state if isinstance(state, tuple) else (state,)
        names = self.last_cell.state_names
        self._carried = {name: part.detach() for name, part in zip(names, parts, strict=True)}
        return outputs

    def _state_of(self, batch: Batch) -> Any:
        """Return what a batch that goes on begins with: zeros for the examples that do not."""
        if not self._carried:
            return None
        parts = []
        for part in self._carried.values():
            if part.shape[1] != batch.size:
                raise InputError(
                    f"the state carried is of {part.shape[1]} examples, the batch has {batch.size}: go on with as many"
                )
            kept = tensor(batch.continues, dtype=part.dtype, device=self.device)
            parts.append(part.to(self.device) * kept.reshape(1, -1, *[1] * (part.ndim - 2)))
        return tuple(parts) if len(parts) > 1 else parts[0]

    def carried(self) -> dict[str, Tensor]:
        """Return the state with which the next batch that goes on begins, (L, B, H) each, by name."""
        return dict(self._carried)

    def carry(self, state: Mapping[str, Tensor]) -> None:
        """Begin the next batch that goes on with a state that `carried` has returned; {} for zeros.

        Raises:
            InputError: it has other parts.
        """
        names = self.last_cell.state_names
        if state and set(state) != set(names):
            raise InputError(f"the state of {self.cell_name} has the parts {', '.join(names)}, not {', '.join(state)}")
        self._carried = {name: state[name] for name in names if state}

    def taught(self, batch: Batch, share: float) -> Tensor:
        """Return the outputs of all steps (T, B, O) of a model that reads the last target with this probability.

        Else it reads the likeliest of its own last output, as a one-hot vector.
        """
        read, state = batch.inputs[0], None
        outputs: list[Tensor] = []
        for t in range(len(batch.inputs)):
            if t:
                own = F.one_hot(outputs[-1].detach().argmax(axis=-1), self.rnn.input_size, self.dtype)
                read = told(batch.inputs[t], own, share)
            output, state = self(read.unsqueeze(0), state)
            outputs.append(output[0])
        return stack(outputs)

    def initial_state(self, batch: int) -> dict[str, Tensor]:
        """Return what every sequence starts from, by the name of the state: "h", for the LSTM also "c"; (L, B, H)."""
        cell = self.rnn.cell()
        return {
            name: zeros(self.rnn.num_layers, *shape, dtype=self.dtype, device=self.device)
            for name, shape in zip(cell.state_names, cell.state_shapes((batch,)), strict=True)
        }

    def config(self) -> dict[str, Any]:
        """Return what makes a model like this one, as JSON can hold it: `SequenceModel(**config)`."""
        return {
            "cell": self.cell_name,
            "input_size": int(self.rnn.input_size),
            "hidden_size": int(self.rnn.hidden_size),
            "output_size": int(self.output.out_features),
            "num_layers": int(self.rnn.num_layers),
            "dtype": str(self.dtype),
            "dropout": float(self.rnn.dropout),
            "zoneout": zoneout_of(self.rnn),
            "variational": float(self.rnn.variational),
        }

    def last_output(self, x: Tensor, start: dict[str, Tensor]) -> Tensor:
        """Return the output of the last step (B, O), computed step by step from the last state itself.

        The graph then holds nothing but the cells' equations: no projection of all inputs at once, and no gradient from
        any output but the last. That is the graph to measure and to draw.
        """
        return self.output(self._hidden_by_step(x, start)[-1])

    def outputs_by_step(self, x: Tensor, start: dict[str, Tensor]) -> list[Tensor]:
        """Return the outputs of all steps, T tensors (B, O), each from its own state, on a graph like that."""
        return [self.output(h) for h in self._hidden_by_step(x, start)]

    def measured(self, batch: Batch, start: dict[str, Tensor]) -> list[Tensor]:
        """Return the outputs of all steps, each from its own state."""
        return self.outputs_by_step(batch.inputs, start)

    def _hidden_by_step(self, x: Tensor, start: dict[str, Tensor]) -> list[Tensor]:
        return by_step(self.rnn, x, start)[0]


def by_step(layers: nn.Recurrent, x: Tensor, start: dict[str, Tensor]) -> tuple[list[Tensor], list[tuple[Tensor, ...]]]:
    """Return the outputs of the last of some layers, step by step, and the final state of each layer.

    As in use: nothing is dropped, and with zoneout a state is the expectation.
    """
    steps: Any = x
    finals: list[tuple[Tensor, ...]] = []
    for layer in range(layers.num_layers):
        state = tuple(part[layer].named(f"{name}0") for name, part in start.items())
        cell = layers.cell(layer).eval()
        rules = [zoneout(cell, layers.zoneout, len(steps), steps[0].shape[:-1])] if layers.zoneout else []
        with scope("layer", layer):
            steps, final = nn.unroll(cell, steps, state if len(state) > 1 else state[0], carry=carried(cell, rules))
        finals.append(final if isinstance(final, tuple) else (final,))
    return list(steps), finals


def zoneout_of(layers: nn.Recurrent) -> float | dict[str, float]:
    """Return the zoneout of some layers as JSON can hold it: a number for all states, or one for each."""
    shares = {name: float(layers.zoneout.get(name, 0.0)) for name in layers.cell().state_names}
    return shares if len(set(shares.values())) > 1 else next(iter(shares.values()))


def told(right: Tensor, own: Tensor, share: float) -> Tensor:
    """Return for every example what it should have written with this probability, else what it wrote; (B, O) each."""
    if share == 1:
        return right
    return right.where(rand(len(right), 1, device=right.device) < share, own)


def recurrent_shapes(
    prefix: str, features: int, cell: str, hidden_size: int, num_layers: int
) -> tuple[dict[str, tuple[int, ...]], int]:
    """Return the shapes of the parameters of recurrent layers by name, and the size of their output; none is made."""
    spec = nn.parse_cell(cell)
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(num_layers):
        found = spec.cell_class.shapes(features, hidden_size, **spec.cell_options)
        shapes |= {f"{prefix}.{name}_l{layer}": shape for name, shape in found.items()}
        features = spec.cell_class.without_parameters(features, hidden_size, **spec.cell_options).output_size
    return shapes, features
