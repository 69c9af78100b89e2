"""The commands. Imports nothing heavy: `--help` answers at once."""

from __future__ import annotations

import argparse

from tinygrad_rnn import __version__
from tinygrad_rnn.cli.homework_options import add_homework_commands
from tinygrad_rnn.cli.learned_options import add_caption, add_forecast, add_sample, add_translate
from tinygrad_rnn.cli.measuring_options import add_conflict, add_flow, add_graph
from tinygrad_rnn.cli.options import EXIT_CODES, command
from tinygrad_rnn.cli.training_options import add_reproduce, add_runs, add_train
from tinygrad_rnn.cli.usage import Parser
from tinygrad_rnn.cli.values import cell_name, task

__all__ = ["make_parser"]


def make_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="tinygrad-rnn",
        description="Train small recurrent networks and see where their gradient vanishes.",
        epilog=EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad_rnn {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (
        add_graph, add_flow, add_conflict, add_reproduce, add_train, add_runs, add_sample,
        add_translate, add_caption, add_forecast, _add_tasks, _add_cells, _add_tutorial, _add_homework, _add_doctor,
    ):  # fmt: skip
        add(commands)
    return parser


def _add_tutorial(commands: argparse._SubParsersAction[Parser]) -> None:
    tutorial = command(
        commands,
        "tutorial",
        "list the tutorials, or go through one: read, guess, run, compare",
        "List the tutorials and how far you are. With a number go through one, step by step: guess what a cell will "
        "show, run it, change it. You can stop at any time and go on later. Where nobody can be asked, as in a pipe, "
        "it is shown and run as a whole.",
    )
    name_help = "a number, as in 05, the beginning of a name, or the path of a script of your own"
    tutorial.add_argument("name", nargs="?", metavar="TUTORIAL", help=name_help)
    lang_help = "language of the prose: en or zh (default: that of the system)"
    tutorial.add_argument("--lang", choices=("en", "zh"), metavar="LANG", help=lang_help)
    what = tutorial.add_mutually_exclusive_group()
    what.add_argument("--restart", action="store_true", help="begin again at the first cell")
    copy_help = "copy the scripts there instead, to read and change them; no file is replaced"
    what.add_argument("--copy", metavar="DIR", help=copy_help)
    notebooks_help = "run it, or all, as notebooks with their pictures inside, and write them there"
    what.add_argument("--notebooks", metavar="DIR", help=notebooks_help)
    what.add_argument("--json", action="store_true", help="print the list as JSON instead of a table")


def _add_homework(commands: argparse._SubParsersAction[Parser]) -> None:
    homework = command(
        commands,
        "homework",
        "start, check and hand in an assignment; grade a class",
        "Assignments: parts of an engine that you write yourself. start one, check what you have written, ask for a "
        "hint, submit. For instructors: build, verify, grade.",
    )
    add_homework_commands(homework)


def _add_tasks(commands: argparse._SubParsersAction[Parser]) -> None:
    listed = command(
        commands, "tasks", "list the tasks, their lengths and their options", "List the tasks that models can learn."
    )
    listed.add_argument("name", nargs="?", type=task, metavar="TASK", help="tell of this one, with its options")
    listed.add_argument("--json", action="store_true", help="print the list as JSON instead of a table")


def _add_cells(commands: argparse._SubParsersAction[Parser]) -> None:
    listed = command(commands, "cells", "list the recurrent cells and their options", "List the recurrent cells.")
    listed.add_argument("name", nargs="?", type=cell_name, metavar="CELL", help="tell of this one, with its equations")
    listed.add_argument("-v", "--verbose", action="store_true", help="tell of each, with its equations")
    listed.add_argument("--json", action="store_true", help="print JSON, equations included")


def _add_doctor(commands: argparse._SubParsersAction[Parser]) -> None:
    command(
        commands,
        "doctor",
        "look for what the program needs, and say what to do about what is missing",
        "Look for what the program needs and say what to do about what is missing.",
    )
