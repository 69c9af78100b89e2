"""Tutorials as notebooks, run, with their pictures inside. Needs the extra `notebooks`."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import Any

from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tutorial.lessons import Lesson
from tinygrad_rnn.tutorial.questions import Question
from tinygrad_rnn.tutorial.script import Cell
from tinygrad_rnn.tutorial.words import Words

__all__ = ["as_notebook", "repository", "run_notebook", "write_notebook"]

#: Seconds that a cell may take.
PATIENCE = 600
#: Of pyproject.toml's [project.urls], what says where the source is.
SOURCES = ("source", "repository", "homepage")


def write_notebook(lesson: Lesson, target: Path, execute: bool = True) -> Path:
    """Run a tutorial as a notebook and write it to a folder, whole or not at all.

    Args:
        lesson: the tutorial.
        target: the folder, made unless it is there; a notebook of this name in it is replaced.
        execute: False leaves the cells without output.

    Returns:
        The path of the notebook.

    Raises:
        MissingToolError: what runs notebooks is not installed.
        InputError: a cell failed, or the file cannot be written.
    """
    notebook = as_notebook(lesson)
    if execute:
        run_notebook(notebook, lesson.name)
    path = target / f"{lesson.name}.ipynb"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    write_whole(path, (_nbformat().writes(notebook) + "\n").encode())
    return path


def as_notebook(lesson: Lesson) -> Any:
    """Return a tutorial as a notebook that was not run: options listed, answers after the code, solutions folded.

    Args:
        lesson: the tutorial.

    Raises:
        MissingToolError: nbformat is not installed.
    """
    make, words = _nbformat().v4, Words(lesson.language)
    cells = []
    if (source := repository()) is not None:
        cells.append(_folded(make.new_code_cell(_INSTALL.format(source=source))))
    asked: list[Question] = []
    for cell, following in zip(lesson.cells, [*lesson.cells[1:], None], strict=True):
        if cell.is_code:
            code = make.new_code_cell(cell.source, metadata=dict(cell.attributes))
            cells.append(_folded(code) if cell.role == "solution" else code)
        else:
            cells.append(make.new_markdown_cell(_prose(cell, words), metadata=dict(cell.attributes)))
        if cell.question is not None:
            asked.append(cell.question)
        solved = cell.role == "solution" and (following is None or following.role != "solution")
        if solved or cell.role == "code":
            cells += [_folded(make.new_code_cell(_answer(each, words)), output=not solved) for each in asked]
            asked = []
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number:02d}"  # the same file for the same tutorial
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return make.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def run_notebook(notebook: Any, name: str) -> None:
    """Run a notebook; each of its cells of code gets its outputs.

    Args:
        notebook: as `as_notebook` returns it.
        name: of the tutorial, for errors.

    Raises:
        MissingToolError: what runs notebooks is not installed.
        InputError: a cell failed.
    """
    try:
        from nbclient import NotebookClient  # noqa: PLC0415  (an extra)
        from nbclient.exceptions import CellExecutionError  # noqa: PLC0415
    except ImportError:
        raise MissingToolError("notebooks need more packages: pip install 'tinygrad-rnn[notebooks]'") from None
    client = NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3", record_timing=False)
    manager = client.create_kernel_manager()
    if os.name != "nt":
        manager.transport = "ipc"  # files of this user; a port could be listened to
    try:
        client.execute()
    except CellExecutionError as error:
        raise InputError(f"{name} failed as a notebook: {error.ename}: {error.evalue}") from None


def repository() -> str | None:
    """Return the address of this library's source, as its pyproject.toml says it; None if it says none."""
    try:
        urls = importlib.metadata.metadata("tinygrad-rnn").get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    known = {label.strip().lower(): address.strip() for label, _, address in (url.partition(",") for url in urls)}
    return next((known[label] for label in SOURCES if label in known), None)


#: The first cell where it is known what to install.
_INSTALL = """\
# On Colab (File, Upload notebook) this installs the library; elsewhere it does nothing.
import sys

if "google.colab" in sys.modules:
    %pip install --quiet "tinygrad-rnn[plots,render] @ git+{source}\""""


def _nbformat() -> Any:
    try:
        import nbformat  # noqa: PLC0415  (an extra)
    except ImportError:
        raise MissingToolError("notebooks need more packages: pip install 'tinygrad-rnn[notebooks]'") from None
    return nbformat


def _prose(cell: Cell, words: Words) -> str:
    """Return prose with the options of its question; hints and solutions folded."""
    text = cell.source
    if cell.question is not None:
        text += "\n\n" + "\n".join(f"{number}. {option}" for number, option in enumerate(cell.question.options, 1))
        text = text.rstrip() + (f"\n\n*{words('on_paper')}*" if cell.role == "question" else "")
    if cell.role in ("hint", "solution"):
        summary = words("one_hint") if cell.role == "hint" else words("solution")
        text = f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"
    return text


def _answer(question: Question, words: Words) -> str:
    """Return code that shows the answer to a question."""
    if question.options:
        return f"{list(question.options)!r}[({question.answer}) - 1]  # {words('answer')}"
    return f"{question.answer}  # {words('answer')}"


def _folded(cell: Any, output: bool = False) -> Any:
    """Fold a cell of code: of a solution all, of an answer the code only."""
    tag = "hide-input" if output else "hide-cell"
    cell.metadata |= {"jupyter": {"source_hidden": True, "outputs_hidden": not output}, "tags": [tag]}
    return cell
