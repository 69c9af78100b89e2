"""What holds when graders are killed, when root grades, and behind each way of cutting student code off."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest

from tinygrad_rnn.cli.main import main
from tinygrad_rnn.homework import sandbox, worker
from tinygrad_rnn.homework.remote import Child, StudentError, WorkerDiedError

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="these are services of Linux"),
]

ROOT = Path(__file__).parents[2]
#: The functions of os, which no import statement is needed for.
OS = "OS = next(c for c in object.__subclasses__() if c.__name__ == '_wrap_close').__init__.__globals__\n"


def works(way):
    """Whether a way of cutting processes off is installed and allowed here."""
    return subprocess.run([*way, sys.executable, "-c", ""], check=False, capture_output=True).returncode == 0


WAYS = {"nothing": (), **{way[0]: way for way in sandbox._WAYS}}


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Each way, where it works: as if it were the one that was found."""
    name, *options = WAYS[request.param] or ("",)
    program = shutil.which(name) if name else ""
    chosen = (program, *options) if program else ()
    if name and not (program and works(chosen)):
        pytest.skip(f"{request.param} does not work on this machine")
    monkeypatch.setattr(sandbox, "prefix", lambda: chosen)
    return chosen


def ask(text, *arguments, patience=10.0):
    with Child({"mine.py": text}, patience=patience) as child:
        return child.load("mine.py").f(*arguments)


def test_a_solution_runs_and_hangs_end_behind_each_way(way):
    assert ask("def f(x):\n    return x + 1", 2) == 3
    with pytest.raises(WorkerDiedError, match="longer than 1 s"):
        ask("def f():\n    while True: pass", patience=1.0)


def test_network_and_other_processes_are_out_of_reach_behind_each_way(way):
    if not way:
        pytest.skip("without one they are in reach, as doctor says")
    text = "import socket\ndef f():\n    s = socket.socket()\n    s.settimeout(2)\n    s.connect(('192.0.2.1', 80))"
    with pytest.raises(StudentError, match="OSError"):
        ask(text)
    with pytest.raises(StudentError, match=r"ProcessLookupError|PermissionError"):
        ask(OS + "def f(pid):\n    OS['kill'](pid, 0)", os.getpid())


def running(folder):
    """Return the processes that were started with something in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder) in path.read_bytes().decode(errors="replace") and path.parent.name != str(os.getpid()):
                found.append(int(path.parent.name))
    return found


def wait_until(question, seconds=20.0):
    until = time.monotonic() + seconds
    while not question() and time.monotonic() < until:
        time.sleep(0.02)
    return question()


SPINNING = OS + "def f():\n    OS['close'](OS['open']('spinning', 66))\n    while True: pass"
GRADER = """
import sys
from tinygrad_rnn.homework import sandbox
from tinygrad_rnn.homework.remote import Child
sandbox.prefix = lambda: tuple(sys.argv[1:])
with Child({"mine.py": sys.argv.pop(1)}, patience=300.0) as child:
    child.load("mine.py").f()
"""


def with_this_package(folder):
    return os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}


def test_student_code_ends_with_the_grader_that_is_killed(way, tmp_path):
    words = [sys.executable, "-c", GRADER, SPINNING, *way]
    with subprocess.Popen(words, env=with_this_package(tmp_path)) as grader:
        assert wait_until(lambda: list(tmp_path.glob("homework-*/own/spinning")))
        assert running(tmp_path)
        grader.kill()
        assert wait_until(lambda: not running(tmp_path)), "student code outlives its grader"


STEPPING = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("worker", sys.argv[1])
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
stepped = worker._step_down(sys.argv[2], [sys.argv[3]])
try:
    open(sys.argv[4])
    read = True
except PermissionError:
    read = False
print(stepped, os.getresuid(), os.getresgid(), os.getgroups(), read, os.access(sys.argv[2] + "/mine.py", os.W_OK))
"""


@pytest.fixture
def for_all():
    """A folder that everybody may go into, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root has something to give up")
@pytest.mark.parametrize("readable", [True, False])
def test_root_becomes_nobody_where_nobody_can_read_python(for_all, readable):
    own, needed, secret = for_all / "homework" / "own", for_all / "python", for_all / "hidden.py"
    own.mkdir(parents=True)
    (own / "mine.py").write_text("")
    needed.mkdir(mode=0o755 if readable else 0o700)
    secret.write_text("expected = 42")
    secret.chmod(0o600)
    words = [sys.executable, "-c", STEPPING, worker.__file__, own, needed, secret]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    nobody = (65534,) * 3
    if "CAP_SETUID" in done.stderr or (done.stdout.startswith("False") and readable):
        pytest.skip("this machine does not let root become somebody else")
    expected = f"True {nobody} {nobody} [] False True" if readable else f"False {(0,) * 3} {(0,) * 3}"
    assert done.stdout.strip().startswith(expected), done.stderr
    assert readable or "True True" in done.stdout


@pytest.fixture
def handed_in(tiny, tmp_path):
    """Right, wrong, hostile and unreadable submissions."""
    right = (tiny / "sums.py").read_text()
    texts = {
        "ada": right,
        "bob": right.replace("np.add", "np.subtract"),
        "cat": right.replace("once = f(x)", "raise SystemExit"),
        "dan": right.replace("import numpy as np\n", "import numpy as np\n" + OS).replace(
            "once = f(x)", "OS['abort']()"
        ),
        "eve": right.replace("once = f(x)", "raise KeyError(object())"),
        "fay": right.replace("once = f(x)", "return np.random.default_rng().random()"),
    }
    folder = tmp_path / "submissions"
    folder.mkdir()
    for name, text in texts.items():
        with zipfile.ZipFile(folder / f"tiny-{name}.zip", "w") as archive:
            archive.writestr("sums.py", text)
    (folder / "none.zip").write_bytes(b"no archive")
    return folder


def grade(tiny, handed_in, out):
    words = [
        "homework",
        "grade",
        str(handed_in),
        "--homework",
        str(tiny),
        "--out",
        str(out),
        "--seed",
        "5",
        "--jobs",
        "2",
    ]
    assert main(words) == 0
    pages = {path.name: path.read_text() for path in out.with_name(out.name + ".kept").glob("*.md")}
    return out.read_text(), pages


@pytest.mark.slow
def test_two_gradings_with_the_same_seed_say_the_same(tiny, handed_in, tmp_path):
    """All but for the number that fay draws from the machine."""
    (table, pages), (again, more) = (grade(tiny, handed_in, tmp_path / name) for name in ("a.csv", "b.csv"))
    assert table == again
    assert len(pages) == 7
    for name in pages.keys() - {"tiny-fay.zip.md"}:
        assert pages[name] == more[name]


@pytest.mark.slow
def test_a_batch_that_is_killed_fifty_times_loses_at_most_what_was_being_graded(tiny, handed_in, tmp_path):
    for name in ("bob", "cat", "fay"):
        (handed_in / f"tiny-{name}.zip").unlink()
    out, kept = tmp_path / "grades.csv", tmp_path / "grades.csv.kept"
    begun = time.monotonic()
    table, _ = grade(tiny, handed_in, tmp_path / "undisturbed.csv")
    seconds = time.monotonic() - begun
    right = {path.name: path.read_bytes() for path in (tmp_path / "undisturbed.csv.kept").glob("*.json")}
    workplace = tmp_path / "workplace"
    workplace.mkdir()
    words = [sys.executable, "-m", "tinygrad_rnn", "homework", "grade", str(handed_in), "--homework", str(tiny)]
    words += ["--out", str(out), "--seed", "5"]
    moments = random.Random(0)
    for _ in range(50):
        before = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.json")}
        with subprocess.Popen(
            words, env=with_this_package(workplace), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as grader:
            with contextlib.suppress(subprocess.TimeoutExpired):
                grader.wait(moments.uniform(0.3, seconds))
            grader.send_signal(signal.SIGKILL)
            told = grader.stderr.read()
        assert wait_until(lambda: not running(workplace)), "student code outlives its grader"
        now = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.json")}
        assert before.items() <= now.items()  # nothing is lost or graded again
        assert told.count(" of 4: ") <= len(now)  # what was told is kept
        for name in now:
            assert (kept / name).read_bytes() == right[name]
        if out.is_file():
            assert out.read_text() == table
            shutil.rmtree(kept)  # all done: from the beginning
            out.unlink()
    done = subprocess.run(words, env=with_this_package(workplace), check=False, capture_output=True)
    assert done.returncode == 0
    assert out.read_text() == table
    assert all(json.loads((kept / name).read_text())["key"] for name in right)


def test_processes_that_grade_end_with_the_batch(tmp_path):
    """Here the batch is a process that waits for one that grades."""
    text = (
        "from tinygrad_rnn.homework import grading\nimport os, time\n"
        "if __name__ == '__main__':\n"
        "    pool = grading.processes(1)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    waiting = pool.submit(time.sleep, 300)\n"
        "    print('waits', flush=True)\n    waiting.result()\n"
    )
    (tmp_path / "batch.py").write_text(text)
    words = [sys.executable, str(tmp_path / "batch.py")]
    with subprocess.Popen(words, env=with_this_package(tmp_path), stdout=subprocess.PIPE, text=True) as batch:
        batch.stdout.readline()
        batch.stdout.readline()
        children = lambda: Path(f"/proc/{batch.pid}/task/{batch.pid}/children").read_text().split()  # noqa: E731
        assert wait_until(lambda: len(children()) >= 2)  # one that grades, and one that multiprocessing needs
        started = children()
        batch.kill()
        batch.wait()
        assert wait_until(lambda: not [pid for pid in started if Path(f"/proc/{pid}/exe").exists()])
