"""What goes in and what comes out: the shapes of problems that recurrent networks are built for (Karpathy 2015).

| in | out | module | for example |
|---|---|---|---|
| one | one | `Linear`, `Sequential` | a picture and its class: no recurrent network at all |
| one | many | `One2Many`; `Decoder` from an `InitialState` | a picture and its caption |
| many | one | `Many2One` | a sentence and its mood |
| many | many, step by step | `Many2Many` | the frames of a film and what is seen in each |
| many | many, one after the other | `EncoderDecoder` | a sentence and its translation |

All of them take sequences as their `Recurrent` does: (T, B, ...), or (B, T, ...) if it is batch_first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import concat, stack
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, ShapeError
from tinygrad_rnn.nn.layers import Linear, check_tensor
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.nn.recurrent import Recurrent

__all__ = ["Decoder", "EncoderDecoder", "InitialState", "Many2Many", "Many2One", "One2Many", "last_output"]


def last_output(recurrent: Recurrent, state: Any) -> Tensor:
    """Return what the last layer showed at the end of each example, (B, D*H), from a final state.

    Both directions are side by side, each after its own last step: of the backward one that is the first of the
    sequence. Examples of several lengths come from their own last steps.

    Raises:
        InputError: these are no recurrent layers, or the state is none of theirs.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> lstm = nn.LSTM(3, 5, num_layers=2, bidirectional=True)
    >>> nn.last_output(lstm, lstm(tg.ones(7, 2, 3), lengths=[7, 4])[1]).shape
    (2, 10)
    """
    _check("last_output", recurrent=recurrent)
    parts = (state,) if isinstance(state, Tensor) else state
    if not isinstance(parts, tuple | list) or not parts or not all(isinstance(part, Tensor) for part in parts):
        raise InputError(f"last_output: the state must be what the layers return, not a {type(state).__name__}")
    shown = parts[0]
    return concat([shown[i - recurrent.directions] for i in range(recurrent.directions)], axis=-1)


class Many2One(Module):
    """A sequence to one answer: head(h_T), with h_T the last output of each example.

    Args:
        recurrent: any recurrent layers.
        head: from (B, D*H) to the answer; D*H is `recurrent.output_size`.
        embed: from the input to what the layers read, such as an `Embedding` of ids.

    Raises:
        InputError: a part is something else.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> model = nn.Many2One(nn.GRU(4, 8), nn.Linear(8, 2), embed=nn.Embedding(30, 4))
    >>> model(tg.zeros(7, 5, dtype="int64"), lengths=[7, 3, 1, 2, 7]).shape
    (5, 2)
    """

    def __init__(self, recurrent: Recurrent, head: Module, embed: Module | None = None) -> None:
        _check("Many2One", "embed", recurrent=recurrent, head=head, embed=embed)
        self.embed, self.recurrent, self.head = embed, recurrent, head

    def forward(self, x: Tensor, state: Any = None, lengths: Any = None) -> Tensor:
        """Return the answer to each sequence; the arguments are those of `Recurrent`, x before it is embedded."""
        _, final = self.recurrent(_embedded(self.embed, x), state, lengths)
        return self.head(last_output(self.recurrent, final))


class Many2Many(Module):
    """A sequence to an answer at every step: head(h_t). Without a head it is an encoder.

    Args:
        recurrent: any recurrent layers.
        head: from (..., D*H) to the answers, or None for the outputs themselves.
        embed: from the input to what the layers read, such as an `Embedding` of ids.

    Raises:
        InputError: a part is something else.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> answers, state = nn.Many2Many(nn.GRU(4, 8, bidirectional=True), nn.Linear(16, 2))(tg.zeros(7, 5, 4))
    >>> answers.shape
    (7, 5, 2)
    """

    def __init__(self, recurrent: Recurrent, head: Module | None = None, embed: Module | None = None) -> None:
        _check("Many2Many", "head", "embed", recurrent=recurrent, head=head, embed=embed)
        self.embed, self.recurrent, self.head = embed, recurrent, head

    def forward(self, x: Tensor, state: Any = None, lengths: Any = None) -> tuple[Tensor, Any]:
        """Return the answers at all steps, and the final state; the arguments are those of `Recurrent`.

        After the last step of an example the head sees zeros: leave these answers out of the loss.
        """
        outputs, final = self.recurrent(_embedded(self.embed, x), state, lengths)
        return (outputs if self.head is None else self.head(outputs)), final


class One2Many(Module):
    """One vector to a sequence: the vector is the input of every step.

    For a vector that is the state to begin with, and words that follow from words, see `InitialState` and `Decoder`.

    Args:
        recurrent: any recurrent layers.
        head: from (..., D*H) to the answers.

    Raises:
        InputError: a part is something else.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.One2Many(nn.RNN(4, 8), nn.Linear(8, 2))(tg.zeros(5, 4), steps=7).shape
    (7, 5, 2)
    """

    def __init__(self, recurrent: Recurrent, head: Module) -> None:
        _check("One2Many", recurrent=recurrent, head=head)
        self.recurrent, self.head = recurrent, head

    def forward(self, x: Tensor, steps: int, state: Any = None) -> Tensor:
        """Return the answers of so many steps to vectors (B, I).

        Raises:
            InputError: steps is no positive whole number, or x is no tensor.
        """
        check_tensor("One2Many", x)
        steps, axis = arguments.whole("One2Many: steps", steps), _time_axis(self.recurrent, x.ndim + 1)
        shape = (*x.shape[:axis], steps, *x.shape[axis:])
        return self.head(self.recurrent(x.unsqueeze(axis).broadcast_to(shape), state)[0])


class InitialState(Module):
    """A vector to the state that recurrent layers begin with: tanh(W x + b) for every kind of state (Xu et al. 2015).

    Args:
        features: F, the size of the vector.
        recurrent: the layers that begin with it.

    Raises:
        InputError: these are no recurrent layers.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> lstm = nn.LSTM(3, 5, num_layers=2)
    >>> h, c = nn.InitialState(4, lstm)(tg.zeros(6, 4))
    >>> h.shape, c.shape
    ((2, 6, 5), (2, 6, 5))
    """

    def __init__(self, features: int, recurrent: Recurrent) -> None:
        _check("InitialState", recurrent=recurrent)
        rows, cell = recurrent.num_layers * recurrent.directions, recurrent.cell()
        self._names = cell.state_names
        self._shapes = [(rows, *shape) for shape in cell.state_shapes()]
        made = {"dtype": cell.first_parameter.dtype, "device": cell.first_parameter.device}
        for name, shape in zip(self._names, self._shapes, strict=True):
            setattr(self, f"to_{name}", Linear(features, math.prod(shape), **made))

    def forward(self, x: Tensor) -> Any:
        """Return the state that belongs to vectors (B, F) or (F,), as `Recurrent` takes it."""
        parts = []
        for name, (rows, *shape) in zip(self._names, self._shapes, strict=True):
            flat = getattr(self, f"to_{name}")(x).tanh()
            parts.append(stack([part.reshape(*x.shape[:-1], *shape) for part in flat.chunk(rows, axis=-1)]))
        return tuple(parts) if len(parts) > 1 else parts[0]


class Decoder(Module):
    """Recurrent layers that go on by themselves: what they answer at one step they read at the next.

    Args:
        recurrent: layers that go forward only.
        head: from (..., H) to the answers.
        embed: from an answer to what the layers read, such as an `Embedding` of ids; None where they read it as it is.
        choose: from the answer of a step (B, O) to the one that is read, such as `lambda y: y.argmax(axis=-1)` for the
            most likely id; None where it is the answer itself.

    Raises:
        InputError: the layers go backward, too, or a part is something else.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> words = nn.Decoder(nn.GRU(4, 8), nn.Linear(8, 30), nn.Embedding(30, 4), lambda y: y.argmax(axis=-1))
    >>> start = tg.zeros(5, dtype="int64")
    >>> words(start, targets=tg.ones(7, 5, dtype="int64"))[0].shape      # in training: reads what it should have said
    (7, 5, 30)
    >>> words(start, steps=9)[0].shape                                   # in use: reads what it has said
    (9, 5, 30)
    """

    def __init__(
        self,
        recurrent: Recurrent,
        head: Module,
        embed: Module | None = None,
        choose: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        _check("Decoder", "embed", "choose", recurrent=recurrent, head=head, embed=embed, choose=choose)
        if recurrent.bidirectional:
            raise InputError("Decoder: the layers cannot read backward what is not said yet; use bidirectional=False")
        self.embed, self.recurrent, self.head, self.choose = embed, recurrent, head, choose

    def forward(
        self, first: Tensor, state: Any = None, targets: Tensor | None = None, steps: int | None = None
    ) -> tuple[Tensor, Any]:
        """Return the answers at all steps, and the final state.

        Args:
            first: what is read at the first step, (B,) ids or (B, O): a start sign.
            state: what the layers begin with, such as the final state of an encoder; zeros unless given.
            targets: the right answers (T, B) or (T, B, O), or (B, T, ...) if the layers are batch_first. Each is read
                at the step after its own ("teacher forcing", Williams & Zipser 1989), all in one run.
            steps: how many there are without targets: at each it reads its own last answer.

        Raises:
            InputError: targets and steps are both given, or neither, steps is no positive whole number, or what is read
                is no tensor.
            ShapeError: first is not like one step of the targets, or these have no steps.
        """
        if (targets is None) is (steps is None):
            raise InputError("Decoder: give targets to learn from, or the number of steps to go on for, one of both")
        if targets is None:
            return self._alone(first, state, arguments.whole("Decoder: steps", steps))
        for part in (first, targets):
            check_tensor("Decoder", part)
        x = _embedded(self.embed, first)
        axis = _time_axis(self.recurrent, x.ndim + 1)
        if targets.ndim > axis and not targets.shape[axis]:
            raise ShapeError(f"Decoder: there are no steps in the targets of shape {targets.shape}")
        if targets.ndim <= axis or first.shape != targets.shape[:axis] + targets.shape[axis + 1 :]:
            raise ShapeError(
                f"Decoder: what is read first must be like one step of the targets of shape {targets.shape}, not "
                f"{first.shape}"
            )
        read = x.unsqueeze(axis)
        if targets.shape[axis] > 1:
            before = targets.split([targets.shape[axis] - 1, 1], axis=axis)[0]
            read = concat([read, _embedded(self.embed, before)], axis=axis)
        outputs, final = self.recurrent(read, state)
        return self.head(outputs), final

    def _alone(self, first: Tensor, state: Any, steps: int) -> tuple[Tensor, Any]:
        x = _embedded(self.embed, first)
        states, answers = self.recurrent.parted(state, x.shape[:-1]), []
        for t in range(steps):
            h, states = self.recurrent.step(x, states, t)
            with scope("t", t):
                answers.append(self.head(h))
            if t < steps - 1:
                with scope("t", t + 1):
                    x = _embedded(self.embed, answers[-1] if self.choose is None else self.choose(answers[-1]))
        return stack(answers, axis=_time_axis(self.recurrent, answers[0].ndim + 1)), self.recurrent.joined(states)


class EncoderDecoder(Module):
    """A sequence to another one of any length: the final state of an encoder is where a decoder begins.

    (Sutskever et al. 2014; Cho et al. 2014.)

    Args:
        encoder: whatever returns (outputs, final state) for (x, lengths=...): a `Recurrent`, or a `Many2Many`.
        decoder: a `Decoder`.
        bridge: from the state of the one to that of the other, where these differ; None where they are alike.

    Raises:
        InputError: a part is something else.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> decoder = nn.Decoder(nn.LSTM(2, 8), nn.Linear(8, 2))
    >>> outputs, _ = nn.EncoderDecoder(nn.LSTM(3, 8), decoder)(tg.ones(7, 5, 3), tg.zeros(5, 2), steps=4)
    >>> outputs.shape
    (4, 5, 2)
    """

    def __init__(self, encoder: Module, decoder: Decoder, bridge: Module | None = None) -> None:
        _check("EncoderDecoder", "bridge", encoder=encoder, decoder=decoder, bridge=bridge)
        self.encoder, self.bridge, self.decoder = encoder, bridge, decoder

    def forward(
        self, x: Tensor, first: Tensor, targets: Tensor | None = None, steps: int | None = None, lengths: Any = None
    ) -> tuple[Tensor, Any]:
        """Return the answers of the decoder, and its final state.

        Args:
            x: the sequences for the encoder, and lengths, how many steps each has.
            first, targets, steps: for the `Decoder`.
        """
        with scope("encoder"):
            _, state = self.encoder(x, lengths=lengths)
        if self.bridge is not None:
            state = self.bridge(state)
        with scope("decoder"):
            return self.decoder(first, state, targets, steps)


#: What a part must be that is more than something to call.
_KINDS: dict[str, tuple[Any, str]] = {
    "recurrent": (Recurrent, "recurrent layers, such as nn.GRU(...)"),
    "decoder": (Decoder, "an nn.Decoder"),
}


def _check(what: str, *optional: str, **parts: Any) -> None:
    """Raise InputError unless every part is what its name says; the optional ones may be None."""
    for name, part in parts.items():
        if part is None and name in optional:
            continue
        kind, wanted = _KINDS.get(name, (Callable, "a module"))
        if not isinstance(part, kind) or isinstance(part, type):
            given = f"the class {part.__name__}" if isinstance(part, type) else f"a {type(part).__name__}"
            raise InputError(f"{what}: {name} must be {wanted}, not {given}")


def _embedded(embed: Module | None, x: Tensor) -> Tensor:
    return x if embed is None else embed(x)


def _time_axis(recurrent: Recurrent, axes: int) -> int:
    """Return which axis of a sequence is time, by how many it has once it is embedded: a single example has two."""
    return 1 if recurrent.batch_first and axes == 3 else 0
