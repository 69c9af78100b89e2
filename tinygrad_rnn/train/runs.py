"""The folder of a training: what it was asked for, what it came to, and where to go on.

runs/adding-lstm/settings.json      what it was asked for
                 metrics.jsonl      every update and every validation; see `train.metrics`
                 times.jsonl        how long the updates took, a line for each checkpoint
                 checkpoints/       00000250.safetensors, ...: the last few, named by the updates made
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Self

from tinygrad_rnn import __version__
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.serialization import sweep, write_whole
from tinygrad_rnn.tasks import Criterion
from tinygrad_rnn.train.checkpoint import CHECKPOINTS, checkpoint_path, checkpoints, save_checkpoint
from tinygrad_rnn.train.event_files import EventFile, require_tensorboardx
from tinygrad_rnn.train.metrics import History, Lines, cut_back, read_lines
from tinygrad_rnn.train.trainer import Trainer

SCHEMA = "tinygrad_rnn.run/1"
SETTINGS, METRICS, TIMES, LOCK = "settings.json", "metrics.jsonl", "times.jsonl", ".lock"


class Run:
    """A run in a folder, to read.

    Args:
        path: the folder.

    Raises:
        InputError: it is not the folder of a run, or its settings are damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            #: What it was asked for.
            self.settings: dict[str, Any] = dict(json.loads((self.path / SETTINGS).read_bytes()))
        except OSError as error:
            raise InputError(f"{path} is no folder of a run ({SETTINGS}: {error.strerror or error})") from None
        except (ValueError, TypeError, RecursionError):
            raise InputError(f"{self.path / SETTINGS} is damaged: it is no JSON object") from None

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name

    @property
    def criterion(self) -> Criterion | None:
        """When the task counts as solved; None if nobody can say.

        Raises:
            InputError: the settings say it in a way that cannot be.
        """
        said = self.settings.get("criterion")
        try:
            return None if said is None else Criterion(**said)
        except TypeError:
            raise InputError(f"{self.path / SETTINGS} is damaged: {said!r} is no criterion") from None

    def history(self) -> History:
        """Return what the metrics say.

        Raises:
            InputError: they are damaged.
        """
        return History.of(read_lines(self.path / METRICS))

    def seconds(self) -> float:
        """Return how long the updates up to the newest checkpoint took.

        Raises:
            InputError: the file that says so is damaged.
        """
        try:
            return sum(float(line.get("seconds", 0.0)) for line in read_lines(self.path / TIMES))
        except (TypeError, ValueError):
            raise InputError(f"{self.path / TIMES} is damaged: it has seconds that are no number") from None


def runs_in(folder: str | os.PathLike[str]) -> list[Run]:
    """Return the runs in a folder, by name; what is no run, or has damaged settings, is left out."""
    found = []
    for path in sorted(Path(folder).glob(f"[!.]*/{SETTINGS}")):
        with suppress(InputError):
            found.append(Run(path.parent))
    return found


def newest_run(folder: str | os.PathLike[str]) -> Run | None:
    """Return the run of the latest checkpoint; None if there is no checkpoint."""

    def when(run: Run) -> float:
        return max((path.stat().st_mtime for path in checkpoints(run.path)), default=0.0)

    found = max(runs_in(folder), key=when, default=None)
    return found if found is not None and when(found) else None


class FileKeeper:
    """Keeps a training in one file, its newest checkpoint. In a `with` no other process can do so at the same time.

    Args:
        path: of the file.
        own: whether what is there now is of this training, and not to be kept beside it as PATH.prev.
    """

    def __init__(self, path: str | os.PathLike[str], own: bool = False) -> None:
        self.path = Path(path)
        self._own = own
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Keep others away.

        Raises:
            InputError: another process is at work on it.
        """
        # Not beside it: there shall be nothing but the model.
        mark = hashlib.sha256(os.fsencode(os.path.realpath(self.path))).hexdigest()[:16]
        user = os.getuid() if hasattr(os, "getuid") else ""
        self._held.enter_context(_locked(Path(tempfile.gettempdir(), f"tinygrad_rnn-{user}-{mark}.lock"), self.path))
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def record(self, line: Mapping[str, Any]) -> None:
        """Do without: there is one file only."""

    def save(self, trainer: Trainer) -> None:
        """Write the checkpoint; the model of another training that is there is kept beside it."""
        sweep(self.path)
        if not self._own and self.path.exists():
            self.path.replace(previous_of(self.path))
        self._own = True
        save_checkpoint(self.path, trainer.model, trainer.optimizer, trainer.settings())


def previous_of(path: Path) -> Path:
    """Return where the model that was there before is kept."""
    return path.with_name(f"{path.name}.prev")


class RunKeeper:
    """Keeps a training in the folder of a run, which nobody else writes to at the same time.

    Make one by `create` or `resume`, in a `with`.

    Attributes:
        run: to read.
    """

    def __init__(self, path: Path, trainer: Trainer, lock: IO[bytes], keep: int, event_file: bool) -> None:
        self.run = Run(path)
        self._lock, self._keep = lock, keep
        so_far = trainer.made, trainer.updates, trainer.validate_every
        written = cut_back(path / METRICS, *so_far)
        cut_back(path / TIMES, *so_far)
        for leftover in (path / CHECKPOINTS).glob(".*.tmp"):  # of a process that was killed while it wrote
            leftover.unlink(missing_ok=True)
        self._metrics, self._times = Lines(path / METRICS), Lines(path / TIMES)
        self._events = EventFile(path, written) if event_file else None
        self._since = time.perf_counter()

    @classmethod
    @contextmanager
    def create(
        cls,
        folder: str | os.PathLike[str],
        name: str,
        trainer: Trainer,
        *,
        numbered: bool = False,
        keep: int = 3,
        event_file: bool = False,
    ) -> Iterator[Self]:
        """Begin a run, with a first checkpoint. Its folder appears whole, and no run that is there is touched.

        Args:
            folder: where runs are.
            name: of the new one.
            numbered: if there is one of this name, call it NAME-2, NAME-3 and so on.
            keep: so many checkpoints are kept, the last ones.
            event_file: also write the metrics for TensorBoard.

        Raises:
            InputError: there is a run of that name, the name cannot be one, or the folder cannot be written.
            MissingToolError: there is nothing that writes event files.
        """
        check_name(name)
        if event_file:
            require_tensorboardx()
        beside = Path(folder, f".{uuid.uuid4().hex}.tmp")
        try:
            (beside / CHECKPOINTS).mkdir(parents=True)
            write_whole(beside / SETTINGS, _settings(trainer, event_file))
            settings = trainer.settings()
            save_checkpoint(checkpoint_path(beside, trainer.made), trainer.model, trainer.optimizer, settings)
            path = _take_place(beside, Path(folder), name, numbered)
        except OSError as error:
            raise InputError(f"cannot write into {folder}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        with _locked(path / LOCK, path) as lock:
            yield from cls._working(path, trainer, lock, keep, event_file)

    @classmethod
    @contextmanager
    def resume(cls, run: Run, trainer: Trainer, *, keep: int = 3, event_file: bool = False) -> Iterator[Self]:
        """Go on with a run from where a trainer stands, which was made of one of its checkpoints.

        That checkpoint is written again, as what is asked for may have changed, the number of updates for example. What
        was written down about later updates is forgotten: they will be made again.

        Raises:
            InputError: another process is at work on it, or the folder cannot be written.
            MissingToolError: there is nothing that writes event files.
        """
        event_file = event_file or bool(run.settings.get("event_file"))
        if event_file:
            require_tensorboardx()
        with _locked(run.path / LOCK, run.path) as lock:
            write_whole(run.path / SETTINGS, _settings(trainer, event_file))
            # What was changed holds from here on, whatever becomes of this process.
            save_checkpoint(
                checkpoint_path(run.path, trainer.made), trainer.model, trainer.optimizer, trainer.settings()
            )
            yield from cls._working(run.path, trainer, lock, keep, event_file)

    @classmethod
    def _working(cls, path: Path, trainer: Trainer, lock: IO[bytes], keep: int, event_file: bool) -> Iterator[Self]:
        keeper = cls(path, trainer, lock, keep, event_file)
        try:
            yield keeper
        finally:
            for each in (keeper._metrics, keeper._times, keeper._events):
                if each is not None:
                    each.close()

    def record(self, line: Mapping[str, Any]) -> None:
        """Append a line to the metrics."""
        self._metrics.add(line)
        if self._events is not None:
            self._events.add(line)

    def save(self, trainer: Trainer) -> None:
        """Make a checkpoint, once all that it stands for is written down; then remove those that are too many."""
        self._metrics.settle()
        if self._events is not None:
            self._events.settle()
        save_checkpoint(
            checkpoint_path(self.run.path, trainer.made), trainer.model, trainer.optimizer, trainer.settings()
        )
        now = time.perf_counter()
        self._times.add({"update": trainer.made, "seconds": now - self._since})
        self._since = now
        for old in checkpoints(self.run.path)[: -self._keep]:
            old.unlink(missing_ok=True)


def check_name(name: str) -> None:
    """Make sure that a run can have a name; InputError unless it can."""
    if not name or name.startswith(".") or name != Path(name).name or any(character in name for character in "/\\\0"):
        raise InputError(f"{name!r} cannot be the name of a run: it is the name of a folder, without / and . in front")


def _settings(trainer: Trainer, event_file: bool) -> bytes:
    """Return what settings.json says."""
    momentary = "updates", "schedule_state"
    settings = {name: value for name, value in trainer.settings().items() if name not in momentary}
    criterion = trainer.task.criterion
    said = {
        "schema": SCHEMA,
        "version": __version__,
        "kind": trainer.model.kind,
        "model": trainer.model.config(),
        "optimizer": trainer.optimizer.config() | {"lr": trainer.base_lr},
        "task": trainer.task.specification,
        "unit": trainer.task.unit,
        "criterion": None if criterion is None else asdict(criterion),
        **settings,
        "event_file": event_file,
    }
    return (json.dumps(said, indent=1) + "\n").encode()


def _take_place(beside: Path, folder: Path, name: str, numbered: bool) -> Path:
    """Move a folder to its place, which is free: of two processes that try it, one gets it.

    Raises:
        InputError: it is taken, and no other will do.
    """
    number = 1
    while True:
        path = folder / (name if number == 1 else f"{name}-{number}")
        try:
            if not path.exists():
                beside.rename(path)  # fails where something has come in between
                return path
        except OSError:
            if not path.exists():
                raise
        if not numbered:
            raise InputError(f"{path} is there already; choose another name, or go on with it by --resume")
        number += 1


@contextmanager
def _locked(lock: Path, path: Path) -> Iterator[IO[bytes]]:
    """Keep other processes from writing to a run or a file meanwhile; the system lets go of it when this one ends.

    Args:
        lock: the file that stands for it.
        path: of the run or the file.

    Raises:
        InputError: another one does.
    """
    try:
        file = open(lock, "ab")  # noqa: SIM115  (closed below; that lets go of the lock)
    except OSError as error:
        raise InputError(f"cannot write {lock}: {error.strerror or error}") from error
    with file:
        try:
            _lock(file)
        except OSError:
            raise InputError(f"another process is at work on {path}; wait for it, or choose another name") from None
        yield file


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415  (Windows only)

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415  (not on Windows)

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
