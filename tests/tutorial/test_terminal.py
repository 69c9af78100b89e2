"""The stepper on a real terminal (a pseudo-terminal), and where there is none."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tutorial.conftest import TINY
from tinygrad_rnn.tutorial import find, progress

pytestmark = [pytest.mark.process, pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are for POSIX")]
pexpect = pytest.importorskip("pexpect")

ROOT = Path(__file__).parents[2]
COMMAND = ["-m", "tinygrad_rnn", "tutorial"]
ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x1b\x07]*(\x1b\\|\x07))")
GUESS, RUN, NEXT, ANSWER, EXERCISE, READ = (
    "your guess \\(.*> ", "Enter run \\|.*> ", "Enter next \\| r .*> ", "your answer \\(.*> ",
    "Enter next \\| e .*> ", "Enter next \\| b .*> ",
)  # fmt: skip


def environment(**changes):
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return kept | {"PYTHONPATH": os.pathsep.join(paths), "TERM": "xterm-256color"} | changes


class Terminal:
    """The program on a pseudo-terminal."""

    def __init__(self, *words, size=(24, 80), **changes):
        self.program = pexpect.spawn(
            sys.executable, [*COMMAND, *map(str, words)], env=environment(**changes), dimensions=size, timeout=120,
            encoding="utf-8", codec_errors="replace",
        )  # fmt: skip
        self.program.delaybeforesend = None
        self.raw = ""

    def wait(self, expected):
        """Wait until something is shown; return what came before it, without colours."""
        self.program.expect(expected)
        self.raw += self.program.before + str(self.program.after)
        return ESCAPE.sub("", self.program.before).replace("\r\n", "\n")

    def go(self, *pairs):
        """Wait for each prompt and answer it; return all that was shown."""
        return "".join(self.wait(prompt) + (self.program.sendline(answer) and "") for prompt, answer in pairs)

    def end(self):
        """Return what is shown last, and the exit code."""
        shown = self.program.read().replace("\r\n", "\n")
        self.raw += shown
        self.program.close()
        return ESCAPE.sub("", shown), self.program.exitstatus


@pytest.fixture
def terminal():
    opened = []

    def start(*words, **options):
        opened.append(Terminal(*words, **options))
        return opened[-1]

    yield start
    for each in opened:
        each.program.close(force=True)


WAY = ((GUESS, "7"), (RUN, ""), (NEXT, ""), (GUESS, "2"), (RUN, ""), (NEXT, ""), (ANSWER, "5"), (ANSWER, ""),
       (EXERCISE, "a"), (EXERCISE, ""), (READ, ""))  # fmt: skip


@pytest.mark.parametrize(
    ("size", "changes"),
    [
        ((24, 80), {}),
        pytest.param((50, 200), {"NO_COLOR": "1"}, marks=pytest.mark.slow),
        pytest.param((24, 60), {"TERM": "dumb"}, marks=pytest.mark.slow),
        ((24, 80), {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}),
    ],
    ids=["80x24", "wide without colours", "dumb", "ASCII"],
)
def test_from_the_beginning_to_the_end(terminal, size, changes):
    program = terminal(TINY, "--lang", "en", size=size, **changes)
    shown = program.go(*WAY)
    last, code = program.end()
    assert code == 0
    assert "Your guesses: 3 of 3 were right." in last
    for said in ("sizes: [1.0, 0.5, 0.25]", "(checked)", "You saw it coming.", "Right: 5.", "def half(x):"):
        assert said in shown
    assert ("\x1b[1;36m" in program.raw) == (not changes.keys() & {"NO_COLOR", "TERM"})
    if "PYTHONIOENCODING" in changes:
        assert program.raw.isascii()
        assert "\\u" not in program.raw
    longest = max(len(line) for line in shown.replace("\n\n", "\n").splitlines() if not line.startswith("Enter"))
    assert longest <= size[1]


def test_quitting_and_ctrl_c_keep_the_place(terminal):
    program = terminal(TINY, "--lang", "en")
    program.go((GUESS, "3"), (RUN, "q"))
    last, code = program.end()
    assert (code, "Your place is kept" in last) == (0, True)

    program = terminal(TINY, "--lang", "en")
    assert "Going on at 2 of 7" in program.wait(RUN)
    program.program.sendline("")
    assert "your guess: 3\nthe result:  7" in program.wait(NEXT)
    program.program.sendintr()  # at a prompt
    last, code = program.end()
    assert (code, "Your place is kept" in last, "Traceback" in last) == (130, True, False)


@pytest.mark.slow
@pytest.mark.parametrize(("leave", "exit_code"), [("sendeof", 0), ("sendintr", 130)])
def test_a_question_can_be_left_in_every_way(terminal, leave, exit_code):
    program = terminal(TINY, "--lang", "en")
    program.wait(GUESS)
    getattr(program.program, leave)()
    last, code = program.end()
    assert (code, "Your place is kept" in last, "Traceback" in last) == (exit_code, True, False)


def test_ctrl_c_while_a_cell_runs_stops_that_cell(terminal, script):
    path = script("print('begun', flush=True)\nimport threading\nthreading.Event().wait(60)", "print('later')")
    program = terminal(path, "--lang", "en")
    program.go((RUN, ""))
    program.wait("begun")
    program.program.sendintr()
    assert "Stopped." in program.wait("Enter run again .*> ")
    program.program.sendline("s")
    program.go((RUN, ""))
    assert "later" in program.wait(NEXT)
    program.program.sendline("b")
    program.go((RUN, "q"))
    assert program.end()[1] == 0


@pytest.mark.slow
def test_what_is_typed_while_a_cell_runs_runs_nothing(terminal, script, tmp_path):
    waiting = f"while not os.path.exists({str(tmp_path / 'go')!r}):\n    time.sleep(0.01)"
    path = script(f"import os, time\nprint('begun', flush=True)\n{waiting}", "print('later')")
    program = terminal(path, "--lang", "en")
    program.go((RUN, ""))
    program.wait("begun\r\n")
    program.program.sendline("")
    program.wait("\r\n")  # its echo: it has arrived
    (tmp_path / "go").touch()
    program.go((NEXT, "q"))
    program.end()
    assert progress.load(find(str(path))).cell == 1


def run(*words, **options):
    done = subprocess.run(
        [sys.executable, *COMMAND, *map(str, words), "--lang", "en"], capture_output=True, text=True, check=False,
        env=environment(), timeout=120, encoding="utf-8", **options,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_where_there_is_no_terminal_nobody_is_asked(data):
    code, shown, notes = run(TINY, stdin=subprocess.PIPE)  # never written to, never closed
    assert (code, notes) == (0, "")
    assert "the result: it shrinks" in shown
    assert "logarithm" not in shown
    assert "> " not in re.sub("sizes.*", "", shown)
    assert "\x1b" not in shown
    assert not data.exists()


def test_where_there_is_no_terminal_an_error_is_an_exit_code(script):
    code, shown, _ = run(script("x = 1", "assert x == 2, 'x is one'", "print('never')"), stdin=subprocess.DEVNULL)
    assert code == 1
    assert "AssertionError: x is one" in shown
    assert "never\n" not in shown.replace("print('never')", "")
