"""A training that is killed at any moment, and goes on."""

import os
import random
import signal
import sys

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.cli import main
from tinygrad_rnn.cli import train as train_command
from tinygrad_rnn.train import load_checkpoint
from tinygrad_rnn.train.checkpoint import checkpoints
from tinygrad_rnn.train.metrics import read_lines

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that begins where this one is")

EVERY, UPDATES = 3, 14
SIZES = ("--steps", "4", "--hidden", "4", "--layers", "2", "--dropout", "0.4", "--batch", "2")
OPTIONS = (*SIZES, "--updates", str(UPDATES), "--validate-every", "4", "--task", "adding")
WRITING = ("serialization.py", "checkpoint.py", "runs.py", "metrics.py")
OFTEN = ("--every", str(EVERY), "--keep", "2")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_command, "_curves", lambda run: [])  # they take the longest, and are one more whole file
    main(["train", *OPTIONS, "--out", "warm"])  # what is imported and compiled here is there in every child
    os.remove("warm")
    return tmp_path


def run_until(arguments, modules, last=None):
    """Run a command in a process of its own, and kill it when a function is called or left, the `last` such moment.

    Args:
        modules: only what happens in files with these names counts; everything if there are none.

    Returns:
        How many such moments there were, or None if it was killed; and the exit code.
    """
    read, write = os.pipe()
    if not (child := os.fork()):
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (this process ends with it)
        moments = 0

        def note(frame, event, argument):
            nonlocal moments
            moments += not modules or frame.f_code.co_filename.endswith(modules)
            if moments == last:
                os.kill(os.getpid(), signal.SIGKILL)

        tg.manual_seed(os.getpid())  # as in any other process
        code = 99
        try:
            sys.setprofile(note)
            code = main(arguments)
        finally:
            sys.setprofile(None)
            os.write(write, str(moments).encode())
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as counted:
        moments = counted.read()
    _, status = os.waitpid(child, 0)
    return (int(moments), os.WEXITSTATUS(status)) if moments else (None, None)


@pytest.mark.parametrize("modules", [(), WRITING])
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bits(place, modules):
    total, code = run_until(["train", *OPTIONS, *OFTEN, "--name", "whole"], modules)
    assert code == 0
    whole, killed = place / "runs" / "whole", place / "runs" / "killed"
    moments, kills = random.Random(1), 0
    while kills < 5:
        how = ("--resume", *OFTEN) if killed.exists() else (*OPTIONS, *OFTEN)
        moment = moments.randrange(total // 6, total // 2)
        ended, code = run_until(["train", *how, "--name", "killed"], modules, moment)
        if ended is not None:
            break
        kills += 1
        if killed.exists():  # what is lost are the updates since the last checkpoint
            written = read_lines(killed / "metrics.jsonl")
            last = max((line["update"] for line in written if "loss" in line), default=0)
            found = load_checkpoint(killed).settings["updates"]
            assert last - EVERY <= found <= last
    if load_checkpoint(killed).settings["updates"] < UPDATES:
        assert run_until(["train", "--resume", *OFTEN, "--name", "killed"], ())[1] == 0
    assert kills
    for name in ("metrics.jsonl", "settings.json", *[f"checkpoints/{path.name}" for path in checkpoints(whole)]):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    assert [line["update"] for line in read_lines(killed / "times.jsonl")] == [3, 6, 9, 12, 14]


def test_a_file_that_is_written_when_the_process_is_killed_is_whole_and_alone(place, monkeypatch):
    total, code = run_until(["train", *OPTIONS, *OFTEN, "--out", "whole"], WRITING)
    assert code == 0
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        run_until(["train", *OPTIONS, *OFTEN, "--out", "killed"], ())
    assert [path.suffix for path in place.iterdir() if path.name != "whole"] == [".tmp"]
    moments, kills = random.Random(3), 0
    while kills < 5:
        how = ("--resume", *OFTEN) if (place / "killed").exists() else (*OPTIONS, *OFTEN)
        if run_until(["train", *how, "--out", "killed"], WRITING, moments.randrange(total // 8, total // 2))[0]:
            break
        kills += 1
    assert kills
    if load_checkpoint(place / "killed").settings["updates"] < UPDATES:
        assert run_until(["train", "--resume", *OFTEN, "--out", "killed"], ())[1] == 0
    assert (place / "killed").read_bytes() == (place / "whole").read_bytes()
    assert sorted(path.name for path in place.iterdir()) == ["killed", "whole"]
