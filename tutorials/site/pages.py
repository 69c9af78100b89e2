"""The pages that are written and not kept: tutorials as notebooks, galleries from the tables, a page of the API a room."""

import contextlib
import hashlib
import importlib
import inspect
import io
import json
import re
from pathlib import Path
from typing import Any

import nbformat

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.cli import main as command
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tutorial import all_lessons
from tinygrad_rnn.tutorial.notebooks import as_notebook, run_notebook
from tinygrad_rnn.tutorial.words import Words
from tinygrad_rnn.viz.render import rendered

__all__ = ["write_all"]

ROOT = Path(__file__).parents[2]
#: Rooms that people import from, as the sidebar lists them.
ROOMS = (
    "tinygrad_rnn", "tinygrad_rnn.nn", "tinygrad_rnn.nn.init", "tinygrad_rnn.functional", "tinygrad_rnn.optim",
    "tinygrad_rnn.flow", "tinygrad_rnn.viz", "tinygrad_rnn.viz.plots", "tinygrad_rnn.tasks", "tinygrad_rnn.train",
    "tinygrad_rnn.tape", "tinygrad_rnn.serialization", "tinygrad_rnn.errors",
)  # fmt: skip
#: Documents with measured numbers, by the name of their page.
NUMBERS = {
    "results": "tutorials/RESULTS.md",
    "hochreiter": "tutorials/HOCHREITER.md",
    "characters": "tutorials/CHARACTERS.md",
    "cells_as_they_start": "tinygrad_rnn/nn/cells/README.md",
    **{name: f"tests/bench/{name}.md" for name in ("eager", "cells", "flow", "tape", "gpu")},
}
#: What the pages of tutorials say in each language: title, introduction, how to run one, and how long it ran here.
WORDS = {
    "en": (
        "Tutorials",
        "One question each, 15 to 25 minutes. A question comes before the code that answers it: write your guess down "
        "first. `python -m tinygrad_rnn tutorial 01` asks you on the terminal and remembers where you stopped.",
        "Run it yourself",
        "Step through it: `python -m tinygrad_rnn tutorial {number}`. Or take it along: "
        "{{download}}`notebook <{name}.ipynb>`, {{download}}`script <{name}.py>`. The outputs below are those of {length}.",
        ("a short run (`make docs DOCS_FAST=` makes long ones)", "a full run"),
    ),
    "zh": (
        "教程",
        "每篇回答一个问题，约 15 到 25 分钟。问题总在给出答案的代码之前：请先写下你的猜测。"
        "`python -m tinygrad_rnn tutorial 01 --lang zh` 在终端里逐步提问，并记住你停在哪里。",
        "自己运行",
        "在终端里逐步学习：`python -m tinygrad_rnn tutorial {number} --lang zh`。也可以下载："
        "{{download}}`笔记本 <{name}.ipynb>`。下面的输出来自{length}。",
        ("一次缩短的运行", "一次完整的运行"),
    ),
}
#: What the fold of a solution says while it is closed, and open.
PROMPTS = {"en": ("The solution", "The solution"), "zh": ("参考解答", "参考解答")}


def write_all(source: Path, here: Path, kept: Path, only: list[str] | None, fast: bool) -> None:
    """Write every page of the site to a folder, and remove what else is in it.

    Args:
        source: the folder.
        here: where the pages are that somebody wrote.
        kept: where what took long is kept for the next time.
        only: the numbers of the tutorials wanted; None for all.
        fast: whether tutorials make short runs.
    """
    files: dict[str, bytes] = {path.relative_to(here).as_posix(): path.read_bytes() for path in here.rglob("*.md")}
    for language in WORDS:
        files |= _tutorials(language, kept, only, fast)
    files["pictures/lstm.svg"] = (ROOT / "tutorials/pictures/lstm.svg").read_bytes()
    files |= _cells() | _tasks() | _api() | _numbers() | _measured(kept)
    for path in [path for path in source.rglob("*") if path.is_file()]:
        if path.relative_to(source).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = source / name
        if not path.is_file() or path.read_bytes() != content:  # Sphinx reads what is newer than its page
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _tutorials(language: str, kept: Path, only: list[str] | None, fast: bool) -> dict[str, bytes]:
    """Return the tutorials of a language as notebooks that were run, and the page that lists them."""
    title, words, word, how, lengths = WORDS[language]
    folder = "tutorials" if language == "en" else language
    lessons = [lesson for lesson in all_lessons(language) if only is None or lesson.name[:2] in only]
    files: dict[str, bytes] = {}
    for lesson in lessons:
        notebook = as_notebook(lesson)
        _run(notebook, f"{language}/{lesson.name}", kept)
        about = how.format(number=lesson.name[:2], name=lesson.name, length=lengths[not fast])
        first = next(at for at, cell in enumerate(notebook.cells) if cell.cell_type == "markdown")
        notebook.cells.insert(
            first + 1, nbformat.v4.new_markdown_cell(f":::{{admonition}} {word}\n:class: tip\n{about}\n:::", id="about")
        )
        notebook.cells = [shown for cell in notebook.cells for shown in _answered(cell, language)]
        show, hide = PROMPTS[language]
        notebook.metadata["mystnb"] = {"code_prompt_show": show, "code_prompt_hide": hide}
        files[f"{folder}/{lesson.name}.ipynb"] = nbformat.writes(notebook).encode()
        if language == "en":
            files[f"{folder}/{lesson.name}.py"] = lesson.path.read_bytes()
    files[f"{folder}/index.md"] = _page(title, words, _tree([lesson.name for lesson in lessons]))
    return files


def _run(notebook: Any, name: str, kept: Path) -> None:
    """Give a notebook its outputs: those of the same code if they were kept, else by running it."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    key = hashlib.sha256("\0".join(cell.source for cell in code).encode()).hexdigest()[:16]
    path = kept / f"{name}.{key}.ipynb"
    if not path.is_file():
        print(f"running {name}", flush=True)
        run_notebook(notebook, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, nbformat.writes(notebook).encode())
        return
    known = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    for cell, ran in zip(code, known, strict=True):
        cell.outputs, cell.execution_count = ran.outputs, ran.execution_count


def _answered(cell: Any, language: str) -> list[Any]:
    """Return a cell as it is, but the code that shows an answer as the word for it, or behind that word if folded."""
    word = Words(language)("answer")
    if cell.cell_type != "code" or not cell.source.endswith(f"# {word}"):
        return [cell]
    word = word[0].upper() + word[1:]
    if cell.metadata.get("tags") == ["hide-cell"]:
        cell.metadata["mystnb"] = {"code_prompt_show": word, "code_prompt_hide": word}
        return [cell]
    cell.metadata["tags"] = ["remove-input"]
    return [nbformat.v4.new_markdown_cell(f"**{word}:**", id=f"{cell['id']}-word"), cell]


def _cells() -> dict[str, bytes]:
    """Return the gallery of cells: of each the equations, what can be chosen, and its gradient in a picture."""
    files: dict[str, bytes] = {}
    parts = []
    for entry in json.loads(_said("cells", "--json"))["cells"]:
        name = entry["name"]
        flow, files[f"gallery/cells/{name}.svg"] = _drawn(name)
        facts = [
            f"- States: {_code(entry['states'])}; gates: {_code(entry['gates']) or 'none'}.",
            f"- Reference: {entry['reference']}.",
            "- Options: " + (_code(f"--cell {name}:{option}=..." for option in entry["options"]) or "none") + ".",
            f"- Class: {{py:class}}`tinygrad_rnn.nn.{nn.CELLS[name].cell.__name__}`.",
        ]
        equations = "\n".join(entry["equations"])
        parts += [
            f"## {name}\n\n{_sentence(entry['summary'])}",
            f"```text\n{equations}\n```",
            "\n".join(facts),
            f":::{{image}} cells/{name}.svg\n:alt: The graph of one step of {name}, coloured by its gradient; the "
            f"gradient {flow.verdict} within 12 steps.\n:class: graph\n:::",
        ]
    about = (
        "Each is drawn once for all steps, 12 of them with 16 units and weights as they begin; the loss is at the last "
        "step. Colour is the gradient, on a logarithmic scale; a loop carries the factor per step. "
        "[](../numbers/cells_as_they_start.md) has the same as numbers, over 100 steps of text."
    )
    files["gallery/cells.md"] = _page("Cells", about, *parts)
    return files


def _drawn(name: str) -> tuple[object, bytes]:
    tg.manual_seed(0)
    layer = nn.Recurrent(name, 16, 16, dtype="float64")  # both sizes the same: one cell stores its input as it is
    output, _ = layer.unroll(tg.randn(12, 4, 16, dtype="float64"))
    flow = viz.gradient_flow(output[-1].square().sum(axis=1))
    return flow, rendered(viz.draw(flow, level="rolled", title=name).source, "svg")


def _tasks() -> dict[str, bytes]:
    """Return the gallery of tasks."""
    parts = []
    for entry in json.loads(_said("tasks", "--json"))["tasks"]:
        name = entry["name"]
        facts = [
            f"- Length: {'fixed' if entry['steps'] is None else str(entry['steps']) + ' steps, or `--steps T`'}.",
            f"- Solved when: {entry['solved'] or 'nobody can say'}.",
            f"- Reference: {entry['reference']}.",
        ]
        for option in entry["options"]:
            usual = entry["defaults"][option]
            usual = "the task decides" if usual is None else f"default {str(usual).lower()}"
            facts.append(f"- `{name}:{option}=...`: {entry['values'][option]} ({usual}).")
        until = " --until-solved" if entry["solved"] else ""
        parts += [
            f"## {name}\n\n{_sentence(entry['summary'])}",
            "\n".join(facts),
            f"```text\npython -m tinygrad_rnn train --task {name}{until}\n```",
        ]
    about = "What a network can be taught here, and when that has worked. [](../numbers/results.md) has what it took."
    return {"gallery/tasks.md": _page("Tasks", about, *parts)}


def _api() -> dict[str, bytes]:
    """Return a page for each room, made of the docstrings of what it hands out."""
    files = {}
    described: dict[int, str] = {}
    for room in ROOMS:
        module = importlib.import_module(room)
        parts, values, elsewhere = [f".. automodule:: {room}"], [], []
        for name in sorted(module.__all__, key=str.lower):
            found = getattr(module, name)
            is_class = inspect.isclass(found) and found.__module__.startswith("tinygrad_rnn")
            if not is_class and not inspect.isroutine(found):
                values.append(name)
            elif id(found) in described:
                elsewhere.append(f"{{py:obj}}`~{described[id(found)]}`")
            else:
                described[id(found)] = f"{room}.{name}"
                options = "\n   :members:\n   :show-inheritance:" if is_class else ""
                parts.append(f".. {'autoclass' if is_class else 'autofunction'}:: {room}.{name}{options}")
        also = f"Also here: {', '.join(elsewhere)}." if elsewhere else ""
        known = f"Values and types: {_code(values)}." if values else ""
        files[f"api/{room}.md"] = _page(room, "```{eval-rst}\n" + "\n\n".join(parts) + "\n```", also, known)
    about = "What each room hands out, from the docstrings; every example in them is run by the tests."
    files["api/index.md"] = _page("Reference", about, _tree(ROOMS))
    return files


def _numbers() -> dict[str, bytes]:
    """Return the documents with numbers; their links to files of the repository, which are not here, become words."""
    files = {}
    for name, path in NUMBERS.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        text = re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", text)
        files[f"numbers/{name}.md"] = text.encode()
    about = "What was measured, where and when; each page says with which command."
    files["numbers/index.md"] = _page("Numbers", about, _tree(NUMBERS))
    return files


def _measured(kept: Path) -> dict[str, bytes]:
    """Return the pages that `tinygrad-rnn graph` writes, and the graphs that they lead to, of a short run."""
    folder, names = kept / "graph", ("stepper.html", "stepper.init.html", "flow.html")
    if not all((folder / name).is_file() for name in names):
        print("measuring three cells", flush=True)
        with contextlib.redirect_stderr(io.StringIO()):
            _said("graph", "--steps", "20", "--hidden", "16", "--batch", "8", "--train", "60", "--out", str(folder))
    graphs = (f"{cell}{when}.svg" for cell in ("rnn", "lstm", "gru") for when in (".init", ""))
    return {f"extra/pages/{name}": (folder / name).read_bytes() for name in (*names, *graphs)}


def _said(*words: str) -> str:
    """Return what a command prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        done = command(list(words))
    if done:
        raise SystemExit(f"{' '.join(words)} failed: {printed.getvalue()}")
    return printed.getvalue()


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:].rstrip(".") + "."


def _code(names: object) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _tree(names: object) -> str:
    return "```{toctree}\n:maxdepth: 1\n\n" + "\n".join(names) + "\n```"


def _page(title: str, *parts: str) -> bytes:
    return "\n\n".join([f"# {title}", *filter(None, parts), ""]).encode()
