"""Grade a class: every submission in a process of its own, whatever is in it; what is done is not done again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import multiprocessing
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tinygrad_rnn import __version__
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.archives import open_submission
from tinygrad_rnn.homework.assignment import Assignment
from tinygrad_rnn.homework.checks import checks_of
from tinygrad_rnn.homework.judging import judge
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tasks.corpus import shown

__all__ = ["feedback", "grade", "grade_one", "processes", "submissions_of", "write_table"]


def submissions_of(folder: Path) -> list[Path]:
    """Return what was handed in: zips, folders, notebooks and files of Python, by name.

    Raises:
        InputError: there is nothing.
    """
    if not folder.is_dir():
        raise InputError(f"{shown(folder)} is no folder; put the submissions, hw1-NAME.zip, in one")
    found = [path for path in sorted(folder.iterdir()) if path.suffix in (".zip", ".py", ".ipynb") or path.is_dir()]
    found = [path for path in found if not path.name.startswith(".")]
    if not found:
        raise InputError(f"no submission in {shown(folder)}; there have to be zips, folders, notebooks or Python files")
    return found


def grade_one(source: Path, submission: Path, seed: int, patience: float = 20.0) -> dict[str, Any]:
    """Return the points of a submission and what its checks found; it is never an error.

    Args:
        source: the folder of the assignment, with its reference.
        submission: what was handed in.
        seed: what the checks draw from.
        patience: the seconds that a check may take.
    """
    assignment, reference = building.source_of(source)
    told: dict[str, Any] = {"submission": submission.name, "note": "", "results": []}
    try:
        files = open_submission(submission, assignment.files)
        if not files:
            told["note"] = f"there is no {', '.join(assignment.files)} in it"
    except InputError as error:
        files, told["note"] = {}, str(error)
    if files:
        checks = checks_of(source / building.HIDDEN)
        results = judge(assignment, reference, files, checks, seed=seed, patience=patience)
        told["results"] = [asdict(each) for each in results]
    earned = {task.id: 0.0 for task in assignment.tasks if task.kind == "code"}
    for each in told["results"]:
        earned[each["task"]] += each["earned"]
    told["points"] = {name: round(points, 6) for name, points in earned.items()}
    return told


def grade(
    source: Path,
    submissions: list[Path],
    kept: Path,
    *,
    seed: int = 0,
    patience: float = 20.0,
    pool: Callable[[], Executor],
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield submissions with what was found, as they are done; those that were done before, first.

    Args:
        source: the folder of the assignment, with its reference.
        submissions: what was handed in.
        kept: a folder; what was found of each is kept there, as JSON, and taken from there the next time, as long as
            the submission, the assignment and the seed are the same.
        seed: what the checks draw from.
        patience: the seconds that a check may take.
        pool: makes what runs them; each call has to be in a process that does nothing else meanwhile.
    """
    kept.mkdir(parents=True, exist_ok=True)
    waiting: dict[Path, str] = {}
    for path in submissions:
        place = kept / f"{path.name}.json"
        key = _key(source, path, seed, patience)
        try:
            told = json.loads(place.read_text(encoding="utf-8"))
            if told["key"] == key:
                yield path, told
                continue
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not graded yet, or the power went while it was
        waiting[path] = key
    broken = yield from _round(source, waiting, kept, seed, patience, pool)
    for path in broken:  # each alone: one that brings its process down takes nobody with it
        alone = {path: waiting[path]}
        if (yield from _round(source, alone, kept, seed, patience, pool)):
            note = "the process that graded it was ended, twice, as by a lack of memory; grade it by hand"
            yield path, _not_graded(path, note)


def _not_graded(path: Path, note: str) -> dict[str, Any]:
    return {"submission": path.name, "note": note, "results": [], "points": {}}


def _round(
    source: Path, waiting: dict[Path, str], kept: Path, seed: int, patience: float, pool: Callable[[], Executor]
) -> Generator[tuple[Path, dict[str, Any]], None, list[Path]]:
    """Grade some submissions, keep and yield what was found; return those whose process ended before it was."""
    executor = pool()
    broken: list[Path] = []
    try:
        running: dict[Future[dict[str, Any]], Path] = {}
        for path in waiting:
            try:
                running[executor.submit(grade_one, source, path, seed, patience)] = path
            except BrokenExecutor:
                broken.append(path)
        for done in as_completed(running):
            path = running[done]
            try:
                told = done.result() | {"key": waiting[path]}
            except BrokenExecutor:
                broken.append(path)
                continue
            except InputError:  # about the assignment
                raise
            except Exception as error:  # a fault of a check, or of ours: this one's points are missing, nobody else's
                note = f"not graded, a check failed on it in a way of its own ({type(error).__name__}: {error})"[:300]
                yield path, _not_graded(path, note)
                continue
            write_whole(kept / f"{path.name}.json", (json.dumps(told, indent=1, sort_keys=True) + "\n").encode())
            yield path, told
    finally:
        executor.shutdown(cancel_futures=True)
    return broken


def processes(jobs: int) -> Executor:
    """Return what runs so many submissions at once, each in a process of its own."""
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1)


def write_table(path: Path, assignment: Assignment, graded: list[dict[str, Any]]) -> None:
    """Write the points of a class as CSV: a row per submission, a column per task, those of a person's left empty.

    Raises:
        InputError: the file cannot be written there.
    """
    tasks = [task.id for task in assignment.tasks]
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(["submission", *tasks, "total", "of", "note"])
    most = sum(task.points for task in assignment.tasks if task.kind == "code")
    for told in sorted(graded, key=lambda told: told["submission"]):
        points = [f"{told['points'][name]:g}" if name in told["points"] else "" for name in tasks]
        # A cell that begins so is a formula to a spreadsheet.
        name = "'" + told["submission"] if told["submission"][:1] in "=+-@" else told["submission"]
        table.writerow([name, *points, f"{sum(told['points'].values()):g}", f"{most:g}", told["note"]])
    write_whole(path, lines.getvalue().encode())


def feedback(assignment: Assignment, told: dict[str, Any]) -> str:
    """Return a page for a student, in Markdown: points per task, and what was wrong.

    Args:
        assignment: what was asked for.
        told: what was found of her submission.
    """
    lines = [f"# {assignment.title['en']}: {told['submission']}", ""]
    lines += [told["note"], ""] if told["note"] else []
    for task in assignment.tasks:
        earned = told["points"].get(task.id)
        points = "read by a person" if earned is None else f"{earned:g} of {task.points:g}"
        lines += [f"## {task.id} {task.title['en']}: {points}", ""]
        for each in told["results"]:
            if each["task"] == task.id:
                text = each["message"].replace("\n", "\n      ") or "right"
                lines.append(f"    {each['check']} ({each['earned']:g} of {each['points']:g}): {text}")
        lines += [""] if told["results"] else []
    return "\n".join(lines)


def _key(source: Path, submission: Path, seed: int, patience: float) -> str:
    """Return what changes when the result may: the bytes of both, how it is graded, and by what."""
    digest = hashlib.sha256(f"{seed} {patience:g} {__version__}".encode())
    for path in (*sorted(source.glob("*")), submission):
        for file in sorted(path.rglob("*")) if path.is_dir() and not path.is_symlink() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"\0{file.name}\0".encode())
                with file.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
