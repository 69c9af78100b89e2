"""A model for two sequences: an encoder that reads, and a decoder that writes what it made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from tinygrad_rnn import functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.engine.creation import concat, stack, tensor, zeros
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.attention import SCORES, Memory
from tinygrad_rnn.nn.carrying import carried, zoneout
from tinygrad_rnn.nn.variational import dropout_factors, dropping_state
from tinygrad_rnn.tasks import Batch, Task
from tinygrad_rnn.train.models.base import Model, in_use
from tinygrad_rnn.train.models.sequence import by_step, recurrent_shapes, told, zoneout_of

#: How the decoder looks at what was read; "none": it has the last state alone.
ATTENTIONS = ("none", *SCORES)


class Dropping(NamedTuple):
    """What variational dropout drops in a layer of the decoder, at every step of a sequence."""

    #: The layer's, which drops elements of the state.
    cell: nn.Cell
    #: Of what the layer reads, (B, N): 0 or 1 / (1 - p).
    factors: Tensor


class EncoderDecoder(Model):
    """Recurrent layers read a sequence; others begin with the state they end with, and write another.

    Sutskever, Vinyals & Le (2014) without attention. With "additive" attention (Bahdanau, Cho & Bengio 2015) each step
    of the decoder reads, beside its last reply, what its state before the step attends to; with "dot" or "general"
    (Luong, Pham & Manning 2015) the state after the step attends, and the output is made of h~ = tanh(W_c [c; h]).

    In training the decoder is fed the replies it should have given (teacher forcing), else its own likeliest ones.

    Args:
        cell: of encoder and decoder, as a text; see `nn.parse_cell`.
        input_size: I.
        hidden_size: H.
        output_size: O, the symbols of a reply.
        replies: S, the steps of the decoder.
        num_layers: L.
        attention: "none", "dot", "general" or "additive".
        dtype, device: of the parameters.
        dropout: probability of dropping an element between two layers, in training.
        zoneout: probability that an element of a state stays as it was, in both; see `nn.Recurrent`.
        variational: probability of dropping an element of what a layer reads and of its state, in training: the same
            ones at every step of the encoder, and the same ones at every step of the decoder.

    Raises:
        InputError: an unknown cell, option or kind of attention, or a cell whose output is not of its hidden size.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.tasks import Batch
    >>> from tinygrad_rnn.train import EncoderDecoder
    >>> model = EncoderDecoder("gru", input_size=3, hidden_size=4, output_size=5, replies=6, attention="dot")
    >>> model.outputs(Batch(tg.zeros(7, 2, 3), targets=None)).shape
    (6, 2, 5)
    """

    kind = "encoder_decoder"
    reads = ("inputs", "replies")
    settings: ClassVar[dict[str, type | tuple[type, ...]]] = {
        "cell": str,
        "input_size": int,
        "hidden_size": int,
        "output_size": int,
        "replies": int,
        "num_layers": int,
        "attention": str,
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
        replies: int,
        num_layers: int = 1,
        attention: str = "none",
        dtype: Any = "float32",
        device: str = "cpu",
        dropout: float = 0.0,
        zoneout: float | Mapping[str, float] = 0.0,
        variational: float = 0.0,
    ) -> None:
        spec = nn.parse_cell(cell)
        if attention not in ATTENTIONS:
            raise InputError(f"attention must be one of {', '.join(ATTENTIONS)}, not {attention!r}")
        self.cell_name, self.replies, self.kind_of_attention = spec.text, replies, attention
        made: dict[str, Any] = {"dtype": dtype, "device": device}
        shares = {"dropout": dropout, "zoneout": zoneout, "variational": variational}
        rest = made | shares | spec.cell_options
        self.encoder = nn.Recurrent(spec.cell_class, input_size, hidden_size, num_layers, **rest)
        seen = self.encoder.output_size
        read = output_size + (seen if attention == "additive" else 0)
        self.decoder = nn.Recurrent(spec.cell_class, read, hidden_size, num_layers, **rest)
        self.attention = None if attention == "none" else nn.Attention(attention, seen, seen, **made)
        self.vector = nn.AttentionalVector(seen, seen, **made) if attention in ("dot", "general") else None
        self.output = nn.Linear(seen, output_size, **made)
        for part in (self.encoder, self.decoder):
            spec.apply(part)

    @classmethod
    def for_task(cls, task: Task, cell: str, hidden_size: int, num_layers: int = 1, **rest: Any) -> EncoderDecoder:
        """Return a new model of the sizes that a task needs, with the attention that it asks for."""
        sizes = task.input_size, hidden_size, task.output_size, task.replies, num_layers
        return cls(cell, *sizes, getattr(task, "attention", "none"), **rest)

    @property
    def last_cell(self) -> nn.Cell:
        """The cell of the decoder's last layer."""
        return self.decoder.cell(self.decoder.num_layers - 1)

    def config(self) -> dict[str, Any]:
        """Return what makes a model like this one, as JSON can hold it: `EncoderDecoder(**config)`."""
        return {
            "cell": self.cell_name,
            "input_size": int(self.encoder.input_size),
            "hidden_size": int(self.encoder.hidden_size),
            "output_size": int(self.output.out_features),
            "replies": self.replies,
            "num_layers": int(self.encoder.num_layers),
            "attention": self.kind_of_attention,
            "dtype": str(self.dtype),
            "dropout": float(self.encoder.dropout),
            "zoneout": zoneout_of(self.encoder),
            "variational": float(self.encoder.variational),
        }

    @classmethod
    def shapes(cls, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters of the model with a `config`, by name, without making one."""
        layers = config["cell"], config["hidden_size"], config["num_layers"]
        encoder, seen = recurrent_shapes("encoder", config["input_size"], *layers)
        read = config["output_size"] + (seen if config["attention"] == "additive" else 0)
        decoder, _ = recurrent_shapes("decoder", read, *layers)
        attention: dict[str, dict[str, tuple[int, ...]]] = {
            "none": {},
            "dot": {"vector.weight": (seen, 2 * seen)},
            "general": {"attention.weight": (seen, seen), "vector.weight": (seen, 2 * seen)},
            "additive": {
                "attention.weight_query": (seen, seen),
                "attention.weight_key": (seen, seen),
                "attention.weight_score": (seen,),
            },
        }
        output = {"output.weight": (config["output_size"], seen), "output.bias": (config["output_size"],)}
        return encoder | decoder | attention[config["attention"]] | output

    def outputs(self, batch: Batch) -> Tensor:
        """Return what the decoder writes, (S, B, O): fed the replies of the batch, or its own where it has none."""
        return self._written(batch)[0]

    def answers(self, batch: Batch) -> Tensor:
        """Return what the decoder writes on its own, (S, B, O)."""
        return self._written(batch, teach=0.0)[0]

    def taught(self, batch: Batch, share: float) -> Tensor:
        """Return what the decoder writes, (S, B, O), if it is fed each reply of the batch with this probability.

        Else it is fed its own likeliest one.
        """
        return self._written(batch, teach=share)[0]

    def looked_at(self, batch: Batch) -> Tensor:
        """Return what the decoder looks at while it writes on its own: weights (S, B, T), 1 in all for each reply.

        Raises:
            InputError: the model has no attention.
        """
        if self.attention is None:
            raise InputError("this encoder-decoder has no attention, so it looks at nothing; take attention=additive")
        return self._written(batch, teach=0.0)[1]

    def begin(self, batch: Batch) -> tuple[Memory | None, list[tuple[Tensor, ...]]]:
        """Read the sequences: return what attention needs of them, and the states before the first reply."""
        memory, state = self._read(batch)
        return memory, self._layers(state)

    def _read(self, batch: Batch) -> tuple[Memory | None, Any]:
        read, state = self.encoder(batch.inputs, lengths=batch.lengths)
        lengths = None if batch.lengths is None else tensor(batch.lengths, device=self.device)
        return (self.attention.prepare(read, lengths) if self.attention else None), state

    def _layers(self, state: Any) -> list[tuple[Tensor, ...]]:
        parts = state if isinstance(state, tuple) else (state,)
        return [tuple(part[layer] for part in parts) for layer in range(self.decoder.num_layers)]

    def write(
        self,
        reply: Tensor,
        memory: Memory | None,
        states: list[tuple[Tensor, ...]],
        t: int,
        dropping: list[Dropping] | None = None,
    ) -> tuple[Tensor, Tensor | None, list[tuple[Tensor, ...]]]:
        """Read a reply (B, O), write the next: its logits (B, O), the weights of the attention, and the new states.

        Args:
            states: of every layer.
            t: the number of the step.
            dropping: what variational dropout drops at every step of a sequence, of every layer; only in training.

        Raises:
            InputError: it is learning with variational dropout, and nobody says what is dropped.
        """
        if self.decoder.variational and self.decoder.training and dropping is None:
            raise InputError("variational dropout drops the same at every step of a sequence; call eval() before write")
        below, weights, new = reply, None, []
        drop = self.decoder.dropout if self.decoder.training else 0.0
        if self.attention is not None and memory is not None and self.vector is None:
            with scope("t", t), scope("decoder"):
                context, weights = self.attention(states[-1][0], memory)
                below = concat([below, context], axis=-1)
        for layer, state in enumerate(states):
            with scope("layer", layer), scope("t", t), scope("decoder"):
                cell = self.decoder.cell(layer)
                if dropping is not None:
                    cell, below = dropping[layer].cell, below * dropping[layer].factors
                before = state if len(state) > 1 else state[0]
                made = cell(below, before)
                if self.decoder.zoneout:
                    carry: Any = carried(cell, [zoneout(cell, self.decoder.zoneout, 1, reply.shape[:-1])])
                    made = carry(0, before, made)
                new.append(made if isinstance(made, tuple) else (made,))
                below = new[-1][0]
                if drop and layer + 1 < self.decoder.num_layers:
                    below = F.dropout(below, drop)
        with scope("t", t), scope("decoder"):
            if self.vector is not None:
                below, weights = self._seen(below, memory)
            return self.output(below), weights, new

    def _written(self, batch: Batch, teach: float = 1.0) -> tuple[Tensor, Any]:
        memory, state = self._read(batch)
        if teach == 1 and batch.replies is not None and self.kind_of_attention != "additive":  # all steps are known
            hidden, _ = self.decoder(batch.replies, state)
            return self._said(hidden, memory)
        replies = batch.replies if teach else None
        written = self._steps(self._layers(state), memory, batch.inputs.shape[1], replies, teach=teach)
        outputs, weights = zip(*written, strict=True)
        return stack(outputs), None if weights[0] is None else stack(weights)

    def _steps(
        self,
        states: list[tuple[Tensor, ...]],
        memory: Memory | None,
        size: int,
        replies: Any,
        first: int = 0,
        teach: float = 1.0,
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield the output of each step of the decoder, and the weights of its attention; they are numbered from first.

        Args:
            states: of every layer.
            replies: what is read at each step, (S, B, O); None for what was written before.
            teach: the probability with which a reply is read and not what was written before.
        """
        reply = zeros(size, self.output.out_features, dtype=self.dtype, device=self.device)
        dropping = self._dropping(size) if self.decoder.variational and self.decoder.training else None
        for s in range(self.replies):
            read = reply if replies is None else told(replies[s], reply, teach)
            output, weights, states = self.write(read, memory, states, first + s, dropping)
            reply = F.one_hot(output.detach().argmax(axis=-1), self.output.out_features, self.dtype)
            yield output, weights

    def _dropping(self, size: int) -> list[Dropping]:
        """Draw what variational dropout drops in the decoder while it writes, as a whole sequence would in its layers.

        Args:
            size: B.
        """
        found, p = [], self.decoder.variational
        for layer in range(self.decoder.num_layers):
            cell = self.decoder.cell(layer)
            factors = dropout_factors(cell.first_parameter, (size, cell.input_size), p)
            found.append(Dropping(dropping_state(cell, p, (size,)), factors))
        return found

    def _said(self, hidden: Tensor, memory: Memory | None) -> tuple[Tensor, Any]:
        weights = None
        if self.vector is not None:
            hidden, weights = self._seen(hidden, memory)
        return self.output(hidden), weights

    def _seen(self, hidden: Tensor, memory: Any) -> tuple[Tensor, Tensor]:
        """Return h~ of Luong et al., and the weights."""
        assert self.attention is not None
        assert self.vector is not None
        context, weights = self.attention(hidden, memory)
        return self.vector(context, hidden), weights

    def initial_state(self, batch: int) -> dict[str, Tensor]:
        """Return what the encoder starts from, by the name of the state; (L, B, H)."""
        cell = self.encoder.cell()
        return {
            name: zeros(self.encoder.num_layers, *shape, dtype=self.dtype, device=self.device)
            for name, shape in zip(cell.state_names, cell.state_shapes((batch,)), strict=True)
        }

    def measured(self, batch: Batch, start: dict[str, Tensor]) -> list[Tensor]:
        """Return the outputs of the decoder's steps; they are numbered on from the encoder's, T to T + S - 1.

        So each layer's states are one lane through both, and what is measured reaches from the last reply to the first
        thing read.
        """
        with in_use(self):
            steps, layers = by_step(self.encoder, batch.inputs, start)
            memory = self.attention.prepare(stack(steps)) if self.attention else None
            written = self._steps(layers, memory, batch.inputs.shape[1], batch.replies, first=batch.inputs.shape[0])
            return [output for output, _ in written]
