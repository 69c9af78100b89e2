"""What commands are told unless asked otherwise, and the options that several of them have."""

from __future__ import annotations

import argparse
from typing import Any

from tinygrad_rnn.cli.usage import Parser
from tinygrad_rnn.cli.values import PLOT_FORMATS, cells, plot_formats, positive_float, whole_number
from tinygrad_rnn.nn import CELLS
from tinygrad_rnn.tasks import TASKS
from tinygrad_rnn.viz.languages import LANGUAGES
from tinygrad_rnn.viz.styles import ON_A_PAGE, ON_A_SLIDE, SIZES, THEMES

__all__ = [
    "CONFLICT_CELLS",
    "DROPOUT",
    "DTYPES",
    "EXIT_CODES",
    "EXPERIMENTS",
    "FLOW_CELLS",
    "GRAPH_CELLS",
    "LEARNING_RATE",
    "LEVELS",
    "MODEL_FILE",
    "RUNS",
    "TRAINING",
    "UPDATES",
    "add_choice_of_cells",
    "add_device",
    "add_plot_format",
    "add_seed",
    "add_style",
    "cells_help",
    "command",
    "option",
    "remembered",
    "tasks_help",
]

#: Measured unless others are asked for.
GRAPH_CELLS = ("rnn", "lstm", "gru")
#: The same for `flow`.
FLOW_CELLS = ("rnn", "irnn", "lstm:forget_bias=0", "lstm:forget_bias=3", "gru")
#: The same for `conflict`: no gate, one that protects what is stored, and one more that keeps it from being read.
CONFLICT_CELLS = ("carousel", "lstm97_nog:input_bias=-1", "lstm97:input_bias=-1")
#: What can be done again; see `train.reproduce`, which is too heavy to import here.
EXPERIMENTS = ("greff", "forget-gate", "pascanu", "hochreiter")
#: What `train` does unless told otherwise. With --resume the file says it.
TRAINING: dict[str, Any] = {
    "cell": "lstm",
    "task": "text",
    "hidden": 64,
    "layers": 1,
    "dropout": 0.0,
    "zoneout": 0.0,
    "variational": 0.0,
    "pretrain": 0,
    "optimizer": "adam",
    "dtype": "float32",
    "batch": 32,
    "clip": 1.0,
    "seed": 0,
    "validate_every": 100,
    "until_solved": False,
    "schedule": None,
    "truncate": None,
    "recompute": False,
    "omega": 0.0,
    "teacher": None,
    "clip_value": None,
    "every": 250,
    "keep": 3,
}
#: Updates of a training, and where it goes, unless it is said.
UPDATES, RUNS = 1000, "runs"
#: What there was before there were runs.
MODEL_FILE = "model.safetensors"
DROPOUT = "share of the values dropped between layers, in training"
LEVELS = ("rolled", "cell", "ops")
DTYPES = ("float32", "float64")

#: Of training, unless it is given.
LEARNING_RATE = 0.01

EXIT_CODES = (
    "exit codes: 0 ok, 1 a check failed, 2 wrong usage or bad input, 3 a needed tool is missing, 130 interrupted"
)


def command(commands: argparse._SubParsersAction[Parser], name: str, summary: str, description: str) -> Parser:
    """Add a command to those there are, and return its parser."""
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=EXIT_CODES,
        allow_abbrev=False,
    )


def cells_help() -> str:
    """Return the names of the cells."""
    return f"one of {', '.join(CELLS)}; the command cells lists their options, as in lstm:forget_bias=3"


def tasks_help() -> str:
    """Return the names of the tasks."""
    return f"what to learn: {', '.join(TASKS)}; the command tasks lists their options, as in copy:symbols=4"


def option(parser: Parser, name: str, default: object, help: str, **rest: Any) -> None:
    """Add an option whose help says its default."""
    parser.add_argument(name, default=default, help=f"{help} (default: {default})", **rest)


def add_choice_of_cells(parser: argparse._ActionsContainer, default: tuple[str, ...]) -> None:
    """Add --cell, which can be given several times."""
    help = f"cells to measure, separated by commas or each by its own --cell (default: {','.join(default)}); each "
    parser.add_argument(
        "--cell", "--cells", dest="cells", action="extend", type=cells, metavar="LIST", help=help + cells_help()
    )


def remembered(parser: Parser, name: str, help: str, **rest: Any) -> None:
    """Add an option of training that a checkpoint remembers; it has no default here, to show whether it was given."""
    default = TRAINING[name.removeprefix("--").replace("-", "_")]
    parser.add_argument(name, help=f"{help} (default: {default})", **rest)


def add_device(parser: Parser) -> None:
    """Add --device."""
    option(parser, "--device", "cpu", "where to compute: cpu, or cuda for an NVIDIA GPU", metavar="DEVICE")


def add_style(parser: Parser, what: str) -> None:
    """Add how pictures and plots look: theme, size, letters, legend, language, caption."""
    theme_help = f"colours of {what}; print: on white, in greys (default: light, or as a matplotlibrc or browser says)"
    parser.add_argument("--theme", choices=tuple(THEMES), help=theme_help)
    size_help = "make plots, and only these, as large as a slide (default: as high as they need be)"
    parser.add_argument("--size", choices=tuple(SIZES), help=size_help)
    font_help = (
        "points of the letters of plots, and only these: pictures and pages are zoomed "
        f"(default: {ON_A_PAGE:g}, on slides {ON_A_SLIDE:g})"
    )
    parser.add_argument("--font", type=positive_float, metavar="N", help=font_help)
    legend_help = "leave out the legend of pictures and plots"
    parser.add_argument("--no-legend", dest="legend", action="store_false", help=legend_help)
    lang_help = f"language of {what}: en or zh (default: en); what has no translation stays English"
    parser.add_argument("--lang", choices=LANGUAGES, default="en", metavar="LANG", help=lang_help)
    caption_help = "leave out the words above and below pictures and plots"
    parser.add_argument("--no-caption", dest="caption", action="store_false", help=caption_help)


def add_seed(parser: Parser) -> None:
    """Add --seed."""
    option(parser, "--seed", 0, "same seed and text, same numbers", type=whole_number, metavar="S")


def add_plot_format(parser: Parser) -> None:
    """Add --format, of a plot."""
    format_help = f"of the plot: some of {','.join(PLOT_FORMATS)} (default: svg,png)"
    parser.add_argument("--format", type=plot_formats, metavar="LIST", help=format_help)
