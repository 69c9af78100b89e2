"""Streams that are closed, full, or left by their reader; names of files that no terminal can show."""

import json
import os
import shlex
import subprocess
import sys

import pytest

from tests.cli.conftest import SMALL

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")

GRAPH = shlex.join(["graph", *SMALL, "--cell", "rnn", "--format", "dot"])


@pytest.fixture
def shell(tmp_path, text_file):
    """Run a command in a shell, with redirections, and return its exit code and both outputs."""

    def run(line, **environment):
        command = f"{shlex.quote(sys.executable)} -m tinygrad_rnn {line}"
        root = os.getcwd()
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])} | environment,
        )
        assert b"Traceback" not in done.stderr + done.stdout
        assert b"Exception ignored" not in done.stderr + done.stdout
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize(
    "closed",
    [">&-", "2>&-", pytest.param("<&-", marks=pytest.mark.slow), pytest.param("<&- >&- 2>&-", marks=pytest.mark.slow)],
)
def test_a_closed_stream_ends_no_work_and_nothing_gets_into_another_one(shell, tmp_path, closed):
    code, out, error = shell(f"{GRAPH} --text small.txt --out out --json {closed}")
    assert code == 0
    if ">&-" not in closed or closed == "2>&-":
        assert json.loads(out)["results"][1]["when"] == "trained"
    if closed == ">&-":
        assert error.startswith(b"text: ")
        assert out == b""
    assert json.loads((tmp_path / "out" / "rnn.flow.json").read_bytes())["cell"] == "rnn"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_behind_the_output_is_an_error_and_behind_the_notes_none(shell, tmp_path):
    code, _, error = shell(f"{GRAPH} --text small.txt --out out >/dev/full")
    assert code == 2
    said = error.splitlines()[-1]  # while it prints, or, where Python keeps what is printed back, at the end
    assert said.removeprefix(b"tinygrad-rnn: error: ").removeprefix(b"cannot write the output: ") == (
        b"No space left on device"
    )
    assert (tmp_path / "out" / "rnn.dot").exists()
    code, out, _ = shell(f"{GRAPH} --text small.txt --out out --json 2>/dev/full")
    assert code == 0
    assert json.loads(out)


def test_a_reader_of_the_notes_that_goes_away_ends_no_work(shell, tmp_path):
    _, out, _ = shell(f"{GRAPH} --text small.txt --out out --json 2>&1 >result | head -n 1")
    assert out.startswith(b"text: ")
    assert json.loads((tmp_path / "result").read_bytes())["schema"]


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no names that are not UTF-8")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "environment", "shown"),
    [
        (b"caf\xe9", {}, "caf\ufffd"),
        ("d\u00e9j\u00e0 \u4f60".encode(), ASCII, "d\u00e9j\u00e0 \u4f60"),
        (b"caf\xe9", ASCII, "caf\ufffd"),
        (b"x" * 250, {}, "x" * 250),
    ],
    ids=["latin1", "ascii", "latin1-ascii", "long"],
)
def test_any_name_of_a_file_is_worked_on_and_shown(shell, tmp_path, text_file, name, environment, shown):
    source = os.path.join(os.fsencode(tmp_path), name)
    os.rename(text_file, source)
    quoted = shlex.quote(os.fsdecode(name))
    code, out, error = shell(f"{GRAPH} --text {quoted} --out out/{quoted} --json", **environment)
    assert code == 0, error
    found = json.loads(out)
    assert found["text"] == shown
    assert found["results"][0]["files"]
    assert b"udc" not in out
    if name.startswith(b"x"):
        return
    code, out, error = shell(f"train --steps 5 --hidden 4 --updates 2 --text {quoted} --out model", **environment)
    assert code == 0, error
    code, out, error = shell("train --resume --updates 3 --out model", **environment)
    assert code == 0, error
