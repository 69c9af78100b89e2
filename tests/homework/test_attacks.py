"""What hostile code gets: its other tasks keep their points, one clear line, and nothing of it is left behind."""

import base64
import contextlib
import os
import re
import signal
import struct
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn.homework import building, check, remote, sandbox, values, worker
from tinygrad_rnn.homework.checks import CheckFailedError
from tinygrad_rnn.homework.judging import judge_alone
from tinygrad_rnn.homework.remote import Child, StudentError, WorkerDiedError

pytestmark = pytest.mark.process


def npy(header):
    """Return an array's bytes with a header of one's own, and eight bytes of data."""
    return base64.b64encode(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(8)).decode()


#: The functions of os, which no import statement is needed for.
OS = "OS = next(c for c in object.__subclasses__() if c.__name__ == '_wrap_close').__init__.__globals__\n"
TO_ALL = """
def to_all(message):
    for fd in range(3, 20):
        try: OS['write'](fd, message)
        except OSError: pass
"""
LOUD = """
class E(Exception):
    def __str__(self): raise self
"""
ALWAYS = """
class Always(float):
    def __eq__(self, other): return True
    def __array__(self, *a, **k): return other
    def __sub__(self, other): return 0.0
    __rsub__ = __abs__ = __le__ = __float__ = __sub__
"""

#: What a grader that believes its files or its output would take for full points.
SPOOFED = """
def spoof():
    for name in ("results.json", "../results.json", "../printed", "../../grades.csv"):
        try: OS['write'](OS['open'](name, 577, 0o600), b'{"score": 100}')
        except OSError: pass
    for stream in (1, 2):
        OS['write'](stream, b'\\0\\0\\0\\x1f{"reply": ["float", "0x1.0p+0"]}\\n100 passed\\n')
"""
BUILTINS = """
def patch():
    names = OS['sys'].modules['builtins'].__dict__
    yes = lambda *a, **k: True
    for name in ('isinstance', 'len', 'abs', 'type', 'getattr', 'id', 'sum', 'all'): names[name] = yes
"""
HOOKED = """
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        OS['_exit'](0)
def hook():
    modules = OS['sys'].modules
    modules['numpy'] = modules['json'] = modules['numpy.lib.format'] = Finder
    OS['sys'].meta_path.insert(0, Finder)
    OS['sys'].path.insert(0, OS['getcwd']())
"""

ATTACKS = {
    "exit": ("", "raise SystemExit(0)", "SystemExit"),
    "hard exit": (OS, "OS['_exit'](0)", r"ended its process \(exit code 0\)"),
    "stopped": (OS, "OS['kill'](OS['getpid'](), 19)\n    while True: pass", "longer than 6 s"),
    "killed": (OS, "OS['abort']()", "ended its process"),
    "hang": ("", "while True: pass", "longer than 6 s"),
    "skipped": ("Skip = type('Skip', (BaseException,), {})", "raise Skip('all well')", "Skip: all well"),
    "output": ("", "while True: print('x' * 100_000)", "File too large"),
    "recursion": ("def down(n): return down(n + 1) + 1", "return down(0)", "RecursionError"),
    "memory": ("", "return np.ones(10**11)", "Memory"),
    "large answer": ("", "return np.zeros(2**23)", "at most|Memory|ended"),
    "deep answer": ("", "x = []\n    for _ in range(9999): x = [x]\n    return x", "too deep"),
    "itself": ("", "x = []\n    x.append(x)\n    return x", "too deep"),
    "always equal": (ALWAYS, "return Always(1.0)", "expected numbers, got an object of class Always"),
    "no number": ("", "return np.array([object()])", "expected numbers, got an object of class ndarray"),
    "patched numpy": ("", "np.lib.format.write_array = lambda *a, **k: None\n    return np.ones(1)", "no value"),
    "garbage": (OS + TO_ALL, "to_all(b'\\0\\0\\0\\4true')\n    return 0.0", "no message|no value|expected"),
    "bad message": (OS + TO_ALL, "to_all(b'\\xff' * 99)\n    return 0.0", "no message"),
    "own tests": ("def test_all(): assert True\nclass TestAll: pass", "return 'passed'", "numbers, got 'passed'"),
    "spoofed results": (OS + SPOOFED, "spoof()\n    return 0.0", "expected"),
    "patched builtins": (OS + BUILTINS, "patch()\n    return 0.0", "expected|no value|no message|ended"),
    "import hooks": (OS + HOOKED, "hook()\n    return 0.0", "expected"),
    "errors that raise": (LOUD, "raise E", "an error: which cannot be shown"),
}  # fmt: skip


#: What needs seconds to be bounded.
LONG = ("stopped", "hang", "large answer")


@pytest.mark.parametrize(
    "attack", [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in ATTACKS]
)
def test_an_attack_gets_one_line(points, attack):
    yours, body, said = ATTACKS[attack]
    earned, message = points(2.0 if "6 s" in said else 20.0, "1.2", yours=yours, twice=f"    {body}")
    assert earned == [0, 0]
    assert re.search(said, message), message
    assert "\n" not in message


def test_an_attack_costs_no_other_task(points):
    assert points(yours=OS, twice="    OS['_exit'](0)")[0] == [4, 0]
    assert points(yours=OS, add="    OS['_exit'](0)")[0] == [0, 6]


def test_a_bomb_that_behaves_the_first_time_loses_what_comes_after(points):
    bomb = "    global calls\n    calls += 1\n    return a + b if calls == 1 else a"
    assert points(yours="calls = 0", add=bomb)[0] == [2, 6]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("from math import nothing", "ImportError: cannot import name 'nothing' from 'math'"),
        ("import pytest\npytest.skip('done', allow_module_level=True)", "import pytest: this homework may import"),
        ("raise SystemExit(0)", "when the file is imported: SystemExit: 0"),
        ("del np", "name 'np' is not defined"),
    ],
)
def test_a_file_that_cannot_be_imported_or_skips_itself_has_no_points(points, line, said):
    earned, message = points(yours=line, add="    return np.add(a, b)", twice="    return np.add(f(f(x)), 0)")
    assert earned == [0, 0]
    assert said in message
    assert "\n" not in message


def test_a_process_that_ends_on_import_is_said_once_for_each_check(points):
    earned, said = points(yours=OS + "OS['_exit'](7)")
    assert earned == [0, 0]
    assert said.startswith("when the file is imported: it ended its process (exit code 7): ")
    assert "|" not in said


def ask(text, function="f", packages=("numpy",), patience=10.0, threads=0):
    with Child({"mine.py": text}, packages, patience, threads=threads) as child:
        return child.load("mine.py").__getattr__(function)()


@pytest.fixture(params=["as here", "no namespaces"])
def either(request, monkeypatch):
    """With what this machine has, and without what it may lack."""
    if request.param == "no namespaces":
        monkeypatch.setattr(sandbox, "prefix", lambda: ())


@pytest.mark.usefixtures("either")
def test_children_that_detach_themselves_are_ended(tmp_path):
    before = remote._children()
    detach = "\n".join([
        "def f():",
        "    if not OS['fork']():",
        "        OS['setsid']()",
        "        if OS['fork']():",
        "            OS['_exit'](0)",
        "        while True: pass",
        "    return True",
    ])  # fmt: skip
    with contextlib.suppress(StudentError):  # BlockingIOError where the limit on processes holds: not for root
        assert ask(OS + detach) is True
    assert remote._children() == before


@pytest.mark.usefixtures("either")
def test_threads_start_where_an_assignment_asks_for_them():
    text = (
        "import threading\n"
        "def f():\n"
        "    met, all_here = [], threading.Barrier(64)\n"
        "    def meet(): met.append(len(bytes(9999)) and all_here.wait())\n"
        "    each = [threading.Thread(target=meet) for _ in range(64)]\n"
        "    for thread in each: thread.start()\n"
        "    for thread in each: thread.join()\n"
        "    return sorted(met)"
    )
    assert ask(text, threads=64) == list(range(64))
    if os.getuid():
        with pytest.raises(StudentError, match="can't start new thread"):
            ask(text)


@pytest.mark.parametrize(("running", "bound"), [(0, 64), (40, 256), (3000, 16384)])
def test_the_bound_on_threads_counts_what_its_user_runs_besides(monkeypatch, running, bound):
    resource = pytest.importorskip("resource")
    tried = [0]
    monkeypatch.setattr(resource, "getrlimit", lambda which: (tried[-1], resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda which, both: tried.append(both[0]))
    monkeypatch.setattr(worker, "_can_start", lambda threads: tried[-1] >= running + threads)
    assert worker._processes(16) == bound
    assert worker._processes(0) == 0
    monkeypatch.setattr(resource, "getrlimit", lambda which: (tried[-1], running + 7))
    assert worker._processes(16) <= max(running + 7, 64)


def test_compiled_code_and_simulated_kernels_run_in_a_students_process():
    text = (
        "import numpy as np\nimport numba\n"
        "numba.config.ENABLE_CUDASIM = 1\n"
        "from numba import cuda\n"
        "@numba.njit\ndef double(x):\n    return x + x\n"
        "@cuda.jit\ndef kernel(x):\n    cuda.syncthreads()\n    x[cuda.threadIdx.x] = double(x[cuda.threadIdx.x])\n"
        "def f():\n    x = np.arange(4.0)\n    kernel[1, 4](x)\n    return x"
    )
    assert ask(text, packages=("numpy", "numba"), threads=4, patience=30.0).tolist() == [0, 2, 4, 6]


@pytest.mark.usefixtures("either")
def test_a_hang_is_ended_in_time():
    with pytest.raises(WorkerDiedError, match="longer than 1 s"):
        ask(OS + "def f():\n    OS['kill'](OS['getpid'](), 19)\n    while True: pass", patience=1.0)


FLOOD = """
import gc, json, os
def f(give):
    work = next(each for each in gc.get_objects() if type(each).__name__ == '_Work')
    os.set_blocking(work.receive, False)
    os.set_blocking(work.send, False)
    asked = work.values.frame({'callback': 0, 'with': ['list', []]})
    waiting = b''
    while True:
        waiting = waiting or asked * 1000
        try: waiting = waiting[os.write(work.send, waiting):]
        except BlockingIOError: pass
        try: os.read(work.receive, 1 << 20)
        except BlockingIOError: pass
"""


@pytest.mark.usefixtures("either")
def test_a_flood_of_questions_is_ended_in_time():
    with Child({"mine.py": FLOOD}, patience=3.0) as child:
        module = child.load("mine.py")
        with pytest.raises(WorkerDiedError, match="longer than 3 s"):
            module.f(lambda: None)


def test_all_checks_together_may_compute_as_long_as_each_of_them_may(tiny):
    assignment, _ = building.source_of(tiny)
    found = []
    many = [check("1.1", 1, times=2.5)(lambda hw, draw: found.append(hw.limit()))] * 30
    checks = [each for function in many for each in function.checks]
    text = "import resource\ndef limit():\n    return resource.getrlimit(resource.RLIMIT_CPU)[0]\n"
    assignment = replace(assignment, imports=("numpy", "resource"))
    judge_alone(assignment, {"sums.py": text}, checks, patience=10.0)
    assert len(found) == 30
    assert min(found) >= 30 * 2.5 * 10


def test_what_moves_a_cursor_or_ends_a_line_does_not_leave_the_process():
    words = r"'\x1b[2J\x07 all\r<b>\u202e \ud800\u2028\ttold: 你好\u3000'"
    with pytest.raises(StudentError) as caught:
        ask(rf"def f(): raise type('A\rB\nC', (Exception,), {{}})({words})")
    assert str(caught.value) == r"A\rB\nC: \x1b[2J\x07 all\r<b>\u202e \ud800\u2028\ttold: 你好" + "\u3000"


def test_names_of_classes_and_what_a_check_says_of_them_move_no_cursor(tiny):
    text = "def add(a, b): return type('A\\x1b[2J\\u202e', (), {})()\n"
    with Child({"sums.py": text}) as child:
        assert repr(child.load("sums.py").add(1, 2)) == r"an object of class A\x1b[2J\u202e"

    @check("1.1", 1)
    def tells(hw, draw):
        raise CheckFailedError("what came: \x1b[2J\ud800\nsecond line")

    assignment, reference = building.source_of(tiny)
    (result,) = judge_alone(assignment, reference, tells.checks)
    assert result.message == "what came: \\x1b[2J\\ud800\nsecond line"


def test_what_is_looked_at_for_ever_is_ended_in_time(tiny):
    @check("1.1", 1)
    def counts_for_ever(hw, draw):
        while hw.add(1.0, 2.0) != 3.0 or True:
            sum(range(99))

    @check("1.1", 1)
    def counts_here_for_ever(hw, draw):
        while True:
            sum(range(99))

    assignment, reference = building.source_of(tiny)
    each = (counts_for_ever.checks, counts_here_for_ever.checks)
    (first,), (second,) = (judge_alone(assignment, reference, checks, patience=1.0) for checks in each)
    assert (first.status, second.status) == ("late", "late")
    assert first.message.startswith("it took longer than 1 s and was stopped")
    assert second.message == "to look at what it answered took longer than 2 s"
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_folders_in_folders_and_folders_that_are_locked_do_not_stay():
    deep = "import os\ndef f():\n    for _ in range(3000):\n        os.mkdir('d')\n        os.chdir('d')\n"
    locked = "import os\ndef f():\n    os.makedirs('a/b')\n    os.chmod('a/b', 0)\n    os.chmod('a', 0)\n"
    for text in (deep, locked):
        with Child({"mine.py": text}) as child:
            child.load("mine.py").f()
        assert not child.folder.exists()


def test_what_was_printed_is_not_read_from_what_has_its_name_by_now():
    with Child({"mine.py": "def f(): print('mine')"}) as child:
        child.load("mine.py").f()
        (child.folder / "printed").unlink()
        os.mkfifo(child.folder / "printed")
        assert child.output() == "mine\n"


def test_much_printing_costs_nothing_and_its_end_is_not_needed():
    text = "import sys\ndef f():\n    for step in range(300):\n        print('x' * 20_000, step, '\\ud800')\n"
    text += "        print('y' * 10, file=sys.stderr)\n    return 7"
    with Child({"mine.py": text}) as child:
        assert child.load("mine.py").f() == 7
        assert child.output().count("x") > 100
        assert (child.folder / "printed").stat().st_size < 1 << 20


def test_nothing_of_the_environment_or_of_open_files_is_inherited(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "expected = 42")
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        text = OS + "def f():\n    return [dict(OS['environ']), OS['listdir']('/proc/self/fd'), OS['getcwd']()]"
        try:
            environment, descriptors, folder = ask(text)
        except StudentError:  # /proc is cut off, too
            environment, descriptors, folder = ask(text.replace("OS['listdir']('/proc/self/fd')", "[]"))
    assert "SECRET" not in environment
    assert len(descriptors) <= 6
    assert not Path(folder).exists()


def cut(files):
    with Child({"mine.py": ""}) as child:
        return child.files_cut if files else bool(sandbox.prefix())


@pytest.mark.usefixtures("either")
def test_the_memory_of_the_grader_cannot_be_read():
    if not cut(files=True):
        pytest.skip("this kernel has no Landlock")
    for place in ("mem", "maps", "environ", "fd"):
        with pytest.raises(StudentError, match=r"PermissionError|FileNotFoundError"):
            ask(OS + f"def f():\n    return OS['open']('/proc/%d/{place}' % OS['getppid'](), 0)")
    with pytest.raises(StudentError, match=r"PermissionError|FileNotFoundError"):
        ask(OS + f"def f():\n    return OS['open']('/proc/{os.getpid()}/mem', 0)")


@pytest.mark.usefixtures("either")
def test_threads_that_never_end_do_not_outlive_the_answer():
    before = remote._children()
    spin = "def spin():\n    while True: pass\n"
    text = OS + spin + "def f():\n    OS['sys'].modules['_thread'].start_new_thread(spin, ())\n    return 7"
    with contextlib.suppress(StudentError):  # where the limit on processes holds: not for root
        assert ask(text) == 7
    assert remote._children() == before


KEPT = """
import ctypes
C = ctypes.CDLL(None)
C.shmat.restype = ctypes.c_void_p
def f(number):
    add, control, of_this_user = 248, 250, ctypes.c_int(-4)
    found = C.syscall(control, 10, of_this_user, b"user", b"homework-%d" % number, 0) > 0
    key = C.syscall(add, b"user", b"homework-%d" % number, b"seen", ctypes.c_size_t(4), of_this_user)
    C.syscall(control, 15, key, 60)  # gone after a minute, wherever it is
    shared = C.shmat(C.shmget(number, 4096, 0o1600), None, 0)
    seen = bool(ctypes.string_at(shared, 1)[0])
    ctypes.memmove(shared, b"s", 1)
    return [found, seen]
"""


@pytest.mark.usefixtures("either")
@pytest.mark.skipif(os.uname().machine != "x86_64" or sys.platform != "linux", reason="system calls by their numbers")
def test_the_kernel_keeps_nothing_for_the_next_process():
    unshared = [sys.executable, "-c", "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x18000000) != 0)"]
    if subprocess.run(unshared, check=False).returncode:
        pytest.skip("this machine gives nobody namespaces")
    for _ in range(2):
        with Child({"mine.py": KEPT}, patience=10.0) as child:
            assert child.load("mine.py").f(os.getpid()) == [False, False]


def test_files_outside_cannot_be_read_or_written(tmp_path):
    if not cut(files=True):
        pytest.skip("this kernel has no Landlock")
    (tmp_path / "hidden.py").write_text("expected = 42")
    calls = {
        f"OS['open']({str(tmp_path / 'hidden.py')!r}, 0)": "PermissionError",
        f"OS['mkdir']({str(tmp_path / 'mine')!r})": "PermissionError|Read-only file system",
    }
    for call, refused in calls.items():
        with pytest.raises(StudentError, match=refused):
            ask(OS + f"def f():\n    return {call}")
    assert not (tmp_path / "mine").exists()
    assert ask(OS + "def f():\n    return OS['write'](OS['open']('own', 66), b'my own folder')") == 13


def test_no_file_outside_can_be_changed_in_what_is_said_of_it(tmp_path):
    if not any("bwrap" in word for word in sandbox.prefix()):
        pytest.skip("no bubblewrap on this machine")
    place = tmp_path / "hidden.py"
    place.write_text("expected = 42")
    place.chmod(0o666)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o777)
    before = place.stat()
    for call in (f"OS['chmod']({str(place)!r}, 0o600)", f"OS['utime']({str(place)!r}, (1, 1))"):
        with pytest.raises(StudentError, match=r"OSError|PermissionError"):
            ask(OS + f"def f():\n    return {call}")
    assert (place.stat().st_mode, place.stat().st_mtime) == (before.st_mode, before.st_mtime)


def test_the_network_cannot_be_reached():
    if not cut(files=False):
        pytest.skip("no namespaces on this machine")
    text = "import socket\ndef f():\n    s = socket.socket()\n    s.settimeout(2)\n    s.connect(('192.0.2.1', 80))"
    with pytest.raises(StudentError, match="OSError"):
        ask(text)


@pytest.mark.parametrize(
    "told",
    [
        None, [], ["plain", 1], ["plain", {}], ["int", "zz"], ["int", 3], ["float", "x"], ["list", 3], ["dict", [1]],
        ["dict", [[["list", []], ["int", "1"]]]], ["array", "!"], ["array", ""], ["object", [1]],
        ["object", ["a", "b"]],         ["callback", 0], ["pickle", "gASVAAAAAA=="],
        ["array", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }")],
        ["array", npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }")],
        ["array", npy("{'descr': [('a', '<f8', (-1,))], 'fortran_order': False, 'shape': (1,), }")],
        ["array", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }")],
        ["array", npy("(" * 500)], ["array", npy("'")],
        ["array", npy("{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000000,), }")],
        ["array", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 0), }")],
        ["array", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 9999, 9999), }")],
    ],
)  # fmt: skip
def test_a_forged_value_is_no_value(told):
    def other(kind, content):
        number, _ = content
        if kind != "object" or type(number) is not int:
            raise ValueError(kind)

    with pytest.raises(values.BadValueError):
        values.load(told, other)


def test_values_come_back_as_they_went():
    for value in (None, True, -(2**99), 0.1, float("inf"), "é", [1, (2.0, {"a": [None]})], {(1, 2): 3}):
        assert values.load(values.dump(value, list), None) == value
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    back = values.load(values.dump([array, np.float32(1.5)], list), None)
    assert (back[0] == array).all()
    assert type(back[1]) is np.float32


def test_answers_are_never_unpickled():
    forged = "def f():\n    return 1\nimport __main__\n"
    forged += "def forge(*a): return {'reply': ['pickle', 'gASVAAAAAA==']}\n"
    forged += "__main__._Work._answer = forge"
    with pytest.raises(WorkerDiedError, match="no value"):
        ask(forged)


def test_other_packages_cannot_be_read_where_python_keeps_them():
    if not cut(files=True):
        pytest.skip("this kernel has no Landlock")
    room = Path(sysconfig.get_path("stdlib")) / "site-packages"
    found = next((path for path in sorted(room.rglob("*.py")) if path.is_file()), None)
    if found is None:
        pytest.skip("Python has no packages beside its library")
    with pytest.raises(StudentError, match="PermissionError"):
        ask(OS + f"def f():\n    return OS['open']({str(found)!r}, 0)")
    assert ask("def f():\n    import decimal, ctypes, sqlite3\n    return decimal.Decimal(1) + 1 == 2") is True
