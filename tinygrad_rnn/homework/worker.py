"""The process in which a student's code runs: it loads the module, does what checks ask of it, and sends back data.

Started as a script, on its own: nothing of the package can be imported here, neither checks nor expected values.
What it sends is judged elsewhere, so all that a student can forge is an answer of her own.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import importlib.util
import io
import json
import operator
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: What a check may ask of an object, besides its attributes and to be called.
OPERATORS = (
    "add", "sub", "mul", "truediv", "matmul", "pow", "neg", "abs", "getitem", "len", "setattr",
)  # fmt: skip

#: The largest file, and how much of what is printed is kept and how much is put up with, in bytes.
_LARGEST, _KEPT, _MOST = 1 << 20, 1 << 19, 1 << 26


class _Printed(io.RawIOBase):
    """Where what is printed goes: who prints much to see what is wrong loses nothing but the rest of it."""

    def __init__(self, to: int) -> None:
        self.to, self.size = to, 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        if self.size < _KEPT:
            with contextlib.suppress(OSError):
                os.write(self.to, content)
        self.size += len(content)
        if self.size > _MOST:
            raise OSError(errno.EFBIG, f"File too large: more than {_MOST:,} bytes were printed")
        return len(content)


class _Work:
    """The conversation: requests are answered, and a callback waits for its answer while requests may come."""

    def __init__(self, values: Any, receive: Any, send: Any) -> None:
        self.values, self.receive, self.send = values, receive, send
        self.objects: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        #: The file that was loaded: lines of errors are told of this one.
        self.main = ""

    def serve(self) -> Any:
        """Answer requests until an answer arrives, or nothing more does."""
        while True:
            message = self._read()
            if message is None:
                return None
            if "reply" in message:
                return message
            self._write(self._answer(message))

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            value = self._do(message["do"], *self._load(message["with"]))
            return {"reply": self._dump(value)}
        except BaseException as error:  # SystemExit and KeyboardInterrupt, too, are answers of a student's
            return {"reply": None, "error": _told(error, self.main)}

    def _do(self, what: str, first: Any, *rest: Any) -> Any:
        if what == "load":
            self.main = first
            return _module(first)
        if what == "get":
            return getattr(first, rest[0])
        if what == "call":
            return first(*rest[0], **rest[1])
        if what == "setattr":
            return setattr(first, *rest)
        if what == "len":
            return len(first)
        if what in OPERATORS:
            return getattr(operator, what)(first, *rest)
        raise ValueError(f"no such request: {what}")

    def _load(self, told: Any) -> Any:
        def other(kind: str, content: Any) -> Any:
            return self.objects[content] if kind == "object" else self._callback(content)

        return self.values.load(told, other)

    def _dump(self, value: Any) -> Any:
        return self.values.dump(value, self._keep)

    def _keep(self, value: Any) -> list[Any]:
        number = self.numbers.setdefault(id(value), len(self.numbers))
        self.objects[number] = value  # kept, so that no other object gets its id
        return ["object", [number, type(value).__name__]]

    def _callback(self, number: int) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self._write({"callback": number, "with": self._dump(list(arguments))})
            answer = self.serve()
            if answer is None:
                os._exit(0)
            if "error" in answer:
                raise RuntimeError(answer["error"])
            return self._load(answer["reply"])

        return call

    def _read(self) -> Any:
        head = self._bytes(4)
        return None if head is None else json.loads(self._bytes(self.values.size_of_frame(head)) or b"null")

    def _bytes(self, size: int) -> bytes | None:
        read = b""
        while len(read) < size:
            part = os.read(self.receive, min(size - len(read), 1 << 20))
            if not part:
                return None
            read += part
        return read

    def _write(self, message: Any) -> None:
        left = memoryview(self.values.frame(message))
        while left:
            left = left[os.write(self.send, left) :]


def _module(path: str) -> Any:
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _told(error: BaseException, main: str) -> dict[str, Any]:
    """Return the kind and words of an error, and where in the student's file it happened."""
    with contextlib.suppress(BaseException):  # a class of errors may answer anything, too
        line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename == main:
                line = frame.lineno
        words = str(error.msg if isinstance(error, SyntaxError) else error)
        words = words.replace(f"{Path.cwd()}{os.sep}", "")  # the same words wherever it runs
        kind, *bases = (str(each.__name__)[:100] for each in type(error).__mro__[:20])
        return {"kind": kind, "bases": bases, "words": words[:500], "line": line}
    return {"kind": "an error", "words": "which cannot be shown", "line": None}


def _limit(seconds: int, memory: int, threads: int) -> None:
    """Bound what this process can take of the machine, where the system has such limits."""
    try:
        import resource  # noqa: PLC0415  (not on every system)
    except ImportError:
        return
    for name, bound in (
        ("RLIMIT_CPU", seconds),
        ("RLIMIT_AS", memory),
        ("RLIMIT_FSIZE", _LARGEST),
        ("RLIMIT_NOFILE", 64),
        ("RLIMIT_NPROC", _processes(threads)),  # further processes and threads; root is not bound by it
        ("RLIMIT_CORE", 0),
    ):
        with contextlib.suppress(ValueError, OSError, AttributeError):
            resource.setrlimit(getattr(resource, name), (bound, bound))


def _step_down(own: str, needed: list[str]) -> bool:
    """Become nobody, if this is root and nobody can read what is needed: no limit and no permission binds root.

    Returns whether it did.
    """
    if os.name != "posix" or os.geteuid() != 0:
        return False
    nobody = 65534
    try:
        os.setgroups([])
        os.chmod(Path(own).parent, 0o711)
        os.setegid(nobody)
        os.seteuid(nobody)
        _look_at(needed)
        os.seteuid(0)
        os.setegid(0)
        for place in (Path(own), *Path(own).iterdir()):
            os.chown(place, nobody, nobody)
    except OSError:
        os.seteuid(0)
        os.setegid(0)
        return False
    os.setresgid(nobody, nobody, nobody)
    os.setresuid(nobody, nobody, nobody)
    return True


def _look_at(places: list[str]) -> None:
    """Raise OSError if one of these files and folders cannot be read."""
    for place in map(Path, places):
        os.listdir(place) if place.is_dir() else place.open("rb").close()


def _leave_nothing(needed: list[str]) -> None:
    """Give this process keys and shared memory of its own, and none of root's rights, where the kernel does that.

    Those of a user stay in the kernel when a process ends. The next one could read there what this one has seen: while
    a task is judged, the reference of all the others.
    """
    if not sys.platform.startswith("linux"):
        return
    libc, new_user_and_ipc = ctypes.CDLL(None), 0x18000000
    if os.geteuid() == 0:  # without root's rights Python may be out of reach: found by trying
        tried = os.fork()
        if not tried:
            libc.unshare(new_user_and_ipc)
            with contextlib.suppress(OSError):
                _look_at(needed)
                os._exit(0)
            os._exit(1)
        if os.waitpid(tried, 0)[1] != 0:
            return
    libc.unshare(new_user_and_ipc)


def _processes(threads: int) -> int:
    """Return a bound on processes that leaves room for so many threads.

    The system counts all that this user runs, in a namespace or on the whole machine. So what is enough is found by
    trying, and four times that is given: others of this user start and end meanwhile.
    """
    if not threads:
        return 0
    import resource  # noqa: PLC0415  (not on every system)

    most = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    bound = threads
    while bound < 1 << 20 and (most == resource.RLIM_INFINITY or 4 * bound < most):
        resource.setrlimit(resource.RLIMIT_NPROC, (bound, most))
        if _can_start(threads):
            return 4 * bound
        bound *= 2
    return most


def _can_start(threads: int) -> bool:
    go = threading.Event()
    started = [threading.Thread(target=go.wait) for _ in range(threads)]
    try:
        for each in started:
            each.start()
    except RuntimeError:
        return False
    finally:
        go.set()
        for each in started:
            if each.is_alive():
                each.join()
    return True


def _shut_in(readable: list[str], listed: list[str], own: str) -> bool:
    """Let this process read these places, see names in others, write its own folder, and nothing else.

    Returns whether the kernel does that.

    By Landlock, which Linux has since 5.13: three system calls, which need no privilege and cannot be taken back.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(444, None, 0, 1)
    if version < 1:
        return False
    read, everything = 0b1101, (1 << (13 if version == 1 else 14 if version == 2 else 15)) - 1
    ruleset = ctypes.c_uint64(everything)
    rules = libc.syscall(444, ctypes.byref(ruleset), ctypes.c_size_t(8), 0)
    if rules < 0:
        return False
    seen = 0b1000
    places = [*((name, read) for name in readable), *((name, seen) for name in listed), (own, everything & ~1)]
    for name, allowed in places:
        if os.path.exists(name):
            place = os.open(name, os.O_PATH | os.O_CLOEXEC)
            rights = allowed if os.path.isdir(name) else allowed & ~seen
            rule = rights.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder)
            libc.syscall(445, rules, 1, ctypes.create_string_buffer(rule), 0)
            os.close(place)
    done: int = libc.prctl(38, 1, 0, 0, 0) or libc.syscall(446, rules, 0)
    os.close(rules)
    return done == 0


def main() -> None:
    """Answer requests on a private channel until the other side closes it."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    receive, send = os.dup(0), os.dup(1)  # what is printed goes elsewhere: the channel is no stream of Python's
    os.dup2(2, 1)
    printed = io.BufferedWriter(_Printed(1))
    sys.stdout = io.TextIOWrapper(printed, encoding="utf-8", errors="backslashreplace", line_buffering=True)
    sys.stderr = io.TextIOWrapper(printed, encoding="utf-8", errors="backslashreplace", line_buffering=True)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.chdir(settings["own"])
    sys.path[:0] = settings["path"]
    values = _module(settings["values"])  # with NumPy, which is imported before anything is bounded
    sys.modules.pop("values")
    sys.path.insert(0, settings["own"])
    with contextlib.suppress(OSError):  # where memory is short, this is what ends, and not what grades it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")
    packages = [str(place) for room in settings["path"] for place in Path(room).iterdir()]
    needed = [os.__file__, settings["values"], *packages]
    _step_down(settings["own"], needed)
    _leave_nothing(needed)
    if sys.platform.startswith("linux"):  # end with the grader: who becomes another user has to ask for it again
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    _limit(settings["seconds"], settings["memory"], settings["threads"])
    work = _Work(values, receive, send)
    work._write({"ready": _shut_in(settings["readable"], settings["listed"], settings["own"])})
    work.serve()
    os._exit(0)


if __name__ == "__main__":
    main()
