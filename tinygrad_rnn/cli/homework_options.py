"""The options of `tinygrad-rnn homework`, a command with commands of its own."""

from __future__ import annotations

import argparse

from tinygrad_rnn.cli.usage import Parser
from tinygrad_rnn.cli.values import positive_float, positive_int, share, whole_number
from tinygrad_rnn.homework.formats import FORMATS, VISIBILITIES

__all__ = ["add_homework_commands"]


def add_homework_commands(homework: Parser) -> None:
    """Add what a student and what an instructor can ask for."""
    actions = homework.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, summary: str) -> Parser:
        return actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")

    _language(action("list", "list the assignments"))

    start = action("start", "put an assignment into a folder, to work on it there")
    start.add_argument("name", metavar="HOMEWORK", help="such as hw1, or a folder that you were handed")
    start.add_argument("folder", nargs="?", metavar="DIR", help="where (default: a folder of its name)")
    start.add_argument("--notebook", action="store_true", help="write in a notebook instead of a file of Python")

    check = action("check", "try what you have written: expected against got, and the likely mistake")
    check.add_argument("task", nargs="?", metavar="TASK", help="only this one, as in 1.2")
    hint = action("hint", "get the next hint: a question, a pointer, a first line")
    hint.add_argument("task", metavar="TASK", help="for which task, as in 1.2")
    status = action("status", "see the tasks, their points and minutes, and how far you are")
    submit = action("submit", "write the file to hand in; nothing is sent")
    submit.add_argument("--name", metavar="NAME", help="yours, for the file's name (default: that of your account)")
    for each in (check, hint, status, submit):
        each.add_argument(
            "--dir", metavar="DIR", help="the folder of the homework (default: this one, or one below it)"
        )
    for each in (hint, status):
        _language(each)

    build = action("build", "for instructors: write what students get, the solution, and a zip for Gradescope")
    build.add_argument("--out", metavar="DIR", required=True, help="where student/, solution/ and autograder.zip go")
    build.add_argument(
        "--visibility", choices=VISIBILITIES, default="after_due_date", metavar="WHEN",
        help="when students see results on Gradescope: " + ", ".join(VISIBILITIES) + " (default: %(default)s)",
    )  # fmt: skip
    export = action("export", "for instructors: write an assignment as the grader of somebody else takes it")
    export.add_argument("--format", choices=FORMATS, required=True, metavar="FORMAT", help=", ".join(FORMATS))
    export.add_argument("--out", metavar="DIR", required=True, help="where the files go")
    verify = action("verify", "for instructors: reference, stub, leaks, known mistakes and other solutions are tried")
    for each in (build, export, verify):
        _source(each)
    grade = action("grade", "for instructors: grade a folder of submissions; a batch that was stopped goes on")
    grade.add_argument("submissions", metavar="SUBMISSIONS", help="a folder with zips, folders or files of Python")
    grade.add_argument("--out", metavar="FILE", default="grades.csv", help="the table to write (default: %(default)s)")
    jobs_help = "how many submissions at once, each in a process of its own (default: %(default)s)"
    grade.add_argument("--jobs", type=positive_int, default=1, metavar="N", help=jobs_help)
    refuse_help = "refuse to grade where student code can reach the network, other processes or other files"
    grade.add_argument("--require-sandbox", action="store_true", help=refuse_help)
    late_help = "what is taken off for being late: a .csv of submission and percent, or a .toml of times and steps"
    grade.add_argument("--late", metavar="FILE", help=late_help)
    regrade_help = "after a check was mended: judge its task again, and list whose points changed"
    grade.add_argument("--regrade", action="store_true", help=regrade_help)
    executor_help = "what runs them instead of processes of this machine, as in mpi4py.futures:MPIPoolExecutor"
    grade.add_argument("--executor", metavar="MODULE:NAME", help=executor_help)
    similar = action("similar", "for instructors: which solutions are alike, but for names and comments")
    similar.add_argument("submissions", metavar="SUBMISSIONS", help="a folder, as for grade")
    above_help = "list pairs that are so much alike, from 0 to 1 (default: %(default)g)"
    similar.add_argument("--above", type=share, default=0.9, metavar="SHARE", help=above_help)
    for each in (grade, similar):
        each.add_argument(
            "--homework", metavar="HOMEWORK", default="hw1", help="which, or its folder (default: %(default)s)"
        )
    for each in (build, export, verify, grade):
        seed_help = "what the checks draw numbers and shapes from; same seed, same points (default: %(default)s)"
        each.add_argument("--seed", type=whole_number, default=0, metavar="S", help=seed_help)
    for each in (verify, grade):
        patience_help = "seconds that one check may take (default: %(default)g)"
        each.add_argument("--patience", type=positive_float, default=20.0, metavar="SECONDS", help=patience_help)


def _source(parser: Parser) -> None:
    parser.add_argument("name", metavar="HOMEWORK", help="such as hw1 in a clone of the repository, or a folder")


def _language(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lang", choices=("en", "zh"), metavar="LANG", help="en or zh (default: that of the system)")
