"""The commands and their options. Imports nothing heavy: `--help` answers at once."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from tinygrad_rnn import __version__
from tinygrad_rnn.cli.homework_options import add_homework_commands
from tinygrad_rnn.cli.usage import Parser
from tinygrad_rnn.cli.values import (
    FORMATS,
    PLOT_FORMATS,
    cell,
    cell_name,
    cells,
    formats,
    k1_and_k2,
    non_negative_float,
    optimizer,
    plot_formats,
    positive_float,
    positive_int,
    schedule,
    share,
    share_below_1,
    steps_or_window,
    task,
    whole_number,
    window,
    zoneout,
)
from tinygrad_rnn.nn import CELLS
from tinygrad_rnn.optim import OPTIMIZERS, SCHEDULES
from tinygrad_rnn.tasks import TASKS
from tinygrad_rnn.viz.languages import LANGUAGES
from tinygrad_rnn.viz.styles import ON_A_PAGE, ON_A_SLIDE, SIZES, THEMES

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
        _add_graph, _add_flow, _add_conflict, _add_reproduce, _add_train, _add_runs, _add_sample,
        _add_translate, _add_caption, _add_forecast, _add_tasks, _add_cells, _add_tutorial, _add_homework, _add_doctor,
    ):  # fmt: skip
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


def _cells_help() -> str:
    """Return the names of the cells."""
    return f"one of {', '.join(CELLS)}; the command cells lists their options, as in lstm:forget_bias=3"


def _tasks_help() -> str:
    """Return the names of the tasks."""
    return f"what to learn: {', '.join(TASKS)}; the command tasks lists their options, as in copy:symbols=4"


def _add_graph(commands: argparse._SubParsersAction[Parser]) -> None:
    graph = _command(
        commands,
        "graph",
        "train an RNN, an LSTM and a GRU; measure and draw how their gradient flows",
        "Train each cell, and measure before and after how the gradient of one loss at the last step flows back "
        "through the unrolled graph. Writes CELL.{dot,svg,flow.json,run.safetensors} and the same as CELL.init.*.",
    )
    # A repeated option would append to its default, so the default is applied by the command.
    _add_choice_of_cells(graph, GRAPH_CELLS)
    _option(graph, "--task", "text", _tasks_help(), type=task, metavar="TASK")
    graph.add_argument("--text", metavar="FILE", help="text to learn, in UTF-8 (default: one made by a grammar)")
    steps_help = "length of a sequence; A:B is short for a length of B and --window A:B"
    steps_help += " (default: 40, or that of a task whose length is fixed)"
    graph.add_argument("--steps", type=steps_or_window, metavar="T", help=steps_help)
    _option(graph, "--hidden", 64, "size of the state", type=positive_int, metavar="H")
    _option(graph, "--layers", 1, "cells stacked", type=positive_int, metavar="L")
    _option(graph, "--dropout", 0.0, DROPOUT, type=share_below_1, metavar="P")
    _add_device(graph)
    _option(graph, "--dtype", "float64", "of the measurement; training takes float32", choices=DTYPES)
    _option(graph, "--batch", 16, "examples trained and measured on", type=positive_int, metavar="B")
    _option(graph, "--train", 250, "updates between the measurements", type=whole_number, metavar="N")
    _add_seed(graph)
    level_help = "draw one step for all, gates and states of every step, or every operation"
    _option(graph, "--level", "cell", level_help, choices=LEVELS)
    window_help = "draw the steps A to B-1 only (default: of many, both ends and where the gradient vanishes)"
    graph.add_argument("--window", type=window, metavar="A:B", help=window_help)
    _option(graph, "--decades", 12, "how far the colours reach, up and down", type=positive_int, metavar="N")
    tape_help = "also write all that one training step does, as CELL.tape.{txt,json}, and list it on a terminal"
    graph.add_argument("--tape", action="store_true", help=tape_help)
    graph.add_argument("--backward", action="store_true", help="also draw the graph of the backward pass itself")
    format_help = f"pictures to write, of {','.join(FORMATS)} (default: dot,svg,html); html steps through them"
    graph.add_argument("--format", type=formats, metavar="LIST", help=format_help)
    _add_style(graph, "pictures, plots and the pages to step through")
    _option(graph, "--out", "build/graph", "folder for the files", metavar="DIR")
    graph.add_argument("--json", action="store_true", help="print a summary as JSON instead of the table")


def _add_flow(commands: argparse._SubParsersAction[Parser]) -> None:
    flow = _command(
        commands,
        "flow",
        "measure and plot how the gradient of several cells flows, or that of a trained model",
        "Measure how the gradient flows back through each cell as it starts, and while it is trained. Writes plots as "
        "SVG and PNG, CELL.{flow.json,run.safetensors}, and flow.html with all of it on one page. A flow.json is a "
        "table for pandas: pd.DataFrame(json.load(open(FILE))['states']).",
    )
    which = flow.add_mutually_exclusive_group()
    _add_choice_of_cells(which, FLOW_CELLS)
    which.add_argument("--model", metavar="PATH", help="a run, or a file, made by train, to measure instead of cells")
    # What a model brings along has no default here, so that the command can tell whether it was given.
    task_help = f"{_tasks_help()} (default: text; with --model its own)"
    flow.add_argument("--task", type=task, metavar="TASK", help=task_help)
    text_help = "text to learn, in UTF-8 (default: one made by a grammar; with --model its own)"
    flow.add_argument("--text", metavar="FILE", help=text_help)
    steps_help = "length of a sequence (default: 100; with --model its own)"
    flow.add_argument("--steps", type=positive_int, metavar="T", help=steps_help)
    hidden_help = "size of the state (default: 64; with --model its own)"
    flow.add_argument("--hidden", type=positive_int, metavar="H", help=hidden_help)
    layers_help = "cells stacked (default: 1; with --model its own)"
    flow.add_argument("--layers", type=positive_int, metavar="L", help=layers_help)
    dropout_help = f"{DROPOUT} (default: 0.0; none with --model)"
    flow.add_argument("--dropout", type=share_below_1, metavar="P", help=dropout_help)
    _option(flow, "--batch", 16, "examples trained and measured on", type=positive_int, metavar="B")
    _option(flow, "--dtype", "float64", "of the measurement; training takes float32", choices=DTYPES)
    _add_device(flow)
    train_help = "updates during which the flow is measured again and again (default: 50; none with --model)"
    flow.add_argument("--train", type=whole_number, metavar="N", help=train_help)
    _add_seed(flow)
    seeds_help = (
        "measure each cell as it starts with so many seeds, --seed and those after it; through_time shows the median "
        "and the quartiles, CELL.seed-S.* have the numbers"
    )
    _option(flow, "--seeds", 1, seeds_help, type=positive_int, metavar="N")
    threshold_help = "share of the gradient at the last step below which it counts as vanished"
    _option(flow, "--threshold", 0.01, threshold_help, type=share, metavar="X")
    format_help = f"of the plots beside the page: some of {','.join(PLOT_FORMATS)} (default: svg,png)"
    flow.add_argument("--format", type=plot_formats, metavar="LIST", help=format_help)
    _add_style(flow, "plots")
    _option(flow, "--out", "build/flow", "folder for the files", metavar="DIR")
    flow.add_argument("--json", action="store_true", help="print a summary as JSON instead of the table")


def _add_conflict(commands: argparse._SubParsersAction[Parser]) -> None:
    conflict = _command(
        commands,
        "conflict",
        "show how storing and protecting, or answering and keeping still, contend for one weight of a carousel",
        "Train single units to store the first of some bits (store), and to hand out a bit at the last step only "
        "(retrieve). Measure what each step contributes to the gradient of the weight into the unit and out of it. "
        "Writes conflict.{svg,png} and conflict.json.",
    )
    _add_choice_of_cells(conflict, CONFLICT_CELLS)
    _option(conflict, "--steps", 10, "length of a sequence", type=positive_int, metavar="T")
    _option(conflict, "--batch", 32, "examples trained on", type=positive_int, metavar="B")
    _option(conflict, "--train", 500, "updates", type=whole_number, metavar="N")
    _add_device(conflict)
    _add_seed(conflict)
    seeds_help = "train with so many seeds, --seed and those after it"
    _option(conflict, "--seeds", 3, seeds_help, type=positive_int, metavar="N")
    format_help = f"of the plot: some of {','.join(PLOT_FORMATS)} (default: svg,png)"
    conflict.add_argument("--format", type=plot_formats, metavar="LIST", help=format_help)
    _add_style(conflict, "the plot")
    _option(conflict, "--out", "build/conflict", "folder for the files", metavar="DIR")
    conflict.add_argument("--json", action="store_true", help="print all numbers as JSON instead of the table")


def _add_reproduce(commands: argparse._SubParsersAction[Parser]) -> None:
    reproduce = _command(
        commands,
        "reproduce",
        "do experiments of papers again, in minutes, and print the results beside those published",
        "Do an experiment of a paper again, in a size for a laptop: greff (nine variants of the LSTM on one task), "
        "forget-gate (continual Reber strings with a forget gate and without), pascanu (clipping and Omega on the "
        "temporal order problem), hochreiter (the experiments of 1997, under their own conditions). Says what differs "
        "from the paper, and what was not reached. "
        "Writes NAME.json and NAME.md.",
    )
    reproduce.add_argument("name", choices=EXPERIMENTS, metavar="NAME", help=f"one of {', '.join(EXPERIMENTS)}")
    seeds_help = "trials of each learner: with --seed and the seeds after it (default: 3)"
    reproduce.add_argument("--seeds", type=positive_int, metavar="N", help=seeds_help)
    _add_seed(reproduce)
    updates_help = "updates of a trial at most (default: those of the experiment)"
    reproduce.add_argument("--updates", type=positive_int, metavar="N", help=updates_help)
    only_help = "these of the learners, or of the experiments of 1997: 6a 6b (default: all; of 1997 the shortest)"
    reproduce.add_argument("--only", nargs="+", metavar="LINE", help=only_help)
    _option(reproduce, "--out", "build/reproduce", "folder for the files", metavar="DIR")
    reproduce.add_argument("--json", action="store_true", help="print all numbers as JSON instead of the table")


def _add_train(commands: argparse._SubParsersAction[Parser]) -> None:
    train = _command(
        commands,
        "train",
        "train a model, and keep it with all that it takes to go on",
        "Train a model. Its settings, metrics, curves and last checkpoints go to runs/NAME, where no other run is "
        "touched; or all that it takes to go on or to sample from it goes to one file, --out.",
    )
    # With --resume the checkpoint says these; without a default here the command can tell whether they were given.
    _remembered(train, "--cell", _cells_help(), type=cell, metavar="CELL")
    _remembered(train, "--task", _tasks_help(), type=task, metavar="TASK")
    train.add_argument("--text", metavar="FILE", help="text to learn, in UTF-8 (default: one made by a grammar)")
    steps_help = "length of a sequence (default: what `tinygrad-rnn tasks` says)"
    train.add_argument("--steps", type=positive_int, metavar="T", help=steps_help)
    _remembered(train, "--hidden", "size of the state", type=positive_int, metavar="H")
    _remembered(train, "--layers", "cells stacked", type=positive_int, metavar="L")
    _remembered(train, "--dropout", DROPOUT, type=share_below_1, metavar="P")
    zoneout_help = "share of a state that stays as it was, at each step, in training; or one of each, as c=0.5,h=0.05"
    _remembered(train, "--zoneout", zoneout_help, type=zoneout, metavar="P")
    variational_help = "share of input and state dropped, the same elements at every step of a sequence, in training"
    _remembered(train, "--variational", variational_help, type=share_below_1, metavar="P")
    _add_device(train)
    _remembered(train, "--dtype", "of the numbers computed with", choices=DTYPES)
    _remembered(train, "--batch", "examples in a batch", type=positive_int, metavar="B")
    how_long = train.add_mutually_exclusive_group()
    updates_help = f"updates to have made at the end (default: {UPDATES}; with --resume as many as were asked for)"
    how_long.add_argument("--updates", type=positive_int, metavar="N", help=updates_help)
    epochs_help = "the same in epochs: the updates that see as many examples as the text, or other data, has"
    how_long.add_argument("--epochs", type=positive_int, metavar="N", help=epochs_help)
    until_help = "end when the task counts as solved; see `tinygrad-rnn tasks`"
    train.add_argument("--until-solved", action=argparse.BooleanOptionalAction, default=None, help=until_help)
    options = ", ".join(f"{name} ({', '.join(entry.options)})" for name, entry in OPTIMIZERS.items())
    optimizer_help = f"how weights follow their gradient: {options}; as in sgd:momentum=0.9:nesterov=yes"
    _remembered(train, "--optimizer", optimizer_help, type=optimizer, metavar="OPTIMIZER")
    lr_help = f"the learning rate, from which a schedule starts (default: {LEARNING_RATE}; with --resume as before)"
    train.add_argument("--lr", type=positive_float, metavar="X", help=lr_help)
    _remembered(train, "--clip", "largest norm of a gradient", type=positive_float, metavar="X")
    _add_cures(train)
    validate_help = "measure on examples that it does not learn from, after so many updates"
    _remembered(train, "--validate-every", validate_help, type=positive_int, metavar="N")
    _remembered(train, "--every", "make a checkpoint after so many updates", type=positive_int, metavar="N")
    _remembered(train, "--keep", "so many checkpoints, the last ones", type=positive_int, metavar="K")
    _remembered(train, "--seed", "same seed and text, same numbers", type=whole_number, metavar="S")
    seeds_help = "a run for each of so many seeds, --seed and those after it: runs/NAME.seed-S"
    _option(train, "--seeds", 1, seeds_help, type=positive_int, metavar="N")
    where = train.add_mutually_exclusive_group()
    name_help = f"the run goes to {RUNS}/NAME (default: TASK-CELL, or TASK-CELL-2, ... if that is taken)"
    where.add_argument("--name", metavar="NAME", help=name_help)
    out_help = "keep it in this file alone instead; a file that is there already is kept as FILE.prev"
    where.add_argument("--out", metavar="FILE", help=out_help)
    resume_help = (
        "go on with the run --name, the file --out, or else the newest run, which bring their own text, sizes and seed"
    )
    train.add_argument("--resume", action="store_true", help=resume_help)
    events_help = "also write the metrics as event files for TensorBoard"
    train.add_argument("--tensorboard", action="store_true", help=events_help)


def _choices(table: Mapping[str, Any]) -> str:
    """Return the names of a table with their options, in brackets those that can be left out."""
    words = []
    for name, entry in table.items():
        needed = getattr(entry, "needed", ())
        options = (f":{each}=..." if each in needed else f"[:{each}=...]" for each in entry.options)
        words.append(name + "".join(options))
    return ", ".join(words)


def _add_cures(train: Parser) -> None:
    """Add what can be done about gradients that vanish or explode, and about what else goes wrong in training."""
    schedule_help = f"how the learning rate changes: {_choices(SCHEDULES)}"
    train.add_argument("--schedule", type=schedule, metavar="SCHEDULE", help=schedule_help)
    pretrain_help = "before, let each layer learn to predict what it reads next, for so many updates"
    _remembered(train, "--pretrain", pretrain_help, type=whole_number, metavar="N")
    value_help = "largest element of a gradient, limited before the norm is"
    train.add_argument("--clip-value", type=positive_float, metavar="X", help=value_help)
    how = train.add_mutually_exclusive_group()
    truncate_help = "after every K1 steps go back K2, K2 >= K1: truncated back-propagation"
    how.add_argument("--truncate", type=k1_and_k2, metavar="K1,K2", help=truncate_help)
    recompute_help = "keep the graph of sqrt(T) steps at a time, and compute the states twice"
    how.add_argument("--recompute", action="store_true", default=None, help=recompute_help)
    omega_help = "weight of Pascanu's regulariser against vanishing gradients; for cells rnn and irnn"
    how.add_argument("--omega", type=positive_float, metavar="X", help=omega_help)
    teacher_help = "scheduled sampling: linear[:over=...][:least=...], exponential[:k=...] or sigmoid[:k=...]"
    how.add_argument("--teacher", metavar="TEACHER", help=teacher_help)


def _add_runs(commands: argparse._SubParsersAction[Parser]) -> None:
    listed = _command(
        commands,
        "runs",
        "list the runs that train made, and compare their curves",
        "List the runs that train made: their last validation, whether they solved the task and when, how long they "
        "took.",
    )
    listed.add_argument("folder", nargs="?", default=RUNS, metavar="DIR", help=f"where they are (default: {RUNS})")
    plot_help = (
        "draw the curves of all runs of a task over each other, as DIR/TASK.svg and .png; runs that differ in their "
        "seed only become a line with a band"
    )
    listed.add_argument("--plot", action="store_true", help=plot_help)
    listed.add_argument("--json", action="store_true", help="print the list as JSON instead of a table")


def _add_sample(commands: argparse._SubParsersAction[Parser]) -> None:
    sample = _command(
        commands,
        "sample",
        "let a trained model write text, or see how well it knows one",
        "Let a model that `train` made on text, code or hello write text; or, with --evaluate, measure how well it "
        "knows a text that it has not learned.",
    )
    model_help = f"a run, or a file, written by train (default: the newest run in {RUNS}, or else {MODEL_FILE})"
    sample.add_argument("--model", metavar="PATH", help=model_help)
    prompt_help = "what the model reads first (default: 'The ', 'def ' or 'h', or what the model knows instead)"
    sample.add_argument("--prompt", metavar="TEXT", help=prompt_help)
    length_help = "characters to write (default: 300; of hello 4)"
    sample.add_argument("--length", type=whole_number, metavar="N", help=length_help)
    _option(sample, "--temperature", 0.7, "0 always takes the likeliest", type=non_negative_float, metavar="X")
    sample.add_argument("--top-k", type=positive_int, metavar="K", help="draw from the K likeliest only (default: all)")
    evaluate_help = (
        "write nothing, but print bits per character and perplexity on FILE, or on the part of its text that the model "
        "has not learned"
    )
    sample.add_argument("--evaluate", nargs="?", const="", metavar="FILE", help=evaluate_help)
    _add_device(sample)
    _add_seed(sample)


def _add_translate(commands: argparse._SubParsersAction[Parser]) -> None:
    translate = _command(
        commands,
        "translate",
        "let a trained model write dates as YYYY-MM-DD, and see which letters it looks at",
        "Let a model that `train --task dates` made write what it makes of texts, or of fresh examples of the task. "
        "Says whether that is right, where it is known.",
    )
    translate.intermixed = True
    _add_checkpoint(translate)
    texts_help = "what to translate (default: fresh examples)"
    translate.add_argument("texts", nargs="*", metavar="TEXT", help=texts_help)
    _add_writing(translate)


def _add_caption(commands: argparse._SubParsersAction[Parser]) -> None:
    caption = _command(
        commands,
        "caption",
        "let a trained model write which digits are on a strip, and see where it looks",
        "Let a model that `train --task strips` made write what it sees on images, or on fresh strips of digits that "
        "it has not learned from. Says whether that is right, where it is known.",
    )
    caption.intermixed = True
    _add_checkpoint(caption)
    images_help = "a .npy with numbers from 0 to 1, or a .png; 8 pixels high (default: fresh strips)"
    caption.add_argument("images", nargs="*", metavar="IMAGE", help=images_help)
    _add_writing(caption)


def _add_checkpoint(parser: Parser) -> None:
    parser.add_argument("model", metavar="CHECKPOINT", help="a run, or a file, written by train")


def _add_writing(parser: Parser) -> None:
    beam_help = "keep so many texts while writing, and show them; 1 takes the likeliest symbol at each step"
    _option(parser, "--beam", 1, beam_help, type=positive_int, metavar="N")
    _option(parser, "--examples", 10, "so many fresh examples, if none are given", type=positive_int, metavar="N")
    attention_help = (
        "write the weights of the attention to FILE, which ends in .json or .csv, and plot the first six beside it"
    )
    parser.add_argument("--attention", metavar="FILE", help=attention_help)
    _add_plot_format(parser)
    _add_style(parser, "the plot")
    _add_device(parser)
    _add_seed(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _add_plot_format(parser: Parser) -> None:
    format_help = f"of the plot: some of {','.join(PLOT_FORMATS)} (default: svg,png)"
    parser.add_argument("--format", type=plot_formats, metavar="LIST", help=format_help)


def _add_forecast(commands: argparse._SubParsersAction[Parser]) -> None:
    forecast = _command(
        commands,
        "forecast",
        "let trained models forecast a series, beside forecasts that cost nothing",
        "Let models that `train --task series` made forecast the part of the series that they have not learned from: "
        "one step, and further steps each from the one before. Beside them: the last value, the value a season ago, "
        "and a linear autoregression. Writes forecast.{svg,png} and forecast.json.",
    )
    forecast.intermixed = True
    models_help = (
        "runs, or files, written by train for the same series; models that differ in nothing but their weights become "
        "one line with a band, as runs/NAME.seed-* after train --seeds"
    )
    forecast.add_argument("models", nargs="+", metavar="CHECKPOINT", help=models_help)
    steps_help = "how far to forecast, each step from the one before (default: a season)"
    forecast.add_argument("--steps", type=positive_int, metavar="N", help=steps_help)
    _add_plot_format(forecast)
    _add_style(forecast, "the plot")
    _add_device(forecast)
    _option(forecast, "--out", "build/forecast", "folder for the files", metavar="DIR")
    forecast.add_argument("--json", action="store_true", help="print all numbers as JSON instead of the table")


def _add_tutorial(commands: argparse._SubParsersAction[Parser]) -> None:
    tutorial = _command(
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
    homework = _command(
        commands,
        "homework",
        "start, check and hand in an assignment; grade a class",
        "Assignments: parts of an engine that you write yourself. start one, check what you have written, ask for a "
        "hint, submit. For instructors: build, verify, grade.",
    )
    add_homework_commands(homework)


def _add_tasks(commands: argparse._SubParsersAction[Parser]) -> None:
    listed = _command(
        commands, "tasks", "list the tasks, their lengths and their options", "List the tasks that models can learn."
    )
    listed.add_argument("name", nargs="?", type=task, metavar="TASK", help="tell of this one, with its options")
    listed.add_argument("--json", action="store_true", help="print the list as JSON instead of a table")


def _add_cells(commands: argparse._SubParsersAction[Parser]) -> None:
    listed = _command(commands, "cells", "list the recurrent cells and their options", "List the recurrent cells.")
    listed.add_argument("name", nargs="?", type=cell_name, metavar="CELL", help="tell of this one, with its equations")
    listed.add_argument("-v", "--verbose", action="store_true", help="tell of each, with its equations")
    listed.add_argument("--json", action="store_true", help="print JSON, equations included")


def _add_doctor(commands: argparse._SubParsersAction[Parser]) -> None:
    _command(
        commands,
        "doctor",
        "look for what the program needs, and say what to do about what is missing",
        "Look for what the program needs and say what to do about what is missing.",
    )


# ---- options that commands share -----------------------------------------------------------------------------------


def _option(parser: Parser, name: str, default: object, help: str, **rest: Any) -> None:
    parser.add_argument(name, default=default, help=f"{help} (default: {default})", **rest)


def _add_choice_of_cells(parser: argparse._ActionsContainer, default: tuple[str, ...]) -> None:
    help = f"cells to measure, separated by commas or each by its own --cell (default: {','.join(default)}); each "
    parser.add_argument(
        "--cell", "--cells", dest="cells", action="extend", type=cells, metavar="LIST", help=help + _cells_help()
    )


def _remembered(parser: Parser, name: str, help: str, **rest: Any) -> None:
    default = TRAINING[name.removeprefix("--").replace("-", "_")]
    parser.add_argument(name, help=f"{help} (default: {default})", **rest)


def _add_device(parser: Parser) -> None:
    _option(parser, "--device", "cpu", "where to compute: cpu, or cuda for an NVIDIA GPU", metavar="DEVICE")


def _add_style(parser: Parser, what: str) -> None:
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


def _add_seed(parser: Parser) -> None:
    _option(parser, "--seed", 0, "same seed and text, same numbers", type=whole_number, metavar="S")
