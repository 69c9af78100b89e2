"""`tinygrad-rnn homework`: a student's check, hints and file to hand in; an instructor's build, verify and grade."""

from __future__ import annotations

import argparse
import getpass
import re
from collections.abc import Callable
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from tinygrad_rnn.cli.problem import say
from tinygrad_rnn.cli.summary import Output
from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.homework import building, desk, exporting, gradescope, grading, late, leaking, sandbox, similar
from tinygrad_rnn.homework.assignment import Task
from tinygrad_rnn.homework.judging import Result, one_cause
from tinygrad_rnn.homework.remote import Child, printable
from tinygrad_rnn.homework.verifying import verify
from tinygrad_rnn.serialization import write_whole
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.tutorial import language_of_this_user

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; return 1 if a check failed."""
    return ACTIONS[options.action](options)


def _list(options: argparse.Namespace) -> int:
    language = options.lang or language_of_this_user()
    table = Table(box=SIMPLE_HEAD)
    for name in ("homework", "title", "hours", "tasks"):
        table.add_column(name)
    for each in desk.available():
        table.add_row(each.name, escape(_words(each.title, language)), f"{each.hours:g}", f"{len(each.tasks)}")
    Output.wide().print(table)
    print("begin with: tinygrad-rnn homework start hw1")
    return 0


def _start(options: argparse.Namespace) -> int:
    folder = Path(options.folder or Path(options.name).name)
    for path in desk.start(options.name, folder, options.notebook):
        print(f"written: {shown(path)}")
    own = "text.zh.md" if language_of_this_user() == "zh" and (folder / "text.zh.md").is_file() else "text.md"
    print(f"read {shown(folder / own)}, write in {shown(folder)}, then: tinygrad-rnn homework check")
    return 0


def _check(options: argparse.Namespace) -> int:
    here = _desk(options)
    printed: list[str] = []
    results = here.check(options.task, printed)
    if cause := one_cause((each.task, each.status, each.message) for each in results):
        print(f"x  nothing could be tried: {cause}")
        return 1
    for task in here.assignment.tasks:
        own = [each for each in results if each.task == task.id]
        if own:
            _report(task, own, here.state_of(task.id) == "begun")
    try:
        for picture in here.draw(results):
            print(f"written: {shown(picture)}, the graph with what is wrong in red")
    except MissingToolError as error:
        print(f"note: {error}")
    if any(_needed(each) not in ("", each.task) for each in results):
        print("note: a task that needs another has a right one at grading")
    if options.task is None and all(each.earned for each in results):
        print("all public checks pass; grading has others, with numbers and shapes of its own")
    for text in printed:
        if text.strip():
            print("\nyour code printed, at the end:\n" + "".join(f"    {line}\n" for line in text.splitlines()[-20:]))
    if any(_lines([each]) for each in results):
        for name in here.made():
            print(f"note: lines are those of {name}, which every check makes of the notebook")
    for note in here.notes():
        print(f"note: {note}")
    return 0 if all(each.earned for each in results) else 1


def _report(task: Task, results: list[Result], begun: bool) -> None:
    earned = sum(each.earned for each in results)
    title = f"{task.id}  {task.title['en']}"
    if all(_needed(each) for each in results):
        others = sorted({_needed(each) for each in results} - {task.id})
        needs = f"; needs {' and '.join(others)}, which is not written yet either" if others else ""
        told = f"not written yet{needs}; tinygrad-rnn homework hint {task.id}"
        if begun:
            what = f"it needs {' and '.join(others)}, which is" if others else "a part of it is"
            told = f"cannot be tried yet: {what} not written yet{_lines(results)}"
        print(f"-  {title}: {told}")
        return
    print(f"{'ok' if all(each.earned for each in results) else 'x '} {title}: {earned:g} of {task.points:g}")
    for each in results:
        if not each.earned:
            message = each.message
            if other := _needed(each):
                message = "not written yet" if other == task.id else f"needs {other}, which is not written yet"
                message += _lines([each])
            print(f"     {each.check}: {message}".replace("\n", "\n     "))


def _lines(results: list[Result]) -> str:
    """Return in which lines what is not written was reached, in brackets."""
    found = {int(line[1]) for each in results if (line := re.search(r"\(line (\d+)\)$", each.message))}
    return f" (line {', '.join(map(str, sorted(found)))})" if found else ""


def _needed(result: Result) -> str:
    """Return the task whose place in the stub was reached, as its error names it; "" if none was."""
    found = re.match(r"Task (\S+?):", result.message) if result.status == "missing" else None
    return found[1] if found else ""


def _hint(options: argparse.Namespace) -> int:
    rung, rungs, words = _desk(options).hint(options.task, options.lang or language_of_this_user())
    more = f"; again for the next of {rungs}" if rung < rungs else ""
    print(f"{options.task}, hint {rung}{more}: {words}")
    return 0


def _status(options: argparse.Namespace) -> int:
    here, language = _desk(options), options.lang or language_of_this_user()
    table = Table(title=escape(_words(here.assignment.title, language)), box=SIMPLE_HEAD, title_justify="left")
    for name in ("task", "", "minutes", "points", "last check", "hints", "state"):
        table.add_column(name)
    for task in here.assignment.tasks:
        last = here.points.get(task.id)
        told = "-" if last is None else f"{last:g}"
        state = "done" if last == task.points else here.state_of(task.id)
        hints = f"{here.hints.get(task.id, 0)} of {len(task.hints['en'])}"
        row = (task.id, escape(_words(task.title, language)), f"{task.minutes}", f"{task.points:g}", told, hints, state)
        table.add_row(*row)
    Output.wide().print(table)
    for note in here.notes():
        print(f"note: {note}")
    return 0


def _submit(options: argparse.Namespace) -> int:
    here = _desk(options)
    for note in here.notes():
        say(f"note: {note}")
    try:
        name = options.name or getpass.getuser()
    except (KeyError, OSError) as error:
        raise InputError("who are you? write --name, as in: tinygrad-rnn homework submit --name ada") from error
    path = desk.pack(here, name)
    if unwritten := [task.id for task in here.assignment.tasks if here.state_of(task.id) == "not started"]:
        say(f"note: not written: {', '.join(unwritten)}")
    for task in here.assignment.tasks:
        if task.id not in unwritten and (lines := here.unwritten(task.id)):
            say(f"note: written in part: {task.id}, but for line {', '.join(map(str, lines))}")
    if here.answers_unchanged():
        say("note: written.md is as it was: nothing is answered in it")
    print(f"written: {shown(path)}")
    return 0


def _build(options: argparse.Namespace) -> int:
    source, out = building.find_source(options.name), Path(options.out)
    for path in building.build(source, out):
        print(f"written: {shown(path)}")
    write_whole(out / "autograder.zip", gradescope.autograder(source, options.seed, options.visibility))
    print(f"written: {shown(out / 'autograder.zip')}")
    return _told(leaking.leaks_of_folder(out / "student", source))


def _export(options: argparse.Namespace) -> int:
    for name, content in exporting.export(building.find_source(options.name), options.format, options.seed).items():
        path = Path(options.out) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
        print(f"written: {shown(path)}")
    return 0


def _told(leaks: list[str]) -> int:
    for line in leaks:
        print(f"x  not for students: {line}")
    return 1 if leaks else 0


def _verify(options: argparse.Namespace) -> int:
    if options.handed_out:
        folder = Path(options.handed_out)
        leaks = leaking.leaks_of_folder(folder, building.find_source(options.name))
        print(f"{len(leaks)} leaks in {shown(folder)}")
        return _told(leaks)
    wrong = 0
    for what, problem in verify(building.find_source(options.name), options.seed, options.patience):
        wrong += bool(problem)
        print(f"{'x ' if problem else 'ok'} {what}{': ' + problem if problem else ''}", flush=True)
    return 1 if wrong else 0


def _grade(options: argparse.Namespace) -> int:
    source = building.find_source(options.homework)
    assignment, _ = building.source_of(source)
    with Child({"nothing.py": ""}, assignment.imports) as child:
        complete = child.files_cut and bool(sandbox.prefix())
        told = sandbox.told(child.files_cut)
    if options.require_sandbox and not complete:
        raise InputError(f"{told}; install bubblewrap on Linux, or leave out --require-sandbox")
    say(told)
    submissions = grading.submissions_of(Path(options.submissions))
    out = Path(options.out)
    if options.regrade and not out.is_file():
        raise InputError(f"there is no {shown(out)} to compare with; grade without --regrade first")
    before = grading.read_table(out) if options.regrade else ""
    percents: dict[str, float] | None = None
    if options.late:
        percents, notes = late.deductions(Path(options.late), [path.name for path in submissions])
        for note in notes:
            say(f"note: {note}")
    graded = []
    kept = out.with_name(out.name + ".kept")
    if options.regrade and (others := grading.seeds_of(kept, submissions) - {options.seed}):
        earlier = " and ".join(map(str, sorted(others)))
        say(f"note: graded with seed {earlier} before, now with {options.seed}: all tasks are judged again")
    done = grading.grade(
        source,
        submissions,
        kept,
        seed=options.seed,
        patience=options.patience,
        pool=lambda: (
            grading.executor_of(options.executor, options.jobs) if options.executor else grading.processes(options.jobs)
        ),
    )
    for path, found in done:
        graded.append(found)
        page = grading.feedback(assignment, found, (percents or {}).get(path.name, 0.0))
        write_whole(grading.place_of(kept, path, ".md"), page.encode("utf-8", errors="replace"))
        note = f"; {found['note']}" if found["note"] else ""
        line = f"{len(graded)} of {len(submissions)}: {path}: {sum(found['points'].values()):g}{note}"
        say(printable(line, keep=""))
    grading.write_table(out, assignment, graded, percents)
    if options.regrade:
        changed = grading.changes(before, out.read_text(encoding="utf-8"))
        print(f"changed: {len(changed)} of {len(submissions)}")
        for line in changed:
            print(f"    {line}")
    print(f"written: {shown(out)}, and a page for each student in {shown(kept)}")
    return 0


def _similar(options: argparse.Namespace) -> int:
    submissions = grading.submissions_of(Path(options.submissions))
    found = similar.pairs(building.find_source(options.homework), submissions, options.above)
    table = Table(box=SIMPLE_HEAD)
    for name in ("alike", "first", "second", "the same but for names"):
        table.add_column(name)
    for pair in found:
        table.add_row(f"{pair.alike:.0%}", escape(pair.first), escape(pair.second), " ".join(pair.same))
    if found:
        Output.wide().print(table)
    print(f"{len(found)} pairs of {len(submissions)} submissions are at least {options.above:.0%} alike: look at them")
    return 0


def _desk(options: argparse.Namespace) -> desk.Desk:
    return desk.find_desk(Path(options.dir) if options.dir else None)


def _words(texts: object, language: str) -> str:
    assert isinstance(texts, dict)
    return str(texts.get(language) or texts["en"])


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list, "start": _start, "check": _check, "hint": _hint, "status": _status, "submit": _submit,
    "build": _build, "export": _export, "verify": _verify, "grade": _grade, "similar": _similar,
}  # fmt: skip
