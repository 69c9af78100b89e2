"""The commands and their options. Imports nothing heavy: `--help` answers at once."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import NoReturn

from tinygrad_rnn import __version__

CELLS = ("rnn", "lstm", "gru")
TASKS = ("text", "adding")
FORMATS = ("svg", "dot", "png", "pdf")
LEVELS = ("cell", "ops")
DTYPES = ("float32", "float64")

EXIT_CODES = "exit codes: 0 ok, 1 a check failed, 2 wrong usage or bad input, 3 a needed tool is missing, 130 interrupted"


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong; argparse would print the usage of every option first."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


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
    for add in (_add_graph, _add_train, _add_sample, _add_doctor):
        add(commands)
    return parser


def _command(commands: argparse._SubParsersAction[Parser], name: str, summary: str, description: str) -> Parser:
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=EXIT_CODES,
        allow_abbrev=False,
    )


def _add_graph(commands: argparse._SubParsersAction[Parser]) -> None:
    graph = _command(
        commands,
        "graph",
        "train an RNN, an LSTM and a GRU; measure and draw how their gradient flows",
        "Train each cell, and measure before and after how the gradient of one loss at the last step flows back "
        "through the unrolled graph. Writes CELL.{dot,svg,flow.json,run.safetensors} and the same as CELL.init.*.",
    )
    # A repeated option would append to its default, so the default is applied by the command.
    graph.add_argument(
        "--cell", action="append", choices=CELLS, help="a cell to measure; may be repeated (default: all three)"
    )
    _add_problem(graph, steps=40)
    _add_model(graph, dtype="float64")
    graph.add_argument("--batch", type=positive_int, default=32, metavar="B", help="examples trained and measured on (default: %(default)s)")
    graph.add_argument("--train", type=whole_number, default=300, metavar="N", help="updates between the measurements (default: %(default)s)")
    _add_seed(graph)
    graph.add_argument("--level", choices=LEVELS, default="cell", help="draw gates and states, or every operation (default: %(default)s)")
    graph.add_argument(
        "--format", type=formats, metavar="LIST", help=f"pictures to write, of {','.join(FORMATS)} (default: dot,svg)"
    )
    graph.add_argument("--out", default="build/graph", metavar="DIR", help="folder for the files (default: %(default)s)")
    graph.add_argument("--json", action="store_true", help="print a summary as JSON instead of the table")


def _add_train(commands: argparse._SubParsersAction[Parser]) -> None:
    train = _command(
        commands,
        "train",
        "train a model and keep it in a file",
        "Train a model and keep it, with all that is needed to continue or to sample from it, in a safetensors file.",
    )
    train.add_argument("--cell", choices=CELLS, default="lstm", help="the recurrent cell (default: %(default)s)")
    _add_problem(train, steps=50)
    _add_model(train, dtype="float32")
    train.add_argument("--batch", type=positive_int, default=32, metavar="B", help="examples in a batch (default: %(default)s)")
    train.add_argument("--updates", type=positive_int, default=1000, metavar="N", help="updates to have made at the end (default: %(default)s)")
    train.add_argument("--lr", type=positive_float, default=0.005, metavar="X", help="Adam's learning rate (default: %(default)s)")
    train.add_argument("--clip", type=positive_float, default=1.0, metavar="X", help="largest norm of a gradient (default: %(default)s)")
    train.add_argument("--every", type=positive_int, default=250, metavar="N", help="save after so many updates (default: %(default)s)")
    _add_seed(train)
    train.add_argument("--out", default="model.safetensors", metavar="FILE", help="where to keep the model (default: %(default)s)")
    train.add_argument(
        "--resume", action="store_true", help="continue the model in --out, which brings its own task, sizes and seed"
    )


def _add_sample(commands: argparse._SubParsersAction[Parser]) -> None:
    sample = _command(commands, "sample", "let a trained model write text", "Let a model made by `train` write text.")
    sample.add_argument("--model", default="model.safetensors", metavar="FILE", help="a file written by train (default: %(default)s)")
    sample.add_argument("--prompt", default="The ", metavar="TEXT", help="what the model reads first (default: %(default)s)")
    sample.add_argument("--length", type=whole_number, default=300, metavar="N", help="characters to write (default: %(default)s)")
    sample.add_argument(
        "--temperature", type=non_negative_float, default=0.7, metavar="X", help="0 always takes the likeliest character (default: %(default)s)"
    )
    _add_seed(sample)


def _add_doctor(commands: argparse._SubParsersAction[Parser]) -> None:
    _command(
        commands,
        "doctor",
        "look for what the program needs, and say what to do about what is missing",
        "Look for what the program needs and say what to do about what is missing.",
    )


# ---- options that commands share -----------------------------------------------------------------------------------


def _add_problem(parser: Parser, steps: int) -> None:
    parser.add_argument("--task", choices=TASKS, default="text", help="what to learn (default: %(default)s)")
    parser.add_argument("--text", metavar="FILE", help="UTF-8 text to learn (default: Python's language reference)")
    parser.add_argument("--steps", type=positive_int, default=steps, metavar="T", help="length of a sequence (default: %(default)s)")


def _add_model(parser: Parser, dtype: str) -> None:
    parser.add_argument("--hidden", type=positive_int, default=64, metavar="H", help="size of the state (default: %(default)s)")
    parser.add_argument("--layers", type=positive_int, default=1, metavar="L", help="cells stacked (default: %(default)s)")
    parser.add_argument("--dtype", choices=DTYPES, default=dtype, help="of the numbers computed with (default: %(default)s)")


def _add_seed(parser: Parser) -> None:
    parser.add_argument("--seed", type=whole_number, default=0, metavar="S", help="same seed, same numbers (default: %(default)s)")


# ---- types of values -----------------------------------------------------------------------------------------------

#: Beyond this no size makes sense here, and some would be too large to ask the memory for.
LARGEST = 10**7


def _number(convert: Callable[[str], float], wanted: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    def value(text: str) -> float:
        try:
            number = convert(text)
        except ValueError:
            number = math.nan
        if not fits(number):
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return number

    return value


positive_int = _number(int, f"a whole number from 1 to {LARGEST}", lambda n: 1 <= n <= LARGEST)
whole_number = _number(int, "a whole number from 0 to 2**63 - 1", lambda n: 0 <= n < 2**63)
positive_float = _number(float, "a number above 0", lambda x: 0 < x < math.inf)
non_negative_float = _number(float, "a number of at least 0", lambda x: 0 <= x < math.inf)


def formats(text: str) -> tuple[str, ...]:
    """Return the file formats of a comma-separated list, each once."""
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown or not chosen:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of formats out of {', '.join(FORMATS)}")
    return chosen
