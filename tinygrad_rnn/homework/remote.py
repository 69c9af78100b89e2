"""The other end of a student's process: started, asked, watched, ended; its objects have stand-ins here."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from tinygrad_rnn.backends import CPU_BACKEND_VARIABLE
from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.homework import sandbox, values
from tinygrad_rnn.homework.values import BadValueError
from tinygrad_rnn.homework.withholding import PACKAGE, package_without

__all__ = ["Child", "Remote", "StudentError", "TooLateError", "WorkerDiedError", "die_with_parent", "printable"]

_MEMORY = 1 << 31
_LIBC = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
#: What a package imports beside itself and NumPy.
_NEEDS = {"numba": ("llvmlite",)}


class StudentError(Exception):
    """An error that a student's code raised in its process."""

    def __init__(self, kind: str, words: str, line: int | None, bases: Sequence[str] = ()) -> None:
        words = printable(re.sub(r"0x[0-9a-f]{6,}", "0x...", words))  # the same words on every run
        kind = printable(kind, keep="")
        super().__init__(f"{kind}: {words}" if words else kind)
        self.kind, self.words, self.line = kind, words, line
        #: The names of its class and of those that this is derived from.
        self.kinds = [kind, *bases]


def printable(text: str, keep: str = "\n") -> str:
    r"""Return a text that is not ours so that it can stand in a terminal, a table and a page.

    What moves a cursor, turns the direction of writing or cannot be written is shown as its escape.

    Args:
        text: what others wrote.
        keep: what is not shown as an escape; lines stay lines unless this is "".

    >>> printable("\x1b[2J all \u202e well\n")
    '\\x1b[2J all \\u202e well\n'
    """
    odd = {each for each in text if unicodedata.category(each)[0] == "C" or each in "\u2028\u2029"} - set(keep)
    return text.translate({ord(each): each.encode("unicode_escape").decode() for each in odd})


class WorkerDiedError(Exception):
    """A student's process that ended, hung, or sent what is no message."""


class TooLateError(WorkerDiedError):
    """A student's process that did not answer in time."""


class Remote:
    """Stands for an object in a student's process: attributes, calls and operators happen there."""

    __slots__ = ("_child", "_kind", "_number")
    __hash__ = object.__hash__

    def __init__(self, child: Child, number: int, kind: str) -> None:
        for name, value in (("_child", child), ("_number", number), ("_kind", kind)):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._child.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._child.ask("setattr", self, name, value)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._child.ask("call", self, list(arguments), named)

    def __eq__(self, other: object) -> bool:
        """Compare which object it is: what its own class says of equality is not asked."""
        return isinstance(other, Remote) and (self._child, self._number) == (other._child, other._number)

    def __repr__(self) -> str:
        return f"an object of class {self._kind}"

    def __len__(self) -> int:
        found = self._child.ask("len", self)
        return found if type(found) is int and found >= 0 else 0

    def __getitem__(self, index: Any) -> Any:
        return self._child.ask("getitem", self, index)

    def __neg__(self) -> Any:
        return self._child.ask("neg", self)

    def __add__(self, other: Any) -> Any:
        return self._child.ask("add", self, other)

    def __sub__(self, other: Any) -> Any:
        return self._child.ask("sub", self, other)

    def __mul__(self, other: Any) -> Any:
        return self._child.ask("mul", self, other)

    def __truediv__(self, other: Any) -> Any:
        return self._child.ask("truediv", self, other)

    def __matmul__(self, other: Any) -> Any:
        return self._child.ask("matmul", self, other)

    def __pow__(self, other: Any) -> Any:
        return self._child.ask("pow", self, other)


class Child:
    """A process of a student's code, in a folder of its own; use it in a `with`.

    Args:
        files: the texts of its files; the first is the module.
        packages: what it may import beside Python's own modules, such as numpy.
        patience: how many seconds it may take for one check; `rest` begins a new one.
        whole: how many seconds of computing all checks may take together, to load it besides; as many as one of them,
            unless given.
        without: which modules of tinygrad_rnn it does not find, where that is among the packages. It computes with
            NumPy there, whatever backend is in use here: nothing is compiled, and half a core is enough.
        threads: how many threads it may start; for none, no process either.

    Raises:
        MissingToolError: this system has no such processes.
        WorkerDiedError: it did not start.
    """

    def __init__(
        self,
        files: Mapping[str, str],
        packages: tuple[str, ...] = ("numpy",),
        patience: float = 20.0,
        without: tuple[str, ...] = (),
        threads: int = 0,
        whole: float = 0.0,
    ) -> None:
        if sys.platform == "win32":
            raise MissingToolError("homework is checked and graded on Linux and macOS; on Windows use WSL")
        self.patience = patience
        self._closed = False
        self._before = _children()
        _adopt()
        self.folder = Path(tempfile.mkdtemp(prefix="homework-")).resolve()
        try:
            self.files_cut = self._start(files, packages, without, threads, whole)
        except BaseException:
            self.close()
            raise

    def _start(
        self, files: Mapping[str, str], packages: tuple[str, ...], without: tuple[str, ...], threads: int, whole: float
    ) -> bool:
        own, rooms = self.folder / "own", self.folder / "packages"
        own.mkdir()
        rooms.mkdir()
        for name, text in files.items():
            (own / name).write_text(text, encoding="utf-8")
        places = {Path(place).parent for package in (np, safetensors) for place in package.__path__}
        libraries = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
        libraries |= {str(Path(sys.base_prefix) / "lib"), "/usr/lib", "/lib", "/lib64", "/usr/lib64"}
        # Not whole: other packages, and with them an engine that knows every answer, may lie inside.
        readable = [str(place) for library in libraries for place in Path(library).glob("*") if _is_library(place)]
        if PACKAGE in packages:
            for name, text in package_without(without).items():
                (rooms / name).parent.mkdir(parents=True, exist_ok=True)
                (rooms / name).write_text(text, encoding="utf-8")
            packages = (*(package for package in packages if package != PACKAGE), "numpy", "safetensors")
        wanted = dict.fromkeys(each for name in packages for each in (name, *_NEEDS.get(name, ())))
        for package in wanted:
            for place in (room / name for room in places for name in (package, f"{package}.libs")):
                if place.is_dir():
                    os.symlink(place, rooms / place.name)
                    readable.append(str(place))
        here = Path(__file__).parent
        settings = {
            "own": str(own), "path": [str(rooms)], "values": str(here / "values.py"),
            "readable": [*readable, str(rooms), "/dev"], "listed": sorted(libraries),
            # The clock of `rest` bounds what is waited for; this, what nobody waits for.
            "seconds": int((self.patience + max(self.patience, whole)) * (1 + threads)) + 2,
            "memory": _MEMORY, "threads": threads,
        }  # fmt: skip
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        one[CPU_BACKEND_VARIABLE] = "reference"
        one["MALLOC_ARENA_MAX"] = "2"  # else each thread takes 64 MB of the addresses that it may have
        told = self.folder / "settings.json"  # a file: there can be more places than an argument has room for
        told.write_text(json.dumps(settings), encoding="utf-8")
        self.printed = (self.folder / "printed").open("w+b")
        self._process = subprocess.Popen(
            [*sandbox.around(self.folder), sys.executable, "-I", "-S", "-B", str(here / "worker.py"), str(told)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.printed,
            cwd=own, env=one | {"PATH": os.defpath}, start_new_session=True, close_fds=True,
            preexec_fn=functools.partial(die_with_parent, os.getpid()),  # noqa: PLW1509  (two calls of the system)
        )  # fmt: skip
        self._callbacks: list[Callable[..., Any]] = []
        self.rest()
        ready = self._read()
        return bool(ready.get("ready"))

    def rest(self) -> None:
        """Let its time begin anew, as at the beginning of a check."""
        self._until = time.monotonic() + self.patience

    def load(self, name: str) -> Remote:
        """Return the module of one of its files.

        Raises:
            StudentError: it raises while it is imported.
            WorkerDiedError: it ended the process, or hung.
        """
        module = self.ask("load", str(self.folder / "own" / name))
        if not isinstance(module, Remote):
            raise WorkerDiedError("the process answered something else than it was asked for")
        return module

    def ask(self, what: str, *arguments: Any) -> Any:
        """Have something done in the process, and return what came of it.

        Raises:
            StudentError: the student's code raised an error.
            WorkerDiedError: it ended the process, hung, or sent what is no message.
        """
        self._write({"do": what, "with": values.dump(list(arguments), self._refer)})
        while True:
            message = self._read()
            if "callback" in message:
                self._write(self._call_back(message))
                continue
            if isinstance(error := message.get("error"), dict):
                line = error.get("line")
                words = [str(error.get(name, ""))[:500] for name in ("kind", "words")]
                bases = (
                    [each for each in error["bases"] if type(each) is str] if type(error.get("bases")) is list else []
                )
                raise StudentError(words[0], words[1], line if type(line) is int else None, bases)
            return self._value(message.get("reply"))

    def _call_back(self, message: Mapping[str, Any]) -> dict[str, Any]:
        number = message["callback"]
        if type(number) is not int or not 0 <= number < len(self._callbacks):
            raise WorkerDiedError("the process asked for a function that it was not given")
        try:
            result = self._callbacks[number](*self._value(message.get("with")))
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, MemoryError) as error:
            return {"reply": None, "error": f"{type(error).__name__}: {error}"}
        return {"reply": values.dump(result, self._refer)}

    def _refer(self, value: Any) -> list[Any]:
        if isinstance(value, Remote):
            return ["object", object.__getattribute__(value, "_number")]
        if not callable(value):
            raise TypeError(f"a check can send data and functions, not {type(value).__name__}")
        self._callbacks.append(value)
        return ["callback", len(self._callbacks) - 1]

    def _value(self, told: Any) -> Any:
        def other(kind: str, content: Any) -> Any:
            number, name = content
            if kind != "object" or type(number) is not int or type(name) is not str:
                raise BadValueError(f"unknown kind {kind!r}")
            return Remote(self, number, printable(name[:60], keep=""))

        try:
            return values.load(told, other)
        except BadValueError as error:
            raise WorkerDiedError(f"the process sent what is no value ({error})") from error

    def _write(self, message: Any) -> None:
        stream = self._process.stdin
        assert stream is not None
        left = memoryview(values.frame(message))
        os.set_blocking(stream.fileno(), False)
        while left:
            self._wait([], [stream])
            try:
                left = left[os.write(stream.fileno(), left) :]
            except OSError as error:
                raise WorkerDiedError(self._ended()) from error

    def _read(self) -> dict[str, Any]:
        try:
            size = values.size_of_frame(self._bytes(4))
            message = json.loads(self._bytes(size))
        except (ValueError, RecursionError, MemoryError) as error:
            raise WorkerDiedError(f"the process sent what is no message ({str(error)[:80]})") from error
        if not isinstance(message, dict):
            raise WorkerDiedError("the process sent what is no message")
        return message

    def _bytes(self, size: int) -> bytes:
        stream = self._process.stdout
        assert stream is not None
        read = bytearray()
        while len(read) < size:
            self._wait([stream], [])
            part = os.read(stream.fileno(), min(size - len(read), 1 << 20))
            if not part:
                raise WorkerDiedError(self._ended())
            read += part
        return bytes(read)

    def _wait(self, readable: list[Any], writable: list[Any]) -> None:
        """Wait until one of these is ready, and no longer than its time; what is ready after it is too late as well."""
        left = self._until - time.monotonic()
        if left <= 0 or not any(select.select(readable, writable, [], left)):
            why = "a loop that does not end, or work done again and again"
            raise TooLateError(f"it took longer than {self.patience:g} s and was stopped: {why}")

    def _ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(2.0)
            name = f"exit code {code}"
            if code < 0 or code > 128:
                with contextlib.suppress(ValueError):
                    name = signal.Signals(-code if code < 0 else code - 128).name
            return f"it ended its process ({name}): a crash, a limit on time or memory, or a call of exit"
        return "it closed its side of the conversation"

    def output(self) -> str:
        """Return the end of what it printed."""
        told = self.printed.fileno()  # what has its name by now may be anything
        return os.pread(told, 2000, max(0, os.fstat(told).st_size - 2000)).decode("utf-8", errors="replace")

    def close(self) -> None:
        """End the process and all that it started, and remove its folder."""
        process = getattr(self, "_process", None)
        if self._closed:
            return
        self._closed = True
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, self.printed):
                with contextlib.suppress(OSError):
                    stream.close()
        _end(self._before)
        with contextlib.suppress(RecursionError):
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():  # folders in folders in folders, or such that nothing may be looked up in
            for words in (("chmod", "-R", "u+rwX"), ("rm", "-rf")):
                subprocess.run([*words, "--", str(self.folder)], capture_output=True, check=False)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _is_library(place: Path) -> bool:
    return not place.name.startswith(("python", "site-packages", "dist-packages"))


def die_with_parent(parent: int) -> None:
    """Have this process killed when the one that started it ends, where the kernel does that.

    Args:
        parent: the process that started it; if that has ended already, this one does at once.
    """
    if _LIBC is not None:
        _LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _adopt() -> None:
    """Have processes that detach themselves become children of this one, where the kernel does that."""
    if _LIBC is not None:
        _LIBC.prctl(36, 1, 0, 0, 0)


def _children() -> set[int]:
    """Return the processes whose parent is this one, as far as the system tells."""
    found: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= {int(word) for word in path.read_text().split()}
    return found


def _end(spared: set[int]) -> None:
    """End the children that were not there before: each makes its own children ours."""
    for _ in range(1000):
        left = _children() - spared
        if not left:
            return
        for process in left:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
