"""What the tests of the command line share."""

import subprocess
import sys

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.cli import main
from tinygrad_rnn.cli.files import MANIFEST
from tinygrad_rnn.tasks import parse_task
from tinygrad_rnn.train import MODELS, save_checkpoint
from tinygrad_rnn.viz import sheet

#: Small enough to take no time, large enough to be a graph.
SMALL = ("--steps", "6", "--hidden", "5", "--batch", "3", "--train", "2")


def visible(folder):
    """Return the files of a folder, but for the list of those that are ours."""
    return [path for path in folder.iterdir() if path.name != MANIFEST]


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "small.txt"
    path.write_text("to be or not to be that is the question " * 20)
    return str(path)


@pytest.fixture
def graph(tmp_path, text_file):
    """Run `graph` on small sizes and return the folder with the files; InputError and the like become a failure.

    Without the pages unless asked for: their plots take seconds.
    """

    def run(*options, text=True, out="out", formats="dot,svg"):
        source = ("--text", text_file) if text else ()
        chosen = ("--format", formats) if formats else ()
        code = main(["graph", *SMALL, *source, *chosen, "--out", str(tmp_path / out), *options])
        assert code == 0
        return tmp_path / out

    return run


@pytest.fixture
def quick_pictures(monkeypatch):
    """Draw, but write empty pictures: laying out and painting is what takes time."""

    monkeypatch.setattr(sheet.plots, "rendered", lambda figure, formats: dict.fromkeys(formats, b"<svg/>"))


@pytest.fixture
def refused(capsys):
    """Run a command that must fail, and return the line it prints last: its only one if it fails before it works."""

    def run(*arguments, code=2, at_once=True):
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == code
        captured = capsys.readouterr()
        *before, complaint = captured.err.splitlines()
        assert complaint.startswith("tinygrad-rnn")
        assert at_once is (not before), captured.err
        return complaint

    return run


@pytest.fixture
def untrained(tmp_path):
    """Write a checkpoint of a small model for a task, as it starts, and return its path."""

    def make(task_text, seed=0, hidden=4, **rest):
        tg.manual_seed(seed)
        spec = parse_task(task_text)
        task = spec.make()
        model = MODELS[task.model].for_task(task, "gru", hidden, **rest)
        path = tmp_path / f"{seed}-{hidden}-{spec.file_name}"
        settings = {"task": spec.text, "text": None, "steps": spec.entry.steps, "updates": 0}
        if known := getattr(task, "vocabulary", None):
            settings["vocabulary"] = known.characters
        save_checkpoint(path, model, optim.SGD(model.parameters(), lr=0.1), settings)
        return str(path)

    return make


@pytest.fixture
def started():
    """Start the program in a process of its own; whatever still runs at the end of the test is stopped."""
    running = []

    def start(*arguments, **options):
        process = subprocess.Popen(
            [sys.executable, "-m", "tinygrad_rnn", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **options,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()
