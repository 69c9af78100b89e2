"""Which tutorials there are, what each is about, their translations, and copies of them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import tinygrad_rnn
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tutorial.script import Cell, check_places, parse

__all__ = ["Lesson", "all_lessons", "copy", "find", "folder", "names", "open_lesson"]

_NAME = re.compile(r"(\d\d)_\w+\.py")
#: Of the header of a translated cell this may differ.
TRANSLATED = {"options"}


@dataclass(frozen=True)
class Lesson:
    """A tutorial.

    Attributes:
        path: of the script; its code is what runs, whatever the language.
        cells: with their prose in the language.
        language: of the prose, "en" or "zh".
        missing: what is to be said where another language was asked for; None unless one was.
    """

    path: Path
    cells: tuple[Cell, ...]
    language: str = "en"
    missing: str | None = None

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        return self.path.stem

    @property
    def title(self) -> str:
        """The first line of its first cell."""
        return self.cells[0].source.partition("\n")[0].lstrip("# ")

    @property
    def is_ours(self) -> bool:
        """Whether it is one of those that come along."""
        return self.path.parent.resolve() == folder().resolve()

    @property
    def key(self) -> str:
        """The name under which what a reader does with it is kept: that of a script from elsewhere tells from where."""
        place = hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:8]
        return self.name if self.is_ours else f"{self.name}-{place}"

    @property
    def digest(self) -> str:
        """What changes when the code does."""
        return hashlib.sha256("\0".join(cell.source for cell in self.cells if cell.is_code).encode()).hexdigest()

    @property
    def minutes(self) -> float:
        """How long it takes to read and run."""
        return float(self.cells[0].attributes.get("minutes", 0))


def folder() -> Path:
    """Return where the tutorials are: in the package if it was installed, else beside it."""
    installed = Path(__file__).parent / "scripts"
    return installed if installed.is_dir() else Path(tinygrad_rnn.__file__).parents[1] / "tutorials"


def all_lessons(language: str = "en") -> list[Lesson]:
    """Return all tutorials in their order.

    Args:
        language: "en" or "zh".

    Raises:
        InputError: one of them cannot be read.
    """
    return [open_lesson(path, language) for path in _scripts()]


def names() -> list[str]:
    """Return the names of all tutorials in their order."""
    return [path.stem for path in _scripts()]


def find(word: str, language: str = "en") -> Lesson:
    """Return the tutorial that a word means.

    Args:
        word: its number ("5", "05"), the beginning of its name ("05_gone"), or the path of a script of your own.
        language: "en" or "zh".

    Raises:
        InputError: there is no such tutorial, or it cannot be read.
    """
    if word.endswith(".py") and Path(word).is_file():
        return open_lesson(Path(word), language)
    wanted = f"{int(word):02d}_" if word.isdecimal() else word
    found = [path for path in _scripts() if path.stem.startswith(wanted)]
    if len(found) == 1:
        return open_lesson(found[0], language)
    there = ", ".join(path.stem for path in found or _scripts()) or "none"
    how = "there is no tutorial" if not found else "more than one tutorial is called"
    raise InputError(f"{how} {word!r}; there are: {there}; or give the path of a script of your own that ends in .py")


def open_lesson(path: Path, language: str = "en") -> Lesson:
    """Return a tutorial, translated if there is a translation in a folder of the language beside it.

    Args:
        path: of the English script.
        language: "en" or "zh".

    Raises:
        InputError: it cannot be read as a tutorial. (A translation that does not fit is left out, which is said.)
    """
    cells = _read(path)
    check_places(cells, path.name)
    if language == "en":
        return Lesson(path, cells)
    translated = path.parent / language / path.name
    if not translated.is_file():
        return Lesson(path, cells, missing="untranslated")
    try:
        return Lesson(path, _merged(cells, _read(translated), translated), language)
    except InputError as error:
        return Lesson(path, cells, missing=str(error))


def copy(target: Path) -> list[Path]:
    """Copy all tutorials, with their translations, to a folder.

    Args:
        target: made unless it is there.

    Returns:
        The files written.

    Raises:
        InputError: a file is there already, or the folder cannot be written; then nothing was copied.
    """
    source = folder()
    names = [path.relative_to(source) for path in sorted([*_scripts(), *source.glob("??/[0-9][0-9]_*.py")])]
    for name in names:
        if (target / name).exists():
            raise InputError(f"{target / name} is there already, and may have been changed; choose another folder")
    for name in names:
        try:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
        except OSError as error:
            raise InputError(f"cannot write {target / name}: {error.strerror or error}") from None
    return [target / name for name in names]


def _scripts() -> list[Path]:
    return sorted(path for path in folder().glob("*.py") if _NAME.fullmatch(path.name))


def _read(path: Path) -> tuple[Cell, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    return parse(text, path.name)


def _merged(cells: tuple[Cell, ...], translated: tuple[Cell, ...], path: Path) -> tuple[Cell, ...]:
    """Return the code of some cells with the prose of others; InputError unless they are the same cells."""
    where = f"{path.parent.name}/{path.name}"
    if len(cells) != len(translated):
        raise InputError(f"{where} has {len(translated)} cells, the English script {len(cells)}")
    merged = []
    for cell, other in zip(cells, translated, strict=True):
        if cell.is_code:
            if other.source or not other.is_code:
                raise InputError(
                    f"{where}, line {other.line - 1}: cell {cell.number} is code, so it is a bare # %% here"
                )
            merged.append(cell)
            continue
        ours, theirs = ({k: v for k, v in each.attributes.items() if k not in TRANSLATED} for each in (cell, other))
        counts = [len(each.question.options) if each.question else 0 for each in (cell, other)]
        if other.is_code or ours != theirs or counts[0] != counts[1]:
            raise InputError(
                f"{where}, line {other.line - 1}: the header of cell {cell.number} is not that of the English"
            )
        merged.append(other)
    return tuple(merged)
