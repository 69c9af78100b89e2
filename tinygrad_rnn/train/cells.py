"""Which cell, and what it starts from, in a few words: "gru", "lstm:forget_bias=3", "rnn:gain=1:nonlinearity=relu"."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_rnn import nn
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.cells import Cell, activation

CELLS: dict[str, type[nn.Recurrent]] = {"rnn": nn.RNN, "irnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}

#: The input weights of an IRNN are drawn from N(0, IRNN_STD**2).
IRNN_STD = 0.001

#: Beyond this an option's number would be infinite in float32.
LARGEST = 1e38

Value = float | str


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) < LARGEST:
        raise InputError(f"{text!r} is not a number")
    return number + 0.0  # -0 is 0


def _nonlinearity(text: str) -> str:
    activation(text)
    return text


#: By cell, what can be chosen about it, and how a value is read.
OPTIONS: dict[str, dict[str, Callable[[str], Value]]] = {
    "rnn": {"gain": _number, "nonlinearity": _nonlinearity},
    "irnn": {"gain": _number},
    "lstm": {"forget_bias": _number},
    "gru": {"update_bias": _number},
}


@dataclass(frozen=True)
class CellSpec:
    """A cell and how its weights begin; without options they begin as in PyTorch.

    Attributes:
        cell: "rnn", "lstm", "gru", or "irnn": relu, W_hh = gain * identity (gain 1 unless given), biases 0, W_ih from
            N(0, 0.001**2) (Le, Jaitly & Hinton 2015).
        options: by name, in the order of `OPTIONS`:

            - rnn `gain`: W_hh is gain times a random orthogonal matrix; `nonlinearity`: tanh or relu.
            - lstm `forget_bias`: b_ih + b_hh of the forget gate f is this number.
            - gru `update_bias`: b_ih + b_hh of the update gate z is this number. Large values keep the state:
              h' = (1 - z) * n + z * h, as in PyTorch.
    """

    cell: str
    options: tuple[tuple[str, Value], ...] = ()

    @property
    def text(self) -> str:
        """The specification in its shortest form, equal for equal cells."""
        return ":".join([self.cell, *[f"{name}={_shown(value)}" for name, value in self.options]])

    @property
    def file_name(self) -> str:
        """The specification as a part of a file's name: "lstm-forget_bias-3"."""
        return re.sub("[:=]", "-", self.text)

    @property
    def title(self) -> str:
        """The specification as people read it: "LSTM (forget bias 3)"."""
        chosen = ", ".join(f"{name} {_shown(value)}".replace("_", " ") for name, value in self.options)
        return self.cell.upper() + (f" ({chosen})" if chosen else "")

    @property
    def cell_class(self) -> type[Cell]:
        """The cell that runs along the sequence."""
        return CELLS[self.cell].cell_type

    def layers(
        self, input_size: int, hidden_size: int, num_layers: int, dtype: Any, device: str = "cpu"
    ) -> nn.Recurrent:
        """Return recurrent layers with this cell, their weights as in PyTorch; `apply` makes those the options ask."""
        keywords: dict[str, Any] = {}
        if CELLS[self.cell] is nn.RNN:
            keywords["nonlinearity"] = dict(self.options).get("nonlinearity", "relu" if self.cell == "irnn" else "tanh")
        return CELLS[self.cell](input_size, hidden_size, num_layers, dtype=dtype, device=device, **keywords)

    def apply(self, rnn: nn.Recurrent) -> None:
        """Overwrite the weights that the options say something about."""
        chosen: dict[str, Any] = dict(self.options)
        for layer in range(rnn.num_layers):
            cell = rnn.cell(layer)
            if self.cell == "irnn":
                nn.init.identity_(cell.weight_hh, chosen.get("gain", 1.0))
                nn.init.normal_(cell.weight_ih, std=IRNN_STD)
                _set_bias(cell, slice(None), 0.0)
            elif "gain" in chosen:
                nn.init.orthogonal_(cell.weight_hh, chosen["gain"])
            for option in ("forget_bias", "update_bias"):
                if option in chosen:  # the second block of rows in both: i, f, g, o and r, z, n
                    _set_bias(cell, slice(cell.hidden_size, 2 * cell.hidden_size), chosen[option])


def parse_cell(text: str) -> CellSpec:
    """Read a specification: a cell's name, then `:option=value` as often as needed.

    Raises:
        InputError: an unknown cell or option, a value that is none, or an option given twice.

    >>> from tinygrad_rnn.train.cells import parse_cell
    >>> spec = parse_cell("lstm:forget_bias=3.0")
    >>> spec.text, spec.file_name, spec.title
    ('lstm:forget_bias=3', 'lstm-forget_bias-3', 'LSTM (forget bias 3)')
    """
    name, *parts = text.strip().split(":")
    if name not in CELLS:
        raise InputError(f"unknown cell {name!r}; use one of {', '.join(CELLS)}")
    known = OPTIONS[name]
    given: dict[str, Value] = {}
    for part in parts:
        option, equals, value = part.partition("=")
        if option not in known or not equals:
            raise InputError(
                f"{text!r}: {part!r} is no option of {name}, which has "
                + " and ".join(f"{name}:{each}=..." for each in known)
            )
        if option in given:
            raise InputError(f"{text!r}: {option} is given twice")
        try:
            given[option] = known[option](value)
        except InputError as error:
            raise InputError(f"{text!r}: {error}") from None
    return CellSpec(name, tuple((option, given[option]) for option in known if option in given))


def _shown(value: Value) -> str:
    return value if isinstance(value, str) else repr(value).removesuffix(".0")


def _set_bias(cell: Cell, rows: slice, value: float) -> None:
    """Set b_ih + b_hh in some rows, all of it in b_ih, so that the sum is exact."""
    for bias, wanted in ((cell.bias_ih, value), (cell.bias_hh, 0.0)):
        if bias is not None:
            changed = np.array(bias.numpy())
            changed[rows] = wanted
            bias.assign_(changed)
