"""Recurrent layers: a cell run along a sequence, in one or both directions, layer upon layer, as in PyTorch.

Every node of a layer lies in the scope ("layer", l) and, for the backward direction, ("reverse",); see `sequence`.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import concat, stack
from tinygrad_rnn.engine.modes import modes, scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, ShapeError
from tinygrad_rnn.nn.carrying import Padding, Rule, carried, zoneout
from tinygrad_rnn.nn.cells import Cell, LSTMCell, State, cell_class, cells_like, check_state, parse_cell
from tinygrad_rnn.nn.layers import check_sizes, check_tensor
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.nn.sequence import each_step, output_of, scan, unroll
from tinygrad_rnn.nn.variational import dropout_factors, dropping_state

__all__ = ["Recurrent"]


class Recurrent(Module):
    """Layers of any cell.

    Args:
        cell: a subclass of `Cell`, or a text such as "gru" or "lstm:forget_bias=3" (see `parse_cell`).
        input_size: I, the size of the last axis of the input.
        hidden_size: H, the size of every state unless the cell says otherwise.
        num_layers: L; layer l > 0 reads the output of layer l - 1.
        bias: whether the cells have biases.
        batch_first: input and output are (B, T, ...) instead of (T, B, ...). States are not affected.
        dropout: probability of dropping an element of the output of every layer but the last, in training.
        bidirectional: run a second set of cells from the end; D = 2 directions instead of 1.
        dtype, device: of the parameters.
        zoneout: probability that an element of a state stays as it was, instead of the new one (Krueger et al. 2016):
            one for all states, or one by the name of each, {"c": 0.5, "h": 0.05}. It is drawn anew for every step; in
            evaluation the state is the expectation. An LSTM's new h comes of its new c, as in the paper.
        variational: probability of dropping an element of what a layer reads, and of the state that its recurrent
            weights see, the same elements at every step of a sequence, in training (Gal & Ghahramani 2016).
        options: handed on to the cell.

    A cell's parameters are called as in the cell, with the suffix `_l{l}` for the layer, and `_reverse` for the
    backward direction: `weight_hh_l0`. Those of RNN, LSTM and GRU have PyTorch's names, order and shapes. A state of
    another cell is refused also where its parameters have the same names and shapes, unless it does not know its cell:
    see `load_state_dict`.

    Raises:
        InputError: an unknown cell, option or state, a size that is no positive whole number, or a dropout or zoneout
            that is no probability.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> output, h_n = nn.Recurrent("gru", 3, 5, bidirectional=True)(tg.zeros(7, 2, 3))
    >>> output.shape, h_n.shape
    ((7, 2, 10), (2, 2, 5))
    """

    def __init__(
        self,
        cell: type[Cell] | str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = "float32",
        device: str = "cpu",
        *,
        zoneout: float | Mapping[str, float] = 0.0,
        variational: float = 0.0,
        **options: Any,
    ) -> None:
        spec = parse_cell(cell, options) if isinstance(cell, str) else None
        self.cell_type = spec.cell_class if spec else cell_class(cell)
        options = spec.cell_options if spec else options
        what = type(self).__name__
        sizes = check_sizes(what, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        input_size, hidden_size, num_layers = sizes
        dropout = F.check_probability(f"{what}: dropout", dropout)
        bias = arguments.flag(f"{what}: bias", bias)
        batch_first = arguments.flag(f"{what}: batch_first", batch_first)
        bidirectional = arguments.flag(f"{what}: bidirectional", bidirectional)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bidirectional
        self.zoneout = self._shares(zoneout)
        self.variational = F.check_probability(f"{what}: variational", variational)
        self._training = True
        self._cells: UserDict[str, Cell] = UserDict()  # no children: their parameters are this module's own
        self._parameters: dict[str, tuple[str, ...]] = {}
        features = input_size
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                made = self.cell_type(features, hidden_size, bias, dtype=dtype, device=device, **options)
                for name, parameter in made.named_parameters():
                    setattr(self, name + suffix, parameter.named(name + suffix))
                self._cells[suffix] = made
                self._parameters[suffix] = tuple([name for name, _ in made.named_parameters()])
            features = self.directions * made.output_size
        self.output_size = features
        if spec:
            spec.apply(self)

    def _shares(self, zoneout: Any) -> dict[str, float]:
        """Return the share of every kind of state that stays as it was, without those of which nothing does."""
        what, names = f"{type(self).__name__}: zoneout", self.cell_type.state_names
        given = dict(zoneout) if isinstance(zoneout, Mapping) else dict.fromkeys(names, zoneout)
        for name in given:
            if name not in names:
                raise InputError(f"{what}: {self.cell_type.__name__} has no state {name!r}; it has {', '.join(names)}")
        shares = {name: F.check_probability(f"{what}: {name}", given[name]) for name in names if name in given}
        return {name: share for name, share in shares.items() if share}

    def _cell_text(self) -> str:
        return self._cells["_l0"]._cell_text()

    def _recognised(self, state: Mapping[str, Any]) -> str:
        shapes = {name[:-3]: np.shape(value) for name, value in state.items() if name.endswith("_l0")}
        sizes = {(self.input_size, self.hidden_size)}
        if len(shapes.get("weight_ih", ())) == len(shapes.get("weight_hh", ())) == 2:
            sizes.add((shapes["weight_ih"][1], shapes["weight_hh"][1]))
        projection = shapes.get("weight_hr", ())
        if self.cell_type is LSTMCell and len(projection) == 2 and projection[0] != self.cell().proj_size:
            return f"its weight_hr is that of a projection: nn.LSTM(..., proj_size={projection[0]})"
        found: dict[str, tuple[type[Cell], Mapping[str, Any]]] = {}
        for input_size, hidden_size in sorted(sizes):
            if input_size and hidden_size:
                found |= cells_like(shapes, input_size, hidden_size)
        own = self.cell()
        if not found or any(
            self.cell_type is kind and all(getattr(own, option) == value for option, value in form.items())
            for kind, form in found.values()
        ):
            return ""
        names = " or ".join(f"nn.Recurrent({name!r}, ...)" for name in found)
        unsure = "; nothing in it tells which of them" if len(found) > 1 else ""
        return f"its names and shapes are those of another cell: {names}{unsure}"

    @property
    def training(self) -> bool:
        """Whether the module learns (dropout active); set by `train` and `eval`."""
        return self._training

    @training.setter
    def training(self, mode: bool) -> None:
        self._training = mode
        for cell in self._cells.values():  # no children of this module: they are told here
            cell.train(mode)

    @property
    def directions(self) -> int:
        """D: 2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    def _suffixes(self, layer: int) -> tuple[str, ...]:
        return (f"_l{layer}", f"_l{layer}_reverse")[: self.directions]

    def cell(self, layer: int = 0, reverse: bool = False) -> Any:
        """Return the cell of a layer and direction. It shares the parameters of this module.

        Raises:
            InputError: there is no such layer or direction.
        """
        if type(layer) is not int:
            layer = arguments.whole(f"{type(self).__name__}.cell: layer", layer, 0)
        if not 0 <= layer < self.num_layers or (reverse and not self.bidirectional):
            raise InputError(
                f"{type(self).__name__}.cell: no layer {layer}{' in reverse' if reverse else ''}; this module has "
                f"{self.num_layers} layer(s) and {self.directions} direction(s)"
            )
        suffix = self._suffixes(layer)[reverse]
        made = self._cells[suffix]
        for recorder in modes.recorders:
            recorder.used(self)
            recorder.used(made)
        return made.sharing({name: getattr(self, name + suffix) for name in self._parameters[suffix]})

    def forward(self, x: Tensor, state: Any = None, lengths: Any = None) -> tuple[Tensor, Any]:
        """Run along a sequence.

        Args:
            x: (T, B, I), (B, T, I) with batch_first, or (T, I) for a single example.
            state: h_0, for the LSTM (h_0, c_0), each (D*L, B, H), or (D*L, H) for a single example; in general a cell's
                states of all layers and directions, stacked. Zeros unless given.
            lengths: how many steps each example of a batch has, (B,) whole numbers from 0 to T in any order: a list, an
                array or an int64 tensor. What x holds after them is not looked at. All T unless given.

        Returns:
            The outputs of the last layer, (T, B, D*H) or as x is laid out, both directions side by side; and the final
            state in the layout of the initial one. With `lengths` the outputs after an example's last step are 0, its
            final state is that after its last step (before any, at length 0, the initial one), and the backward
            direction starts at its last step: what packed sequences give in PyTorch.

        Raises:
            ShapeError, InputError, DTypeError, DeviceError: x, the state or the lengths do not fit the module, or the
                sequence is empty.
            IndexRangeError: a length is not within 0 and T. On a device nobody looks: there it counts as 0 or T.

        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import nn
        >>> output, h_n = nn.GRU(3, 5)(tg.ones(4, 2, 3), lengths=[4, 1])
        >>> (output[:, 1] != 0).sum(axis=1).tolist(), bool((h_n[0, 1] == output[0, 1]).sum() == 5)
        ([5, 0, 0, 0], True)
        """
        return self._run(x, state, lengths, unrolled=False)

    def unroll(self, x: Tensor, state: Any = None, lengths: Any = None) -> tuple[Tensor, Any]:
        """Do what calling the module does, but with every step on its own in the graph (see `nn.unroll`)."""
        return self._run(x, state, lengths, unrolled=True)

    # ---- one step at a time, as long as the next input depends on the last output ----------------------------------

    def parted(self, state: Any, batch: tuple[int, ...]) -> list[State]:
        """Return a state, as calling the module takes it, as a list of those of every layer and direction.

        Args:
            state: the stacked states, or None for zeros.
            batch: (B,), or () for a single example.

        Raises:
            InputError, ShapeError, DTypeError, DeviceError: the state does not fit the module.
        """
        places = [(layer, reverse) for layer in range(self.num_layers) for reverse in (False, True)[: self.directions]]
        if state is None:
            return [self.cell(*place).initial_state(batch) for place in places]
        first = self.cell()
        shapes = tuple([(len(places), *shape) for shape in first.state_shapes(batch)])
        check_state(type(self).__name__, first.state_names, state, shapes, first.first_parameter)
        return [_entry(state, position) for position in range(len(places))]

    @staticmethod
    def joined(states: list[State]) -> Any:
        """Return a list of the states of every layer as calling the module returns them: the reverse of `parted`.

        Raises:
            InputError: there are no states.
        """
        if not isinstance(states, list | tuple) or not states:
            raise InputError(f"joined takes a list with the state of every layer, as step returns it, not {states!r}")
        return _stacked(list(states))

    def step(self, x: Tensor, states: list[State], t: int = 0) -> tuple[Tensor, list[State]]:
        """Take one step through all layers: what calling the module does at every position of a sequence.

        Args:
            x: (B, I), or (I,) for a single example.
            states: of every layer, as `parted` or this method returns them.
            t: the number of the step, for its scope.

        Returns:
            The output of the last layer, (B, H), and the new states.

        Raises:
            InputError: there are more or fewer states than layers; the module goes through the sequence backward, too,
                or is learning with variational dropout, which drops the same elements at every step of a sequence that
                is there as a whole.
            ShapeError, DTypeError, DeviceError: x or the states do not fit the module.

        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import nn
        >>> gru = nn.GRU(3, 3, num_layers=2)
        >>> x, states = tg.ones(2, 3), gru.parted(None, (2,))
        >>> for t in range(4):
        ...     x, states = gru.step(x, states, t)
        >>> x.shape, gru.joined(states).shape
        ((2, 3), (2, 2, 3))
        """
        what = f"{type(self).__name__}.step"
        if self.bidirectional:
            raise InputError(f"{what}: the backward direction starts at the last step; use bidirectional=False")
        if self.variational and self.training:
            raise InputError(f"{what}: variational dropout needs the whole sequence; call the module, or eval() first")
        check_tensor(what, x)
        if not isinstance(states, list | tuple):
            raise InputError(f"{what}: the states must be a list with one of every layer, as `parted` gives it")
        if len(states) != self.num_layers:
            raise InputError(f"{what}: {len(states)} states for {self.num_layers} layers; `parted` gives one of each")
        batch, new = x.shape[:-1], []
        for layer, given in enumerate(states):
            with scope("layer", layer), scope("t", t):
                cell = self.cell(layer)
                before = tuple(given) if isinstance(given, list) else given
                state = cell(x, before)
                carry = carried(cell, self._rules(cell, 1, batch, None))
                new.append(state if carry is None else carry(0, before, state))
                x = output_of(new[-1])
                if self.dropout and layer < self.num_layers - 1:
                    x = F.dropout(x, self.dropout, self.training)
        return x, new

    def _run(self, x: Tensor, state: Any, lengths: Any, unrolled: bool) -> tuple[Tensor, Any]:
        self._check_input(x)
        swapped = self.batch_first and x.ndim == 3
        # One tensor (T, ...), or a list of T steps: then no node is shared by all steps, and no step leads to another
        # but through the states.
        sequence: Any = x.transpose(0, 1) if swapped else x
        batch = sequence.shape[1:-1]
        starts = None if state is None else self.parted(state, batch)
        padding = None if lengths is None else self._padding(lengths, sequence)
        if padding is not None:
            # What stands in the padding reaches nothing, not even as 0 * inf in a gradient.
            sequence = padding.emptied(sequence, unrolled)
        finals: list[State] = []
        for layer in range(self.num_layers):
            with scope("layer", layer):
                if self.variational and self.training:
                    first = self.cell()
                    width = self.input_size if layer == 0 else self.directions * first.output_size
                    factors = dropout_factors(first.first_parameter, (*batch, width), self.variational)
                    sequence = _dropped_by(factors, sequence, unrolled)
                sides: list[Any] = []
                for reverse in (False, True)[: self.directions]:
                    cell = self.cell(layer, reverse)
                    with scope("reverse") if reverse else nullcontext():
                        start = cell.initial_state(batch) if starts is None else starts[len(finals)]
                        run = unroll if unrolled else scan
                        if self.variational and self.training:
                            cell = dropping_state(cell, self.variational, batch)
                        rules = self._rules(cell, len(sequence), batch, padding)
                        outputs, final = run(cell, sequence, start, reverse, carried(cell, rules))
                        sides.append(outputs if unrolled else stack(outputs))
                    finals.append(final)
                if len(sides) == 1:
                    sequence = sides[0]
                else:
                    sequence = _side_by_side(*sides) if unrolled else concat(sides, axis=-1)
                if padding is not None:
                    sequence = padding.emptied(sequence, unrolled)
                if self.dropout and self.training and layer < self.num_layers - 1:
                    drop = _dropout_by_step if unrolled else F.dropout
                    sequence = drop(sequence, self.dropout)
        output = stack(sequence) if unrolled else sequence
        return (output.transpose(0, 1) if swapped else output), _stacked(finals)

    def _rules(self, cell: Cell, steps: int, batch: tuple[int, ...], padding: Padding | None) -> list[Rule]:
        """Return what happens to the states between two steps."""
        rules = [zoneout(cell, self.zoneout, steps, batch)] if self.zoneout else []
        return [*rules, padding.rule] if padding is not None else rules

    def _check_input(self, x: Tensor) -> None:
        check_tensor(type(self).__name__, x, self.cell().first_parameter)
        layout = "(B, T, {0})" if self.batch_first else "(T, B, {0})"
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{type(self).__name__}: the input must be {layout.format(self.input_size)} or (T, {self.input_size}), "
                f"not {x.shape}"
            )
        if x.shape[1 if self.batch_first and x.ndim == 3 else 0] == 0:
            raise ShapeError(f"{type(self).__name__}: the sequence has no steps (input of shape {x.shape})")

    def _padding(self, lengths: Any, sequence: Tensor) -> Padding:
        what = type(self).__name__
        if sequence.ndim == 2:
            raise ShapeError(
                f"{what}: lengths are for the examples of a batch, and the input of shape {sequence.shape} is a single "
                "one: cut it off instead, x[:length]"
            )
        return Padding(lengths, sequence, what)

    def extra_repr(self) -> str:
        shown = [f"{self.input_size}, {self.hidden_size}"]
        if type(self) is Recurrent:
            _, _, *options = self._cells["_l0"].extra_repr().split(", ")
            shown = [self.cell_type.__name__, *shown, *(each for each in options if each != "bias=False")]
        defaults: dict[str, Any] = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
        defaults |= {"bidirectional": False, "zoneout": {}, "variational": 0.0}
        shown += [f"{name}={getattr(self, name)}" for name, usual in defaults.items() if getattr(self, name) != usual]
        return ", ".join(shown)


def _entry(state: Any, position: int) -> State:
    """Return the initial state of one layer and direction out of (D*L, ...) tensors."""
    return state[position] if isinstance(state, Tensor) else tuple(part[position] for part in state)


def _side_by_side(forward: list[Tensor], backward: list[Tensor]) -> list[Tensor]:
    """Join the outputs of both directions, step by step."""
    return each_step(forward, lambda t, step: concat([step, backward[t]], axis=-1))


def _dropout_by_step(steps: list[Tensor], p: float) -> list[Tensor]:
    """Drop from every step what `F.dropout` would drop from all of them stacked."""
    factors = dropout_factors(steps[0], (len(steps), *steps[0].shape), p)
    by_step = factors.unbind()
    return each_step(steps, lambda t, step: step * by_step[t])


def _dropped_by(factors: Tensor, sequence: Any, by_step: bool) -> Any:
    """Drop the same elements at every step of a sequence (T, ..., N), or of T steps (..., N)."""
    return each_step(sequence, lambda t, step: step * factors) if by_step else sequence * factors


def _stacked(finals: list[State]) -> Any:
    """Join the final states of all layers and directions to (D*L, ...) tensors."""
    split = [(final,) if isinstance(final, Tensor) else final for final in finals]
    joined = tuple(stack(parts) for parts in zip(*split, strict=True))
    return joined[0] if isinstance(finals[0], Tensor) else joined
