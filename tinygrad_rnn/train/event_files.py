"""The metrics once more as event files, for TensorBoard; tensorboardX writes them (the extra `tensorboard`)."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tinygrad_rnn.errors import MissingToolError

#: What the numbers of an update are called there.
TAGS = {"loss": "training/loss", "norm": "gradient/norm", "clipped": "gradient/clipped"}


def require_tensorboardx() -> Any:
    """Return the package that writes event files.

    Raises:
        MissingToolError: it cannot be imported; says what to install.
    """
    try:
        return importlib.import_module("tensorboardX")
    except ImportError as error:
        advice = "pip install 'tinygrad-rnn[tensorboard]'"
        raise MissingToolError(f"event files need tensorboardX, which cannot be imported ({error}): {advice}") from None


class EventFile:
    """An event file in the folder of a run, which grows with the metrics.

    Args:
        folder: where to.
        written: the lines of the metrics so far. If there are event files already, they have them; TensorBoard is told
            to forget what they have beyond.

    Raises:
        MissingToolError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path, written: Iterable[Mapping[str, Any]] = ()) -> None:
        lines = list(written)
        known = any(folder.glob("events.out.tfevents.*"))
        after = max((line["update"] for line in lines), default=0) + 1 if known else None
        self._writer = require_tensorboardx().SummaryWriter(str(folder), purge_step=after)
        for line in [] if known else lines:
            self.add(line)

    def add(self, line: Mapping[str, Any]) -> None:
        """Write the numbers of a line of the metrics."""
        scores = {f"validation/{name}": value for name, value in line.get("validation", {}).items()}
        numbers = {tag: line[name] for name, tag in TAGS.items() if name in line}
        for tag, value in (numbers | scores).items():
            if value is not None:
                self._writer.add_scalar(tag, value, line["update"])

    def settle(self) -> None:
        """Write what waits to be written."""
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
