"""What the tests of tutorials share: a small tutorial, and a place for what a reader leaves behind."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from tinygrad_rnn.tutorial import Stepper, find
from tinygrad_rnn.viz.pictures import DATA, PICTURES

LESSONS = Path(__file__).parent / "lessons"
TINY = LESSONS / "01_tiny.py"


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """Where this reader's progress is kept."""
    monkeypatch.setenv(DATA, str(tmp_path / "data"))
    monkeypatch.delenv(PICTURES, raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path / "data"


@pytest.fixture
def script(tmp_path):
    """Write a tutorial of cells, code unless they begin with a header, and return its path."""

    def write(*cells):
        path = tmp_path / "09_own.py"
        headed = [f" {cell}" if re.match(r'\[markdown\]|\w+="', cell) else f"\n{cell}" for cell in cells]
        parts = ["# %% [markdown]\n# # 09 Own\n", *[f"# %%{cell}\n" for cell in headed]]
        path.write_text("\n".join(parts), encoding="utf-8")
        return path

    return write


@pytest.fixture
def through(capsys):
    """Go through a tutorial with typed answers; return what was shown. The input ends after the last answer."""

    def go(path, *typed, language="en", **options):
        answers = iter(typed)

        def ask(prompt):
            console.print(prompt, end="", highlight=False, markup=False)
            answer = next(answers, None)
            if answer is None:
                raise EOFError
            if isinstance(answer, BaseException):
                raise answer
            console.print(answer)
            return answer

        console = Console(file=io.StringIO(), width=80, legacy_windows=False)
        capsys.readouterr()
        try:
            Stepper(find(str(path), language), console, ask=ask, **options).run()
        finally:
            go.shown = console.file.getvalue()
            go.printed = capsys.readouterr().out
        return go.shown

    return go
