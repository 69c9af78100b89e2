"""Where trained models are: the runs, and the file that `train --out` wrote."""

from __future__ import annotations

from pathlib import Path

from tinygrad_rnn.cli.options import MODEL_FILE, RUNS
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.train import Checkpoint, load_checkpoint, newest_run
from tinygrad_rnn.train.checkpoint import checkpoints
from tinygrad_rnn.train.runs import previous_of


def newest_model() -> Path:
    """Return the newest run, or else the file that stood for it before there were runs; InputError without both."""
    run = newest_run(RUNS)
    if run is not None:
        return run.path
    if Path(MODEL_FILE).exists():
        return Path(MODEL_FILE)
    raise InputError(f"there is no run in {RUNS}, and no {MODEL_FILE}; `tinygrad-rnn train` makes one")


def load_newest(path: Path, device: str) -> Checkpoint:
    """Return the newest checkpoint of a run, or the one in a file; if it cannot be used, say which one can.

    Raises:
        InputError: it cannot be used.
    """
    try:
        return load_checkpoint(path, device)
    except InputError as error:
        raise InputError(f"{error}{_instead(path)}") from None


def _instead(path: Path) -> str:
    """Return what can be done about a checkpoint that cannot be used: take the one before, which is tried here."""
    if path.is_dir():
        *before, damaged = checkpoints(path) or [path]
        for older in reversed(before):
            if (updates := _updates(older)) is not None:
                return (
                    f"; the one before it, {shown(older)}, can be used, and was made after {updates} updates: "
                    f"move {shown(damaged)} away to go on from there"
                )
        return ""
    kept = previous_of(path)
    updates = _updates(kept) if kept.exists() else None
    if updates is None:
        return ""
    return f"; {shown(kept)}, which was there before it, can be used, and had {updates} updates"


def _updates(path: Path) -> int | None:
    """Return how many updates the model in a file had; None if it cannot be used."""
    try:
        return int(load_checkpoint(path).settings["updates"])
    except (InputError, KeyError, TypeError, ValueError):
        return None
