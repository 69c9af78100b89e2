"""What all recurrent cells have in common: one time step, written in the order of its equations.

A cell has two halves. `project` is what the input contributes; it knows nothing of the state, so layers apply it to a
whole sequence at once. `step` is the recurrence. The cell itself is `step` after `project`.

A cell owns its parameters: `shapes` says which there are, `initial` how they begin. Layers, checkpoints, gradient flow
and the commands ask the cell, so a new one is a subclass in a file of its own and a line in `table.py`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, ClassVar, Self

from tinygrad_rnn import arguments
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import tensor, zeros
from tinygrad_rnn.engine.modes import naming
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DeviceError, DTypeError, InputError, ShapeError
from tinygrad_rnn.nn import init
from tinygrad_rnn.nn.cells.remedies import Remedy, gate_shifts
from tinygrad_rnn.nn.layers import check_sizes, check_tensor
from tinygrad_rnn.nn.module import Module, Parameter

__all__ = ["Cell", "State", "check_state"]

#: The state of a cell: h, or (h, c) for the LSTM.
State = Tensor | tuple[Tensor, ...]


#: What every cell is told; all else are options.
_SETTINGS = frozenset(("self", "input_size", "hidden_size", "bias", "dtype", "device"))


class Cell(Module):
    """Base of the cells: parameters, a `project` for the input, and a `step` that subclasses write.

    Args:
        input_size: I, the size of the last axis of x (B, I) or (I,).
        hidden_size: H, the size of the last axis of every state (B, H) or (H,) unless `state_shapes` says otherwise.
        bias: whether to add bias_ih and bias_hh.
        dtype, device: of the parameters: with G gates weight_ih (G*H, I), weight_hh (G*H, H), bias_ih, bias_hh (G*H,),
            unless `shapes` says otherwise.
        options: what else the cell can be told, by the names that `shapes` or `__init__` gives; they become attributes.

    All parameters start from U(-1/sqrt(H), 1/sqrt(H)), as in PyTorch, unless `initial` says otherwise.

    Raises:
        InputError: a size is no positive whole number.
        ShapeError: `initial` returns a parameter in another shape than `shapes` says.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> class Leaky(nn.Cell):                                # h' = a * h + (1 - a) * tanh(W_ih x + W_hh h), a learned
    ...     @classmethod
    ...     def shapes(cls, input_size, hidden_size, bias=True, **options):
    ...         return super().shapes(input_size, hidden_size, bias) | {"leak": (hidden_size,)}
    ...     def step(self, projected, state, prepared):
    ...         a = self.leak.sigmoid()
    ...         return a * state + (1 - a) * (projected + state @ prepared).tanh()
    >>> nn.Recurrent(Leaky, 3, 5, num_layers=2)(tg.zeros(7, 2, 3))[0].shape
    (7, 2, 5)
    """

    #: The names of the states, in the order of the state tuple; a single one is no tuple. The first is the output.
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    #: The names of the gates, in the order of their blocks in the weights.
    gate_names: ClassVar[tuple[str, ...]] = ()
    #: How many blocks of H rows the weights have: one for each gate, at least one, unless a subclass sets it.
    gates: ClassVar[int] = 1
    #: The gate whose bias decides how much of the state stays: its name, what it is called, and 1 if a larger bias
    #: keeps more, -1 if a smaller one does. None if there is no such gate.
    keeping: tuple[str, str, int] | None = None
    #: The role of each name, "state" or "gate"; made of the two above.
    roles: ClassVar[Mapping[str, str]] = {"h": "state"}

    #: The options that change no output, but only gradients: a state of the cell fits whatever they are.
    backward_only: ClassVar[tuple[str, ...]] = ()

    #: Whether its step was seen to name the states itself.
    _names_states: bool = False

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None = None
    bias_hh: Parameter | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "gates" not in vars(cls) and "gate_names" in vars(cls):
            cls.gates = max(1, len(cls.gate_names))
        cls.roles = dict.fromkeys(cls.gate_names, "gate") | dict.fromkeys(cls.state_names, "state")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: Any = "float32",
        device: str = "cpu",
        **options: Any,
    ) -> None:
        self._describe(input_size, hidden_size, bias, options)
        input_size, hidden_size, bias = self.input_size, self.hidden_size, self.bias
        self._made = {"dtype": dtype, "device": device}
        for name, shape in self.shapes(input_size, hidden_size, bias, **options).items():
            value = tensor(self.initial(name, shape), **self._made)
            if value.shape != shape:
                raise ShapeError(
                    f"{type(self).__name__}.initial must return {name} in its shape {shape}, not {value.shape}"
                )
            setattr(self, name, Parameter(value))

    def _describe(self, input_size: int, hidden_size: int, bias: bool, options: Mapping[str, Any]) -> None:
        what = type(self).__name__
        self.input_size, self.hidden_size = check_sizes(what, input_size=input_size, hidden_size=hidden_size)
        self.bias = arguments.flag(f"{what}: bias", bias)
        known = self._options()
        for name, value in options.items():
            if name not in known or hasattr(Module, name) or hasattr(Cell, name):
                has = f"has {', '.join(known)}" if known else "has none"
                raise InputError(f"{what}: {name!r} is no option of this cell, which {has}")
            setattr(self, name, value)
        for name, value in known.items():
            if name not in options and value is not inspect.Parameter.empty:
                setattr(self, name, value)

    @classmethod
    def _options(cls) -> dict[str, Any]:
        """Return the options that a cell names in `shapes` or `__init__`, with their defaults."""
        found: dict[str, Any] = {}
        for function in (cls.shapes, cls.__init__):
            for name, given in inspect.signature(function).parameters.items():
                if name not in _SETTINGS and given.kind in (given.KEYWORD_ONLY, given.POSITIONAL_OR_KEYWORD):
                    found.setdefault(name, given.default)
        return found

    @classmethod
    def without_parameters(cls, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> Self:
        """Return a cell that only knows its sizes, whatever these are: for those who ask before anything is made."""
        cell = object.__new__(cls)
        cell._describe(input_size, hidden_size, bias, options)
        return cell

    # ---- what a subclass may say -----------------------------------------------------------------------------------

    @classmethod
    def shapes(cls, input_size: int, hidden_size: int, bias: bool = True, **options: Any) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter by name, in the order in which they begin and are saved."""
        rows = cls.gates * hidden_size
        found: dict[str, tuple[int, ...]] = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        return found | {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else found

    @classmethod
    def forms(cls, hidden_size: int) -> Iterable[Mapping[str, Any]]:
        """Yield the options on which the shapes of the parameters depend, as far as a state may come from such."""
        yield {}

    def initial(self, name: str, shape: tuple[int, ...]) -> Any:
        """Return what a parameter starts from, a tensor or an array of that shape."""
        bound = 1 / math.sqrt(self.hidden_size)
        return init.uniform_(zeros(shape, **self._made), -bound, bound)

    def state_shapes(self, batch: tuple[int, ...] = ()) -> tuple[tuple[int, ...], ...]:
        """Return the shape of each state for a batch shape: (B,), or () for a single example."""
        return ((*batch, self.hidden_size),) * len(self.state_names)

    def remedies(self) -> Iterable[Remedy]:
        """Return changes to try where the gradient vanishes: the bias of the `keeping` gate moved; none without one.

        >>> from tinygrad_rnn import nn
        >>> [remedy.what for remedy in nn.LSTMCell(3, 5).remedies()][1]
        'the bias of the forget gate f raised by 2'
        """
        return tuple(gate_shifts(self, *self.keeping)) if self.keeping else ()

    @property
    def output_size(self) -> int:
        """The size of the last axis of the output, which is the first state."""
        return self.state_shapes()[0][-1]

    def project(self, x: Tensor) -> Tensor:
        """Return x @ W_ih.T + b_ih + b_hh, the share of the step in which the state has no part.

        x is (..., I), one step or a whole sequence; the result (..., G*H). A cell without bias_hh adds b_ih alone.
        """
        if self.bias_ih is None or self.bias_hh is None:
            return F.linear(x, self.weight_ih, self.bias_ih)
        return F.linear(x, self.weight_ih, self.bias_ih + self.bias_hh)

    def prepare(self) -> Any:
        """Return what every step needs and none changes, a tensor or a tuple of them: W_hh.T, (H, G*H)."""
        return self.weight_hh.T

    def step(self, projected: Tensor, state: Any, prepared: Any) -> Any:
        """Return the next state from the projected input (..., G*H), the state, and what `prepare` returned."""
        raise NotImplementedError(f"{type(self).__name__} has no step method: define one")

    # ---- what others call ------------------------------------------------------------------------------------------

    def forward(self, x: Tensor, state: Any = None) -> Any:
        """Return the next state: h for RNN and GRU, (h, c) for the LSTM.

        Args:
            x: (B, I), or (I,) for a single example.
            state: (B, H) or (H,) each, as this method returns it; zeros unless given.

        Raises:
            ShapeError, InputError, DTypeError, DeviceError: x or the state does not fit the cell.
        """
        weight = self.first_parameter
        check_tensor(type(self).__name__, x, weight)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{type(self).__name__}: the input of one step must be (B, {self.input_size}) or ({self.input_size},), "
                f"not {x.shape}"
            )
        if state is None:
            state = self.initial_state(x.shape[:-1])
        else:
            check_state(type(self).__name__, self.state_names, state, self.state_shapes(x.shape[:-1]), weight)
        with naming(self.roles):
            return self.advance(self.project(x), state, self.prepare())

    def advance(self, projected: Tensor, state: Any, prepared: Any) -> Any:
        """Return what `step` does, and see to it that the states have their names.

        Raises:
            InputError: the step returned something else than the states of the cell.
        """
        state = self.step(projected, state, prepared)
        if not self._names_states:
            self._name(state)
        return state

    def _name(self, state: Any) -> None:
        parts = tuple(state) if isinstance(state, tuple | list) else (state,)
        names = self.state_names
        if isinstance(state, list) or len(parts) != len(names) or not all(isinstance(part, Tensor) for part in parts):
            given = f"{len(parts)} values" if isinstance(state, tuple) else f"a {type(state).__name__}"
            raise InputError(
                f"{type(self).__name__}.step must return {' and '.join(names)}, "
                f"{'a tensor' if len(names) == 1 else 'a tuple of tensors'}, not {given}"
            )
        shapes = self.state_shapes(parts[0].shape[: parts[0].ndim - len(self.state_shapes()[0])])
        for name, part, shape in zip(names, parts, shapes, strict=True):
            if part.shape != shape:
                what = type(self).__name__
                raise ShapeError(f"{what}.step must return {name} in the shape {shape}, not {part.shape}")
        self._names_states = all(part.name == name for name, part in zip(names, parts, strict=True))
        for name, part in zip(names, parts, strict=True):
            part.named(name)

    @property
    def first_parameter(self) -> Parameter:
        """Any of the parameters: inputs and states must have its dtype and be where it is."""
        for value in vars(self).values():
            if isinstance(value, Parameter):
                return value
        return self.weight_ih  # there is none, and the error says what was forgotten

    def sharing(self, parameters: Mapping[str, Parameter]) -> Self:
        """Return a copy of this cell that works with other parameters, which it shares with whoever owns them."""
        cell = object.__new__(type(self))
        vars(cell).update(vars(self), **parameters)
        return cell

    def initial_state(self, batch: tuple[int, ...] = ()) -> Any:
        """Return a state of zeros for a batch shape: (B,), or () for a single example."""
        w = self.first_parameter
        shapes = zip(self.state_names, self.state_shapes(batch), strict=True)
        parts = tuple([zeros(shape, dtype=w.dtype, device=w.device).named(f"{name}0") for name, shape in shapes])
        return parts if len(parts) > 1 else parts[0]

    def extra_repr(self) -> str:
        sizes = [f"{self.input_size}, {self.hidden_size}"] + ([] if self.bias else ["bias=False"])
        return ", ".join(sizes + [f"{name}={value!r}" for name, value in self._chosen().items()])

    def _chosen(self) -> dict[str, Any]:
        """Return the options that are not as usual."""
        values = {name: (getattr(self, name, usual), usual) for name, usual in self._options().items()}
        return {name: value for name, (value, usual) in values.items() if value != usual}

    def _cell_text(self) -> str:
        chosen = [f"{name}={_told(value)}" for name, value in self._chosen().items() if name not in self.backward_only]
        return type(self).__name__ + (f"({', '.join(chosen)})" if chosen else "")


def _told(value: Any) -> str:
    """Return the value of an option as a text that is the same in another process, whoever gives it."""
    if isinstance(value, Real) and not isinstance(value, bool):  # 2, 2.0 and NumPy's 2 are one
        return repr(float(value)).removesuffix(".0")
    if isinstance(value, tuple):
        return f"({', '.join(map(_told, value))})"
    text = repr(value)
    if " at 0x" in text:  # it says where it is in memory, and not what
        return str(getattr(value, "__qualname__", type(value).__qualname__))
    return text


def check_state(
    what: str, names: tuple[str, ...], state: Any, shapes: tuple[tuple[int, ...], ...], weight: Tensor
) -> None:
    """Check that the state has a part of its shape, of the weight's dtype and beside it, for every name.

    Raises:
        InputError: it has more or fewer parts, or one is no tensor.
        ShapeError: a part has another shape.
        DTypeError: a part has another dtype than the weight.
        DeviceError: a part is on another device than the weight.
    """
    parts = state if isinstance(state, tuple | list) else (state,)
    wanted = f"({', '.join(names)})" if len(names) > 1 else names[0]
    alone = len(names) == 1 and not isinstance(state, Tensor)
    if len(parts) != len(names) or alone or not all(isinstance(part, Tensor) for part in parts):
        shown = " and ".join(map(str, dict.fromkeys(shapes)))
        kinds = " and ".join(dict.fromkeys(type(part).__name__ for part in parts)) or "nothing"
        given = f"{len(parts)} of {kinds}" if isinstance(state, tuple | list) else type(state).__name__
        each = "each a tensor" if len(names) > 1 else "a tensor"
        raise InputError(f"{what}: the state must be {wanted}, {each}, of shape {shown}, not {given}")
    for name, part, shape in zip(names, parts, shapes, strict=True):
        if part.shape != shape:
            raise ShapeError(f"{what}: the initial {name} must have shape {shape}, not {part.shape}")
        if part.dtype != weight.dtype:
            raise DTypeError(
                f"{what}: the initial {name} is {part.dtype} and the parameters are {weight.dtype}; convert it: "
                f"{name}.cast('{weight.dtype}')"
            )
        if part.device != weight.device:
            raise DeviceError(
                f"{what}: the initial {name} is on {part.device} and the parameters are on {weight.device}; move it: "
                f"{name}.to('{weight.device}')"
            )
