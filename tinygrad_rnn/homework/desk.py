"""A student's side: the folder in which she works, what she has done in it, hints, and the file to hand in."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import notebooks
from tinygrad_rnn.homework.archives import decoded, open_submission
from tinygrad_rnn.homework.assignment import Assignment, load
from tinygrad_rnn.homework.building import read_files
from tinygrad_rnn.homework.checks import PUBLIC, checks_of
from tinygrad_rnn.homework.judging import Result, forbidden, judge_alone, one_cause, student_regions
from tinygrad_rnn.homework.marks import YOURS, Region, lenient_regions, regions_of, splice, task_of
from tinygrad_rnn.homework.packing import zipped
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.viz.render import render

__all__ = ["Desk", "available", "find_desk", "pack", "start"]

#: What students get, as it was built from the references: they are not here.
ASSIGNMENTS = Path(__file__).parent / "assignments"
_PROGRESS = ".homework.json"
_WRITTEN = "written.md"
_HOW = (
    "Read text.md. Write between the marks, save, and try it as in the last cell, which also makes the file of Python "
    "that show.py takes. Cells that you add are your own: they are not handed in."
)
_TRY = notebooks.cell("code", "!python -m tinygrad_rnn homework check")


def available() -> list[Assignment]:
    """Return the assignments that can be started."""
    return [load(folder) for folder in sorted(ASSIGNMENTS.iterdir()) if (folder / "assignment.toml").is_file()]


def start(name: str, folder: Path, notebook: bool = False) -> list[Path]:
    """Copy what an assignment gives to a folder; return what was written.

    Args:
        name: which assignment, or a folder that an instructor handed out.
        folder: where to put it; files that are there already are not replaced.
        notebook: give the files to write in as notebooks.

    Raises:
        InputError: there is no such assignment, or a file of it is in the folder already.
    """
    source = ASSIGNMENTS / name if re.fullmatch(r"\w+", name) else Path(name)
    if not (source / "assignment.toml").is_file():
        names = ", ".join(each.name for each in available())
        raise InputError(f"there is no homework {shown(name)!r}; there is {names}, or give the folder you were handed")
    paths = [path for path in source.iterdir() if path.is_file() and not path.name.startswith(".")]
    files = {path.name: path.read_bytes() for path in sorted(paths)}
    if notebook:
        assignment = load(source)
        for each in assignment.files:
            files[notebooks.of(each)] = _opened(assignment, each, files.pop(each).decode())
    if there := [name for name in files if (folder / name).exists()]:
        raise InputError(f"{shown(folder / there[0])} is there already, and stays as it is; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for each, content in files.items():
        write_whole(folder / each, content)
    return [folder / each for each in files]


def _opened(assignment: Assignment, name: str, text: str) -> bytes:
    words = f"# {assignment.name}: {assignment.title['en']}\n\n{_HOW}"
    return notebooks.notebook([notebooks.cell("markdown", words), *notebooks.cells_of(text, name), _TRY])


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
        """Return the texts that she works on, of a notebook what it makes.

        Raises:
            InputError: one of them cannot be read, or is there twice.
        """
        texts: dict[str, str] = {}
        for name in self.assignment.files:
            place = self.folder / notebooks.of(name)
            if not place.is_file():
                texts[name] = self._text(name)
                continue
            texts |= open_submission(place, [name])
            made = self.folder / name
            if made.is_file() and not self._text(name).startswith(notebooks.MADE):
                raise InputError(f"{shown(made)} and {place.name} are both here: which one counts? Move the other away")
        return texts

    def _text(self, name: str) -> str:
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {shown(self.folder / name)}: {error}") from error
        return decoded(name, content)

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
        files = self.files()
        for name in self.made():  # for scripts that import it, and for the lines of errors
            write_whole(self.folder / name, files[name].encode())
        patience, (counted, theirs) = float(self.assignment.patience), self._counted(files)
        results = judge_alone(self.assignment, counted, chosen, patience=patience, printed=printed, theirs=theirs)
        spoiled = one_cause((each.task, each.status, each.message) for each in results)
        for name in set() if spoiled else {each.task for each in chosen}:
            self.points[name] = sum(each.earned for each in results if each.task == name)
        self._save()
        return results

    def _counted(self, files: dict[str, str]) -> tuple[dict[str, str], dict[str, Region] | None]:
        """Return the files as they are graded, with what is between the marks alone, and where it is in these.

        As they are, where marks are wrong or nobody knows here what was handed out.
        """
        counted: dict[str, str] = {}
        theirs: dict[str, Region] = {}
        for name, text in files.items():
            given = self._given(name)
            try:
                if given is None:
                    return files, None
                regions = student_regions(self.assignment, {name: given}, name, text)
            except InputError:
                return files, None
            counted[name] = splice(given, regions)
            theirs |= regions
        return counted, theirs

    def draw(self, results: list[Result]) -> list[Path]:
        """Draw what checks found wrong in a graph, a picture for each task; return where they are.

        Args:
            results: what `check` returned; pictures of these tasks that are there already are removed.

        Raises:
            MissingToolError: nothing that draws is installed; the graph is in a .dot file, which the message names.
        """
        pictures = []
        for task in dict.fromkeys(each.task for each in results):
            path = self.folder / f"wrong-{task}.svg"
            for old in (path, path.with_suffix(".svg.dot"), path.with_suffix(".dot")):
                old.unlink(missing_ok=True)
            if found := [each.graph for each in results if each.task == task and each.graph]:
                pictures.append(render(found[0], path))
        return pictures

    def notes(self) -> list[str]:
        """Return what will be lost when it is handed in, and what it costs, a sentence each."""
        notes = []
        for name, text in self.files().items():
            notes += self._costs(name, text)
            given = self._given(name)
            if given is None:
                continue
            try:
                student_regions(self.assignment, {name: given}, name, text)
            except InputError as error:
                notes.append(str(error))
                continue
            if _bare(splice(text, regions_of(given))) != _bare(given):
                notes.append(f"{name}: lines outside the marks were changed; only what is between the marks counts")
        return notes

    def _costs(self, name: str, text: str) -> list[str]:
        """Return what between the marks of a file costs the points of a task, or of all of them."""
        regions, costs = lenient_regions(text).values(), []
        for words, line in forbidden(text, self.assignment.imports, self.assignment.without):
            for region in regions:
                if line is not None and region.begin < line - 1 < region.end:
                    whose = "any task" if region.name == YOURS else task_of(region.name)
                    costs.append(f"NO POINTS for {whose} with this in {name}, line {line}: {words}")
        return costs

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
        try:
            places = self._places(task)
        except InputError:
            return "marks are wrong"
        return "not started" if places and not any(places.values()) else "begun"

    def unwritten(self, task: str) -> list[int]:
        """Return the lines of the places of a task, counted from 1, that are as they were handed out."""
        with contextlib.suppress(InputError):  # of its marks, which `notes` are about
            return [line for line, written in self._places(task).items() if not written]
        return []

    def _places(self, task: str) -> dict[int, bool]:
        """Return for the places of a task, by their first line, counted from 1, whether something is written there.

        Raises:
            InputError: the marks of a file are wrong.
        """
        places: dict[int, bool] = {}
        for name, text in self.files().items():
            given = self._given(name)
            if given is not None:
                regions, before = student_regions(self.assignment, {name: given}, name, text), regions_of(given)
                own = [each for each in before if task_of(each) == task]
                places |= {regions[each].begin + 2: regions[each].text != before[each].text for each in own}
        return places

    def made(self) -> list[str]:
        """Return the files that are made of notebooks."""
        return [name for name in self.assignment.files if (self.folder / notebooks.of(name)).is_file()]

    def answers_unchanged(self) -> bool:
        """Return whether the file for written answers is the one that was handed out."""
        given, own = self._given(_WRITTEN), self.folder / _WRITTEN
        return given is not None and own.is_file() and own.read_bytes() == given.encode()

    def _save(self) -> None:
        told = {"hints": self.hints, "points": self.points}
        write_whole(self.folder / _PROGRESS, (json.dumps(told, indent=1, sort_keys=True) + "\n").encode())


def _bare(text: str) -> list[str]:
    """Return the lines that say something: a notebook has other empty ones, and a first line of its own."""
    return [line for line in text.splitlines() if line.strip() and not line.startswith(notebooks.MADE)]


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
    path = desk.folder / f"{desk.assignment.name}-{word}.zip"
    write_whole(path, zipped({each: text.encode() for each, text in files.items()}))
    return path
