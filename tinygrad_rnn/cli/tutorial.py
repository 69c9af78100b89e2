"""`tinygrad-rnn tutorial`: which tutorials there are and how far the reader is; one of them, step by step."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from tinygrad_rnn import tutorial
from tinygrad_rnn.cli.problem import say
from tinygrad_rnn.cli.summary import Output
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.tutorial import notebooks, progress
from tinygrad_rnn.tutorial.words import command

SCHEMA = "tinygrad_rnn.tutorials/1"


def run(options: argparse.Namespace) -> int:
    """List the tutorials, copy them, make notebooks, or go through one; return 1 if one fails where nobody is asked."""
    _check(options)
    language = options.lang or tutorial.language_of_this_user()
    if options.copy is not None:
        for path in tutorial.copy(Path(options.copy)):
            print(f"written: {shown(path)}")
        return 0
    if options.notebooks is not None:
        return _write_notebooks(options, language)
    if options.name is None:
        _list(tutorial.all_lessons(language), language, options.json)
        return 0
    lesson = tutorial.find(options.name, language)
    console = _output()
    if sys.stdin.isatty() and sys.stdout.isatty():
        return tutorial.Stepper(lesson, console, restart=options.restart).run()
    return 0 if tutorial.read_through(lesson, console) else 1


def _check(options: argparse.Namespace) -> None:
    """Refuse options that would do nothing."""
    if options.restart and options.name is None:
        raise InputError(f"--restart begins a tutorial again; say which, as in: {command('01')} --restart")
    for name in ("copy", "json"):
        if getattr(options, name) and options.name is not None:
            raise InputError(f"--{name} is about all tutorials; leave out {options.name!r}")


def _write_notebooks(options: argparse.Namespace, language: str) -> int:
    chosen = tutorial.all_lessons(language) if options.name is None else [tutorial.find(options.name, language)]
    for lesson in chosen:
        say(f"running {lesson.name} ...")
        print(f"written: {shown(notebooks.write_notebook(lesson, Path(options.notebooks)))}", flush=True)
    return 0


def _list(lessons: list[tutorial.Lesson], language: str, as_json: bool) -> None:
    words = tutorial.Words(language)
    known = {lesson.name: progress.load(lesson) for lesson in lessons}
    if as_json:
        listed = [
            {
                "name": lesson.name,
                "title": lesson.title,
                "minutes": lesson.minutes,
                "path": str(lesson.path),
                "cell": known[lesson.name].cell,
                "done": known[lesson.name].done,
            }
            for lesson in lessons
        ]
        print(json.dumps({"schema": SCHEMA, "tutorials": listed}, indent=2))
        return
    console = _output()
    if not lessons:
        console.print(words("none"))
        return
    table = Table(box=SIMPLE_HEAD)
    table.add_column(words("tutorial"))
    table.add_column(words("time"), justify="right")
    table.add_column(words("yours"), justify="right", no_wrap=True)
    for lesson in lessons:
        table.add_row(escape(lesson.title), f"{lesson.minutes:g}", _how_far(known[lesson.name], words))
    console.print(table)
    begun = [lesson for lesson in lessons if known[lesson.name].cell and not known[lesson.name].at_its_end]
    fresh = [lesson for lesson in lessons if not known[lesson.name].done]
    for key, chosen in (("go_on_with", begun), ("begin_with", fresh)):
        if chosen:
            console.print(words(key, command=command(chosen[0].name[:2], language)), highlight=False)
            return


def _output() -> Output:
    console = Output.wide()
    # Rich takes a terminal without capabilities for 80 columns wide, whatever it is.
    size = shutil.get_terminal_size()
    return Output(width=size.columns, height=size.lines) if console.is_dumb_terminal else console


def _how_far(found: progress.Progress, words: tutorial.Words) -> str:
    if found.at_its_end:
        return words("done")
    return words("at", percent=100 * (found.cell - 1) // max(found.cells, 1)) if found.cell else "-"
