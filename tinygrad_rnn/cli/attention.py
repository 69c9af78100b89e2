"""Where a model that wrote has looked: the weights as a file, and a plot beside it."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_rnn.cli.entries import can_plot, style_of
from tinygrad_rnn.cli.files import writable_folder
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import Alignment, Gaze
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.sheet import DEFAULT_FORMATS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = "tinygrad_rnn.attention/1"
#: How the file with the numbers may end.
ENDINGS = (".json", ".csv")

Looks = Sequence[Alignment | Gaze]


class AttentionFiles:
    """The files that `--attention FILE` asks for, checked before anything is computed.

    Raises:
        InputError: they cannot be written, FILE has another ending, or the model has no attention.
    """

    def __init__(self, options: argparse.Namespace, kind_of_attention: str) -> None:
        self._path = None if options.attention is None else Path(options.attention)
        self._formats: tuple[str, ...] = ()
        if self._path is None:
            return
        if self._path.suffix not in ENDINGS:
            raise InputError(
                f"--attention: {shown(self._path)} must end in {' or '.join(ENDINGS)}; the plot is written beside it"
            )
        if kind_of_attention == "none":
            raise InputError(
                f"--attention: {shown(options.model)} has no attention, so it looks at nothing; train one with "
                f"{'dates:attention=dot' if options.command == 'translate' else 'strips:attention=soft'}"
            )
        formats = options.format or DEFAULT_FORMATS
        if can_plot(self._path.with_suffix(f".{formats[0]}")):
            self._formats = formats
        names = [self._path.name, *(f"{self._path.stem}.{kind}" for kind in self._formats)]
        writable_folder(self._path.parent, "--attention", names)
        self._style = style_of(options)

    def __bool__(self) -> bool:
        return self._path is not None

    def write(self, found: Looks, draw: Callable[..., Figure], about: dict[str, Any]) -> list[str]:
        """Write weights and plot; return the names of the files."""
        if self._path is None:
            return []
        if self._path.suffix == ".csv":
            text = _csv(found)
        else:
            said = {"schema": SCHEMA, **about, "found": [_to_json(each) for each in found]}
            text = json.dumps(said, indent=1, allow_nan=False) + "\n"
        write_whole(self._path, text.encode())
        written = [self._path]
        if self._formats:
            written += plots.save(draw(found, style=self._style), self._path.with_suffix(""), self._formats)
        return [shown(path) for path in written]


def _to_json(each: Alignment | Gaze) -> dict[str, Any]:
    rows = {"written": each.written, "weights": each.weights.tolist()}
    if isinstance(each, Alignment):
        return {"read": each.read, **rows}
    return {"pixels": each.image.shape[1], **rows, "centres": each.centres.tolist()}


def _csv(found: Looks) -> str:
    """Return a line for each weight: of which text, letter written, and letter or column of pixels read."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(["text", "step", "written", "place", "read", "weight"])
    for number, each in enumerate(found):
        read = _columns(each)
        for step, (letter, row) in enumerate(zip(each.written, each.weights.tolist(), strict=True)):
            for place, (what, weight) in enumerate(zip(read, row, strict=True)):
                writer.writerow([number, step, letter, place, what, weight])
    return sheet.getvalue()


def _columns(each: Alignment | Gaze) -> list[str]:
    """Return what each column of the weights stands for: a letter, or pixels from A to B-1 as "A:B"."""
    if isinstance(each, Alignment):
        return list(each.read)
    return list(_stretches(each.image.shape[1] // each.weights.shape[1], each.weights.shape[1]))


def _stretches(wide: int, count: int) -> Iterator[str]:
    for at in range(count):
        yield f"{at * wide}:{(at + 1) * wide}"
