"""Grade a class: every submission in a process of its own, whatever is in it; what is done is not done again."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import html
import importlib
import io
import json
import multiprocessing
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tinygrad_rnn import __version__
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.archives import open_submission
from tinygrad_rnn.homework.assignment import Assignment
from tinygrad_rnn.homework.checks import PUBLIC, checks_of, checks_of_task, text_of
from tinygrad_rnn.homework.judging import judge, one_cause
from tinygrad_rnn.homework.marks import lenient_regions
from tinygrad_rnn.homework.remote import die_with_parent, printable
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tasks.corpus import shown

__all__ = [
    "changes", "executor_of", "feedback", "grade", "grade_one", "place_of", "processes", "read_table", "seeds_of",
    "submissions_of", "write_table",
]  # fmt: skip

#: The addresses that a process which grades may have, in bytes.
_MEMORY = 1 << 33
#: How the names of submissions end; those of archives that are not opened are told so.
_SUBMISSIONS = (".zip", ".py", ".ipynb", ".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zst")
#: What of an assignment decides nothing when it is graded, or is looked at task by task.
_OTHER = (building.HIDDEN, PUBLIC, "mutants.toml", "alternatives")


def submissions_of(folder: Path) -> list[Path]:
    """Return what was handed in: folders, archives, notebooks and files of Python, by name.

    Raises:
        InputError: there is nothing.
    """
    if not folder.is_dir():
        raise InputError(f"{shown(folder)} is no folder; put the submissions, hw1-NAME.zip, in one")
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUBMISSIONS or path.is_dir()]
    found = [path for path in found if not path.name.startswith(".")]
    if not found:
        raise InputError(f"no submission in {shown(folder)}; there have to be zips, folders, notebooks or Python files")
    return found


def grade_one(
    source: Path,
    submission: Path,
    seed: int,
    patience: float = 20.0,
    known: Mapping[str, list[dict[str, Any]]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the points of a submission and what its checks found; it is never an error.

    Args:
        source: the folder of the assignment, with its reference.
        submission: what was handed in.
        seed: what the checks draw from.
        patience: the seconds that a check may take.
        known: what was found before, by tasks that are not judged again.
    """
    assignment, reference = building.source_of(source)
    told: dict[str, Any] = {"submission": submission.name, "note": "", "results": []}
    try:
        files = open_submission(submission, assignment.files)
        if not files:
            told["note"] = f"there is no {', '.join(assignment.files)} in it"
        elif not any(lenient_regions(text) for text in files.values()):
            told["note"] = f"no mark of a task is left in {', '.join(files)}: nothing could be judged"
    except InputError as error:
        files, told["note"] = {}, str(error)
    if files:
        checks = checks_of(source / building.HIDDEN)
        for task in assignment.tasks:
            if task.id in known:
                told["results"] += known[task.id]
            elif task.kind == "code":
                fresh = judge(assignment, reference, files, checks, seed=seed, patience=patience, only=task.id)
                told["results"] += [asdict(each) for each in fresh]
    earned = {task.id: 0.0 for task in assignment.tasks if task.kind == "code"}
    for each in told["results"]:
        earned[each["task"]] += each["earned"]
    told["points"] = {name: round(points, 6) for name, points in earned.items()}
    told["note"] = told["note"] or _noted(told["results"])
    return told


def _noted(results: list[dict[str, Any]]) -> str:
    """Return what a person should look at: what cost everything, a process that ended, a check that was too slow."""
    if cause := one_cause((each["task"], each["status"], each["message"]) for each in results):
        return f"nothing could be judged: {cause}"
    odd = {"stopped": "ended its own process", "late": "did not come to an end"}
    counts = {words: sum(each["status"] == status for each in results) for status, words in odd.items()}
    return "; ".join(f"{words} in {plural(count, 'check')}" for words, count in counts.items() if count)


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
        kept: a folder; what was found of each is kept there, as JSON, and taken from there the next time, task by
            task, as long as the submission, the reference, the checks of the task and the seed are the same.
        seed: what the checks draw from.
        patience: the seconds that a check may take.
        pool: makes what runs them; each call has to be in a process that does nothing else meanwhile.
    """
    kept.mkdir(parents=True, exist_ok=True)
    waiting: dict[Path, _Wanted] = {}
    for path in submissions:
        try:
            wanted = _Wanted(_keys(source, path, seed, patience))
        except (OSError, RecursionError) as error:  # a file that may not be read, folders in folders in folders
            yield path, _not_graded(path, f"not graded, it cannot be read ({error})"[:300])
            continue
        try:
            told = _kept(kept, path)
            same = {task for task, key in told["keys"].items() if wanted.keys.get(task) == key}
            if same == wanted.keys.keys():
                yield path, told
                continue
            for task in same if told["results"] else ():
                wanted.known[task] = [each for each in told["results"] if each["task"] == task]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # not graded yet, or the power went while it was
        waiting[path] = wanted
    broken = yield from _round(source, waiting, kept, seed, patience, pool)
    for path in broken:  # each alone: one that brings its process down takes nobody with it
        alone = {path: waiting[path]}
        if (yield from _round(source, alone, kept, seed, patience, pool)):
            note = "the process that graded it was ended, twice, as by a lack of memory; grade it by hand"
            yield path, _not_graded(path, note)


@dataclass(frozen=True)
class _Wanted:
    """What is to be found of a submission: for each task the key of what decides, and what is known already."""

    keys: dict[str, str]
    known: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def place_of(kept: Path, submission: Path, suffix: str) -> Path:
    """Return where something about a submission is kept.

    Args:
        kept: the folder.
        submission: what was handed in; of a long name its beginning is used, and a digest of all of it.
        suffix: what the name ends in.
    """
    name = submission.name
    if len(content := os.fsencode(name)) > 200:
        name = f"{name[:40]}-{hashlib.sha256(content).hexdigest()[:16]}"
    return kept / f"{name}{suffix}"


def seeds_of(kept: Path, submissions: list[Path]) -> set[int]:
    """Return the seeds with which some of these submissions were graded before, those that are kept."""
    found = set()
    for path in submissions:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found.add(int(_kept(kept, path)["seed"]))
    return found


def _kept(kept: Path, submission: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(place_of(kept, submission, ".json").read_text(encoding="utf-8"))
    return told


def _not_graded(path: Path, note: str) -> dict[str, Any]:
    return {"submission": path.name, "note": note, "results": [], "points": {}}


def _round(
    source: Path, waiting: dict[Path, _Wanted], kept: Path, seed: int, patience: float, pool: Callable[[], Executor]
) -> Generator[tuple[Path, dict[str, Any]], None, list[Path]]:
    """Grade some submissions, keep and yield what was found; return those whose process ended before it was."""
    executor = pool()
    broken: list[Path] = []
    try:
        running: dict[Future[dict[str, Any]], Path] = {}
        for path, wanted in waiting.items():
            try:
                running[executor.submit(grade_one, source, path, seed, patience, wanted.known)] = path
            except BrokenExecutor:
                broken.append(path)
        for done in as_completed(running):
            path = running[done]
            try:
                told = done.result() | {"keys": waiting[path].keys, "seed": seed}
            except BrokenExecutor:
                broken.append(path)
                continue
            except InputError:  # about the assignment
                raise
            except Exception as error:  # a fault of ours: this one's points are missing, nobody else's
                note = f"not graded, a check failed on it in a way of its own ({type(error).__name__}: {error})"[:300]
                yield path, _not_graded(path, note)
                continue
            write_whole(place_of(kept, path, ".json"), (json.dumps(told, indent=1, sort_keys=True) + "\n").encode())
            yield path, told
    finally:
        executor.shutdown(cancel_futures=True)
    return broken


def executor_of(name: str, jobs: int) -> Executor:
    """Return what runs submissions, such as `mpi4py.futures:MPIPoolExecutor`.

    Args:
        name: a module and what is in it, with a colon between: called with a number of jobs it returns an executor, or
            an object with a method `get_executor`, as a client of Dask's has.
        jobs: how many submissions at once.

    Raises:
        InputError: there is no such thing, or it is none.
    """
    module, _, attribute = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute)(jobs)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise InputError(f"cannot make an executor of {name!r}: {error}; write MODULE:NAME") from error
    made = made.get_executor() if hasattr(made, "get_executor") else made
    if not isinstance(made, Executor):
        raise InputError(f"{name} gives {type(made).__name__}, which is no executor of concurrent.futures")
    return made


def processes(jobs: int) -> Executor:
    """Return what runs so many submissions at once, each in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        jobs, mp_context=spawn, max_tasks_per_child=1, initializer=_begin, initargs=(os.getpid(),)
    )


def _begin(parent: int) -> None:
    """End with the process that grades the class, and take no more memory than one submission is worth."""
    die_with_parent(parent)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415  (not on every system)

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def write_table(
    path: Path, assignment: Assignment, graded: list[dict[str, Any]], late: Mapping[str, float] | None = None
) -> None:
    """Write the points of a class as CSV: a row per submission, a column per task, those of a person's left empty.

    Args:
        path: the file.
        assignment: what was asked for.
        graded: what was found.
        late: the percents that submissions lose; with them there are columns for these and for what is left.

    Raises:
        InputError: the file cannot be written there.
    """
    tasks = [task.id for task in assignment.tasks]
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(["submission", *tasks, "total", "of", *([] if late is None else ["late %", "after"]), "note"])
    most = sum(task.points for task in assignment.tasks if task.kind == "code")
    for told in sorted(graded, key=lambda told: told["submission"]):
        points = [f"{told['points'][name]:g}" if name in told["points"] else "" for name in tasks]
        # A cell that begins so is a formula to a spreadsheet.
        name = printable(told["submission"], keep="")
        name = "'" + name if name[:1] in "=+-@" else name
        total = sum(told["points"].values())
        row = [name, *points, f"{total:g}", f"{most:g}"]
        if late is not None:
            percent = late.get(told["submission"], 0.0)
            row += [f"{percent:g}", f"{round(total * (1 - percent / 100), 6):g}"]
        table.writerow([*row, printable(told["note"], keep="")])
    write_whole(path, lines.getvalue().encode())


def read_table(path: Path) -> str:
    """Return a table as `write_table` writes it, also if a spreadsheet saved it since.

    Raises:
        InputError: it cannot be read, or is no such table.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {shown(path)}: {error}") from error
    if "submission" not in next(csv.reader(io.StringIO(text)), []):
        raise InputError(f"{shown(path)} has no column named submission; grade without --regrade first")
    return text


def feedback(assignment: Assignment, told: dict[str, Any], percent: float = 0.0) -> str:
    """Return a page for a student, in Markdown: points per task, and what was wrong.

    Args:
        assignment: what was asked for.
        told: what was found of her submission.
        percent: what she loses for being late.
    """
    # What is not ours stands in blocks of code: markup in it is none there.
    lines = [f"# {assignment.title['en']}: {html.escape(printable(told['submission'], keep=''), quote=False)}", ""]
    lines += [f"    {printable(told['note'], keep='')}", ""] if told["note"] else []
    lines += [f"Handed in late: {percent:g}% less in total.", ""] if percent else []
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


def changes(before: str, after: str) -> list[str]:
    """Return who has other points in a table than before, a sentence each.

    Args:
        before: the table as it was, as `write_table` writes it.
        after: the table as it is.
    """
    old, new = ({row["submission"]: row for row in csv.DictReader(io.StringIO(text))} for text in (before, after))
    told = []
    for name, row in new.items():
        was = old.get(name, {})
        known = was or row
        columns = [each for each in row if each not in ("submission", "of", "note") and each in known]
        columns = [each for each in columns if row[each] != was.get(each)]
        if columns:
            told.append(
                f"{name}: " + ", ".join(f"{each} {was.get(each) or '-'} -> {row[each] or '-'}" for each in columns)
            )
    return told + [f"{name}: no longer there" for name in old if name not in new]


def _keys(source: Path, submission: Path, seed: int, patience: float) -> dict[str, str]:
    """Return for each task what changes when its result may: the bytes of what decides, how it is graded, and by what.

    Raises:
        InputError: something of the assignment is wrong.
    """
    assignment, _ = building.source_of(source)
    hidden = text_of(source / building.HIDDEN)
    digest = hashlib.sha256(f"{seed} {patience:g} {__version__}".encode())
    parts = [path for path in sorted(source.glob("*")) if path.suffix != ".md" and path.name not in _OTHER]
    for path in (*parts, submission):
        for file in sorted(path.rglob("*")) if path.is_dir() and not path.is_symlink() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(b"\0" + os.fsencode(file.name) + b"\0")
                with file.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
    keys = {}
    for task in assignment.tasks:
        if task.kind == "code":
            own = digest.copy()
            own.update(checks_of_task(hidden, task.id).encode())
            keys[task.id] = own.hexdigest()
    return keys
