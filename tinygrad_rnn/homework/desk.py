"""A student's side: the folder in which she works, what she has done in it, hints, and the file to hand in."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework.assignment import Assignment, load
from tinygrad_rnn.homework.building import PUBLIC, read_files
from tinygrad_rnn.homework.checks import checks_of
from tinygrad_rnn.homework.judging import Result, judge_alone, student_regions
from tinygrad_rnn.homework.marks import regions_of, splice, task_of
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tasks.corpus import shown

__all__ = ["Desk", "available", "find_desk", "pack", "start"]

#: What students get, as it was built from the references: they are not here.
ASSIGNMENTS = Path(__file__).parent / "assignments"
_PROGRESS = ".homework.json"
_WRITTEN = "written.md"


def available() -> list[Assignment]:
    """Return the assignments that can be started."""
    return [load(folder) for folder in sorted(ASSIGNMENTS.iterdir()) if (folder / "assignment.toml").is_file()]


def start(name: str, folder: Path) -> list[Path]:
    """Copy what an assignment gives to a folder; return what was written.

    Args:
        name: which assignment, or a folder that an instructor handed out.
        folder: where to put it; files that are there already are not replaced.

    Raises:
        InputError: there is no such assignment, or a file of it is in the folder already.
    """
    source = ASSIGNMENTS / name if re.fullmatch(r"\w+", name) else Path(name)
    if not (source / "assignment.toml").is_file():
        names = ", ".join(each.name for each in available())
        raise InputError(f"there is no homework {shown(name)!r}; there is {names}, or give the folder you were handed")
    files = sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith("."))
    if there := [path.name for path in files if (folder / path.name).exists()]:
        raise InputError(f"{shown(folder / there[0])} is there already, and stays as it is; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        write_whole(folder / path.name, path.read_bytes())
    return [folder / path.name for path in files]


@dataclass
class Desk:
    """The folder of a started assignment."""

    folder: Path
    assignment: Assignment
    #: How many rungs of each ladder were shown.
    hints: dict[str, int] = field(default_factory=dict)
    #: The points of each task when it was last checked.
    points: dict[str, float] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """Return the texts that she works on.

        Raises:
            InputError: one of them cannot be read.
        """
        return read_files(self.folder, self.assignment.files)

    def check(self, task: str | None = None, printed: list[str] | None = None) -> list[Result]:
        """Run the public checks of a task, or of all, and remember the points.

        Args:
            task: its number.
            printed: what the code prints meanwhile is appended to this.

        Raises:
            InputError: there is no such task, it is a written one, or the files cannot be read.
        """
        if task is not None and self.assignment.task(task).kind == "written":
            raise InputError(f"task {task} is answered in {_WRITTEN}; a person reads it, no check does")
        chosen = [each for each in checks_of(self.folder / PUBLIC) if task in (None, each.task)]
        patience = float(self.assignment.patience)
        results = judge_alone(self.assignment, self.files(), chosen, patience=patience, printed=printed)
        for name in {each.task for each in chosen}:
            self.points[name] = sum(each.earned for each in results if each.task == name)
        self._save()
        return results

    def notes(self) -> list[str]:
        """Return what will be lost when it is handed in, a sentence each."""
        notes = []
        for name, text in self.files().items():
            given = self._given(name)
            if given is None:
                continue
            try:
                regions = student_regions(self.assignment, {name: given}, name, text)
            except InputError as error:
                notes.append(str(error))
                continue
            if splice(given, regions) != text and splice(text, regions_of(given)) != given:
                notes.append(f"{name}: lines outside the marks were changed; only what is between the marks counts")
        return notes

    def _given(self, name: str) -> str | None:
        path = ASSIGNMENTS / self.assignment.name / name
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def hint(self, task: str, language: str = "en") -> tuple[int, int, str]:
        """Return the next rung of a ladder: its number, how many there are, and the words.

        Raises:
            InputError: there is no such task.
        """
        hints = self.assignment.task(task).hints
        ladder = hints.get(language) or hints["en"]
        rung = min(self.hints.get(task, 0) + 1, len(ladder))
        self.hints[task] = rung
        self._save()
        return rung, len(ladder), ladder[rung - 1]

    def state_of(self, task: str) -> str:
        """Return how far a task is: "not started", "written", or "begun"."""
        kind = self.assignment.task(task).kind
        if kind == "written":
            return _WRITTEN
        own: dict[str, bool] = {}
        for name, text in self.files().items():
            given = self._given(name)
            if given is not None:
                try:
                    regions = student_regions(self.assignment, {name: given}, name, text)
                except InputError:
                    return "marks are wrong"
                before = regions_of(given)
                own |= {each: regions[each].text != before[each].text for each in before if task_of(each) == task}
        return "not started" if own and not any(own.values()) else "begun"

    def _save(self) -> None:
        told = {"hints": self.hints, "points": self.points}
        write_whole(self.folder / _PROGRESS, (json.dumps(told, indent=1, sort_keys=True) + "\n").encode())


def find_desk(folder: Path | None = None) -> Desk:
    """Return the desk of a folder; without one that of this folder, or of the only one below it.

    Raises:
        InputError: no homework was started there, or several were.
    """
    here = folder or Path()
    places = [here] if (here / "assignment.toml").is_file() else []
    if not places and folder is None:
        places = [path.parent for path in sorted(here.glob("*/assignment.toml"))]
    if len(places) > 1:
        raise InputError(f"several homeworks are here ({', '.join(map(str, places))}); go into one, or give --dir")
    if not places:
        raise InputError(f"no homework was started in {shown(here.resolve())}; write: tinygrad-rnn homework start hw1")
    desk = Desk(places[0], load(places[0]))
    try:
        told = json.loads((desk.folder / _PROGRESS).read_text(encoding="utf-8"))
        desk.hints = {name: int(count) for name, count in told["hints"].items()}
        desk.points = {name: float(points) for name, points in told["points"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        desk.hints, desk.points = {}, {}  # none yet, or spoiled: it holds nothing that is not found again
    return desk


def pack(desk: Desk, name: str) -> Path:
    """Write the file to hand in, with the same bytes for the same work; return where it is.

    Args:
        desk: what to hand in.
        name: whose it is, for the file's name.

    Raises:
        InputError: a file is missing, or the name has nothing to make a file's name of.
    """
    word = re.sub(r"[^\w-]+", "-", name).strip("-")
    if not word:
        raise InputError(f"{name!r} is no name for a file; write --name with letters, as in --name ada")
    files: Mapping[str, str] = desk.files()
    if (desk.folder / _WRITTEN).is_file():
        files = {**files, **read_files(desk.folder, [_WRITTEN])}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(each, (1980, 1, 1, 0, 0, 0)), text)
    path = desk.folder / f"{desk.assignment.name}-{word}.zip"
    write_whole(path, buffer.getvalue())
    return path
