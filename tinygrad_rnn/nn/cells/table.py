"""The cells there are, and which one is meant by a few words: "gru", "lstm:forget_bias=3", "rnn:gain=1".

A new cell is a class in a file beside this one, and a line in `CELLS`: layers, commands, documents and tests read it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.engine.creation import zeros
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn import init
from tinygrad_rnn.nn.cells.base import Cell
from tinygrad_rnn.nn.cells.elman import CarouselCell, RNNCell, activation
from tinygrad_rnn.nn.cells.gates_from_input import SQUASHED, GatesFromInputCell
from tinygrad_rnn.nn.cells.greff import (
    CIFGCell,
    CoupledLSTMCell,
    FGRCell,
    NFGCell,
    NIAFCell,
    NIGCell,
    NOAFCell,
    NOGCell,
)
from tinygrad_rnn.nn.cells.grid import PRIORITIES, GridLSTMCell
from tinygrad_rnn.nn.cells.gru import RESETS, UPDATES, GRUCell, MGUCell
from tinygrad_rnn.nn.cells.joined import JoinedLSTMCell, JoinedRNNCell
from tinygrad_rnn.nn.cells.layernorm import LayerNormLSTMCell
from tinygrad_rnn.nn.cells.lstm import LSTMCell
from tinygrad_rnn.nn.cells.lstm97 import GRADIENTS, LSTM97Cell, LSTM97NOGCell
from tinygrad_rnn.nn.cells.peephole import FullPeepholeLSTMCell, PeepholeLSTMCell
from tinygrad_rnn.nn.cells.remedies import rows_of
from tinygrad_rnn.specs import Spec, Value, number, read, shown, whole, word

if TYPE_CHECKING:
    from tinygrad_rnn.nn.recurrent import Recurrent

__all__ = [
    "CELLS", "CellEntry", "CellSpec", "cell_class", "cells_like", "nonlinearity", "number", "parse_cell", "set_bias",
    "steps_of_memory", "whole", "whole_or_none", "word",
]  # fmt: skip

#: The input weights of an IRNN are drawn from N(0, IRNN_STD**2).
IRNN_STD = 0.001

#: Where the LSTM comes from, and where its variants.
HS97 = "Hochreiter & Schmidhuber 1997"
GREFF = "Greff et al. 2015"

# ---- how the text of an option is read ------------------------------------------------------------------------------


def whole_or_none(text: str) -> int:
    """Read the value of an option that is a whole number from 0, which stands for none."""
    return 0 if text == "0" else whole(text)


def nonlinearity(text: str) -> str:
    """Read the name of an activation; InputError if there is no such."""
    activation(text)
    return text


def steps_of_memory(text: str) -> float:
    """Read the longest memory of a chrono initialisation; InputError unless it is above 2 steps."""
    found = number(text)
    if found <= 2:
        raise InputError(f"{text!r} is no number of steps above 2, of which log U(1, chrono - 1) could be drawn")
    return found


# ---- how weights begin where an option says something about them ---------------------------------------------------


def _elman(cell: Cell, chosen: Mapping[str, Any]) -> None:
    if "gain" in chosen:
        init.orthogonal_(cell.weight_hh, chosen["gain"])


def _identity(cell: Cell, chosen: Mapping[str, Any]) -> None:
    init.identity_(cell.weight_hh, chosen.get("gain", 1.0))
    init.normal_(cell.weight_ih, std=IRNN_STD)
    if cell.bias:
        set_bias(cell, slice(None), 0.0)


def _lstm(cell: Cell, chosen: Mapping[str, Any]) -> None:
    if "forget_bias" in chosen:
        set_bias(cell, rows_of(cell, "f"), chosen["forget_bias"])
    if "chrono" in chosen:
        _set_chrono(cell, chosen, "forget_bias", keeps="f", lets_in="i")


def _set_chrono(cell: Cell, chosen: Mapping[str, Any], other: str, keeps: str, lets_in: str | None = None) -> None:
    """Give every unit a memory of its own length, up to `chrono` steps (Tallec & Ollivier 2018, equation 16)."""
    if other in chosen:
        raise InputError(f"chrono and {other} both say what a bias begins with; leave one of them out")
    sign = -1.0 if getattr(cell, "update", None) == "renew" else 1.0
    drawn = init.chrono_(zeros(cell.hidden_size, dtype="float64"), chosen["chrono"]).numpy()
    set_bias(cell, rows_of(cell, keeps), sign * drawn)
    if lets_in is not None:
        set_bias(cell, rows_of(cell, lets_in), -drawn)


def _coupled(cell: Cell, chosen: Mapping[str, Any]) -> None:
    if "forget_bias" in chosen:  # f = 1 - sigmoid(b) = sigmoid(-b)
        set_bias(cell, rows_of(cell, "i"), -chosen["forget_bias"])


def _blocks(cell: Cell, chosen: Mapping[str, Any]) -> None:
    blocks, cells = cell.blocks, cell.hidden_size
    for option, first in (("input_bias", 0), ("output_bias", blocks + cells)):
        for block in range(blocks) if option in chosen else ():
            set_bias(cell, slice(first + block, first + block + 1), (block + 1) * chosen[option])


def _gru(cell: Cell, chosen: Mapping[str, Any]) -> None:
    if "update_bias" in chosen:
        set_bias(cell, rows_of(cell, "z"), chosen["update_bias"])
    if "chrono" in chosen:
        _set_chrono(cell, chosen, "update_bias", keeps="z")


def set_bias(cell: Cell, rows: slice, value: float | np.ndarray) -> None:
    """Set b_ih + b_hh in some rows, all of it in b_ih, so that the sum is exact.

    Raises:
        InputError: the cell has no biases.
    """
    if cell.bias_ih is None:
        wanted = f"set to {value + 0.0:g}" if isinstance(value, float) else "draw"
        raise InputError(f"{type(cell).__name__}: bias=False leaves no bias to {wanted}; leave one of both out")
    start: float | np.ndarray
    for bias, start in ((cell.bias_ih, value), (cell.bias_hh, 0.0)):
        if bias is not None:
            changed = np.array(bias.numpy())
            changed[rows] = start
            bias.assign_(changed)


# ---- the table -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CellEntry:
    """A line of the table of cells.

    Attributes:
        cell: the class.
        summary: what it is, in one line.
        reference: where it comes from: authors and year.
        options: what can be chosen about it, and how a value is read: `number`, `whole`, `nonlinearity`, `word(...)`,
            or a function from text that raises InputError. Options that the class takes go to it, the others to
            `start`.
        start: overwrites the weights of a new cell that the chosen options say something about.
        fixed: options of the class that come with the name.
    """

    cell: type[Cell]
    summary: str
    reference: str
    options: Mapping[str, Callable[[str], Value]] = field(default_factory=dict)
    start: Callable[[Cell, Mapping[str, Any]], None] | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def equations(self) -> tuple[str, ...]:
        """The equations of one step: the second paragraph of the class's docstring; () where there is none.

        >>> from tinygrad_rnn.nn import CELLS
        >>> CELLS["coupled"].equations[1], CELLS["coupled"].equations[-1]
        ('f = 1 - i', "h' = o * tanh(c')")
        """
        paragraphs = inspect.cleandoc(self.cell.__doc__ or "").split("\n\n")
        return tuple(paragraphs[1].splitlines()) if len(paragraphs) > 1 else ()


#: By the name that texts and commands use.
CELLS: dict[str, CellEntry] = {
    "rnn": CellEntry(
        RNNCell, "simple recurrent network; gain: W_hh is gain times a random orthogonal matrix",
        "Elman 1990", {"gain": number, "nonlinearity": nonlinearity}, _elman,
    ),
    "irnn": CellEntry(
        RNNCell, f"relu, W_hh = gain * identity (gain 1), biases 0, W_ih from N(0, {IRNN_STD}**2)",
        "Le, Jaitly & Hinton 2015", {"gain": number}, _identity, {"nonlinearity": "relu"},
    ),
    "carousel": CellEntry(
        CarouselCell, "naive constant error carousel: h' = h + W_ih x + b_ih, w = 1 and the identity",
        f"{HS97}, section 3.2",
    ),
    "rnn_joined": CellEntry(
        JoinedRNNCell, "simple recurrent network with one weight on h and x side by side", "Elman 1990",
        {"nonlinearity": nonlinearity},
    ),
    "gates_from_input": CellEntry(
        GatesFromInputCell, "s' = f * s + i * x, or its tanh, with gates that see x only; hidden size = input size",
        "simplified after Gers et al. 2000", {"nonlinearity": word(*SQUASHED)},
    ),
    "lstm97": CellEntry(
        LSTM97Cell, "the LSTM of 1997: blocks of block_size cells, no forget gate, weights between gates; gradient: "
        "truncated has no errors through recurrent weights; input_bias, output_bias: b in block 1, 2b in block 2 ...",
        HS97, {"block_size": whole, "gradient": word(*GRADIENTS), "input_bias": number, "output_bias": number}, _blocks,
    ),
    "lstm97_nog": CellEntry(
        LSTM97NOGCell, "the LSTM of 1997 with no output gate, c' = c + i * sigmoid(...) being the output",
        f"{HS97}, experiment 2a", {"block_size": whole, "gradient": word(*GRADIENTS), "input_bias": number}, _blocks,
    ),
    "lstm": CellEntry(
        LSTMCell, "long short-term memory; forget_bias: b_ih + b_hh of the forget gate f; chrono: random biases, "
        "for memories of up to so many steps (Tallec & Ollivier 2018); proj_size: of h, if smaller",
        f"{HS97}; Gers et al. 2000; Sak et al. 2014",
        {"forget_bias": number, "chrono": steps_of_memory, "proj_size": whole_or_none}, _lstm,
    ),
    "lstm_joined": CellEntry(
        JoinedLSTMCell, "LSTM with one weight on h and x side by side; forget_bias: b of the forget gate f",
        f"{HS97}; Gers et al. 2000", {"forget_bias": number}, _lstm,
    ),
    "peephole": CellEntry(
        PeepholeLSTMCell, "LSTM whose gates see c, and o the new one, by a weight for each cell; Greff's vanilla LSTM",
        "Gers & Schmidhuber 2000; Graves 2013", {"forget_bias": number}, _lstm,
    ),
    "peephole_full": CellEntry(
        FullPeepholeLSTMCell, "LSTM whose gates all see the old c, by whole matrices",
        "after Gers & Schmidhuber 2000", {"forget_bias": number}, _lstm,
    ),
    "coupled": CellEntry(
        CoupledLSTMCell, "LSTM with f = 1 - i and no peepholes; forget_bias: minus b_ih + b_hh of i",
        GREFF, {"forget_bias": number}, _coupled,
    ),
    "nig": CellEntry(NIGCell, "peephole LSTM with no input gate, i = 1", GREFF, {"forget_bias": number}, _lstm),
    "nfg": CellEntry(NFGCell, "peephole LSTM with no forget gate, f = 1", GREFF),
    "nog": CellEntry(NOGCell, "peephole LSTM with no output gate, o = 1", GREFF, {"forget_bias": number}, _lstm),
    "niaf": CellEntry(NIAFCell, "peephole LSTM with a linear g", GREFF, {"forget_bias": number}, _lstm),
    "noaf": CellEntry(NOAFCell, "peephole LSTM with h = o * c", GREFF, {"forget_bias": number}, _lstm),
    "cifg": CellEntry(
        CIFGCell, "peephole LSTM with f = 1 - i; forget_bias: minus b_ih + b_hh of i",
        GREFF, {"forget_bias": number}, _coupled,
    ),
    "np": CellEntry(LSTMCell, "the LSTM, as the variant with no peepholes", GREFF, {"forget_bias": number}, _lstm),
    "fgr": CellEntry(
        FGRCell, "peephole LSTM whose gates see all gates of the last step", GREFF, {"forget_bias": number}, _lstm,
    ),
    "layernorm_lstm": CellEntry(
        LayerNormLSTMCell, "LSTM with layer normalisation of both products and of c",
        "Ba, Kiros & Hinton 2016", {"forget_bias": number}, _lstm,
    ),
    "grid": CellEntry(
        GridLSTMCell, "2-D Grid LSTM, with memory along the layers as well, both vectors of which are the output; "
        "priority: what sees the new h; forget_bias: b_ih + b_hh of f along time",
        "Kalchbrenner et al. 2015", {"forget_bias": number, "priority": word(*PRIORITIES)}, _lstm,
    ),
    "gru": CellEntry(
        GRUCell, "gated recurrent unit; update_bias: b_ih + b_hh of the update gate z; large values keep the state, or "
        "renew it with update=renew; chrono: random ones, as for the LSTM; reset: where r acts, after the product with "
        "W_hn or before",
        "Cho et al. 2014; Chung et al. 2014",
        {"update_bias": number, "chrono": steps_of_memory, "reset": word(*RESETS), "update": word(*UPDATES)}, _gru,
    ),
    "mgu": CellEntry(MGUCell, "minimal gated unit: a GRU with one gate for both purposes", "Zhou et al. 2016"),
}  # fmt: skip


def cell_class(cell: Any) -> type[Cell]:
    """Return a subclass of Cell as it is; InputError if it is something else."""
    if not (isinstance(cell, type) and issubclass(cell, Cell)):
        raise InputError(
            f"a cell must be a subclass of nn.Cell, or a text like 'lstm:forget_bias=3', not {cell!r}; the names are "
            + ", ".join(CELLS)
        )
    return cell


def cells_like(
    shapes: Mapping[str, tuple[int, ...]], input_size: int, hidden_size: int
) -> dict[str, tuple[type[Cell], Mapping[str, Any]]]:
    """Return the cells whose parameters have just these names and shapes, a class once.

    Returns:
        By their specification, such as "lstm97:block_size=2", the class and those options that the shapes depend on.
    """
    found: dict[type[Cell], tuple[str, Mapping[str, Any]]] = {}
    for name, entry in CELLS.items():
        for form, bias in product(entry.cell.forms(hidden_size), (True, False)):
            try:
                expected = entry.cell.shapes(input_size, hidden_size, bias, **form)
            except InputError:  # no such sizes
                continue
            if expected == dict(shapes):
                usual = entry.cell._options()
                chosen = tuple([(option, value) for option, value in form.items() if value != usual[option]])
                found.setdefault(entry.cell, (CellSpec(name, chosen).text, form))
    return {text: (cell, form) for cell, (text, form) in found.items()}


# ---- a few words ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CellSpec(Spec):
    """A cell of the table and what was chosen about it; without options its weights begin as the class says."""

    @property
    def title(self) -> str:
        """The specification as people read it: "LSTM (forget bias 3)"."""
        chosen = ", ".join(f"{name} {shown(value)}".replace("_", " ") for name, value in self.options)
        return self.name.upper() + (f" ({chosen})" if chosen else "")

    @property
    def cell_class(self) -> type[Cell]:
        """The cell that runs along the sequence."""
        return CELLS[self.name].cell

    @property
    def cell_options(self) -> dict[str, Any]:
        """Those of the options that the class takes."""
        entry = CELLS[self.name]
        taken = entry.cell._options()
        return {**entry.fixed, **{name: value for name, value in self.options if name in taken}}

    def apply(self, rnn: Recurrent) -> None:
        """Overwrite the weights that the options say something about."""
        start = CELLS[self.name].start
        if start is None:
            return
        for layer in range(rnn.num_layers):
            for reverse in (False, True)[: rnn.directions]:
                start(rnn.cell(layer, reverse), dict(self.options))


def parse_cell(text: str, more: Mapping[str, Any] | None = None) -> CellSpec:
    """Read a specification: a cell's name, then `:option=value` as often as needed.

    Args:
        text: the specification.
        more: options given beside it, with their values.

    Raises:
        InputError: an unknown cell or option, a value that is none, or an option given twice.

    >>> from tinygrad_rnn.nn import parse_cell
    >>> spec = parse_cell("lstm:forget_bias=3.0")
    >>> spec.text, spec.file_name, spec.title
    ('lstm:forget_bias=3', 'lstm-forget_bias-3', 'LSTM (forget bias 3)')
    """
    return CellSpec(*read("cell", text, CELLS, more))
