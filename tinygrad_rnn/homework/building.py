"""From the folder of an assignment to what is handed out: files for students, and the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework.assignment import Assignment, load
from tinygrad_rnn.homework.checks import PUBLIC, text_of
from tinygrad_rnn.homework.stubs import make_stub, region_names
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tasks.corpus import shown

__all__ = ["build", "find_source", "read_files", "source_of", "student_files"]

HIDDEN = "hidden.py"
#: What students get as it is, where the assignment has it.
_AS_IT_IS = ("assignment.toml", "text.md", "text.zh.md", "written.md", PUBLIC)
#: Where the assignments of this project are written: beside the package, in a clone of the repository.
SOURCES = Path(__file__).parents[2] / "tutorials" / "homework"


def find_source(name: str) -> Path:
    """Return the folder of an assignment with its reference: a path, or a name of this project's.

    Raises:
        InputError: there is none; an installed package has no references.
    """
    for folder in (Path(name), SOURCES / name):
        if (folder / HIDDEN).is_file():
            return folder
    raise InputError(
        f"no reference of {shown(name)} here: give the folder with its assignment.toml and hidden.py, or run this in a "
        "clone of the repository; an installed package has what students get only"
    )


def read_files(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the texts of some files of a folder.

    Raises:
        InputError: one of them cannot be read.
    """
    texts = {}
    for name in names:
        try:
            texts[name] = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read {shown(folder / name)}: {error}") from error
    return texts


def source_of(folder: Path) -> tuple[Assignment, dict[str, str]]:
    """Return an assignment and the texts of its reference.

    Raises:
        InputError: something of it cannot be read, its marks are wrong, or a task of code has no region.
    """
    assignment = load(folder)
    reference = read_files(folder, assignment.files)
    names = region_names(reference.values())
    for task in assignment.tasks:
        if task.kind == "code" and not any(name.rstrip("abcdefghijklmnopqrstuvwxyz") == task.id for name in names):
            raise InputError(f"{shown(folder)}: task {task.id} has no ### BEGIN SOLUTION {task.id}")
    return assignment, reference


def student_files(folder: Path) -> dict[str, bytes]:
    """Return what students get, by name: stubs, texts, and the public checks.

    Raises:
        InputError: something of the assignment is missing or wrong.
    """
    assignment, reference = source_of(folder)
    files = {name: make_stub(text, assignment).encode() for name, text in reference.items()}
    files |= {
        name: (folder / name).read_bytes() for name in (*_AS_IT_IS, *assignment.given) if (folder / name).is_file()
    }
    return dict(sorted(files.items()))


def build(folder: Path, out: Path) -> list[Path]:
    """Write `student/` and `solution/` of an assignment; return what was written.

    Raises:
        InputError: something of the assignment is wrong, or a file cannot be written.
    """
    _, reference = source_of(folder)
    solution = {name: text.encode() for name, text in reference.items()}
    solution[HIDDEN] = text_of(folder / HIDDEN).encode()
    if (folder / "rubric.md").is_file():
        solution["rubric.md"] = (folder / "rubric.md").read_bytes()
    written = []
    for room, files in (("student", student_files(folder)), ("solution", solution)):
        (out / room).mkdir(parents=True, exist_ok=True)
        for name, content in sorted(files.items()):
            write_whole(out / room / name, content)
            written.append(out / room / name)
    return written
