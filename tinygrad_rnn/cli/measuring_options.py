"""The options of the commands that measure and draw: graph, flow, conflict."""

from __future__ import annotations

import argparse

from tinygrad_rnn.cli.options import (
    CONFLICT_CELLS,
    DROPOUT,
    DTYPES,
    FLOW_CELLS,
    GRAPH_CELLS,
    LEVELS,
    add_choice_of_cells,
    add_device,
    add_seed,
    add_style,
    command,
    option,
    tasks_help,
)
from tinygrad_rnn.cli.usage import Parser
from tinygrad_rnn.cli.values import (
    FORMATS,
    PLOT_FORMATS,
    formats,
    plot_formats,
    positive_int,
    share,
    share_below_1,
    steps_or_window,
    task,
    whole_number,
    window,
)

__all__ = ["add_conflict", "add_flow", "add_graph"]


def add_graph(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command graph."""
    graph = command(
        commands,
        "graph",
        "train an RNN, an LSTM and a GRU; measure and draw how their gradient flows",
        "Train each cell, and measure before and after how the gradient of one loss at the last step flows back "
        "through the unrolled graph. Writes CELL.{dot,svg,flow.json,run.safetensors} and the same as CELL.init.*.",
    )
    # A repeated option would append to its default, so the default is applied by the command.
    add_choice_of_cells(graph, GRAPH_CELLS)
    option(graph, "--task", "text", tasks_help(), type=task, metavar="TASK")
    graph.add_argument("--text", metavar="FILE", help="text to learn, in UTF-8 (default: one made by a grammar)")
    steps_help = "length of a sequence; A:B is short for a length of B and --window A:B"
    steps_help += " (default: 40, or that of a task whose length is fixed)"
    graph.add_argument("--steps", type=steps_or_window, metavar="T", help=steps_help)
    option(graph, "--hidden", 64, "size of the state", type=positive_int, metavar="H")
    option(graph, "--layers", 1, "cells stacked", type=positive_int, metavar="L")
    option(graph, "--dropout", 0.0, DROPOUT, type=share_below_1, metavar="P")
    add_device(graph)
    option(graph, "--dtype", "float64", "of the measurement; training takes float32", choices=DTYPES)
    option(graph, "--batch", 16, "examples trained and measured on", type=positive_int, metavar="B")
    option(graph, "--train", 250, "updates between the measurements", type=whole_number, metavar="N")
    add_seed(graph)
    level_help = "draw one step for all, gates and states of every step, or every operation"
    option(graph, "--level", "cell", level_help, choices=LEVELS)
    window_help = "draw the steps A to B-1 only (default: of many, both ends and where the gradient vanishes)"
    graph.add_argument("--window", type=window, metavar="A:B", help=window_help)
    option(graph, "--decades", 12, "how far the colours reach, up and down", type=positive_int, metavar="N")
    tape_help = "also write all that one training step does, as CELL.tape.{txt,json}, and list it on a terminal"
    graph.add_argument("--tape", action="store_true", help=tape_help)
    graph.add_argument("--backward", action="store_true", help="also draw the graph of the backward pass itself")
    format_help = f"pictures to write, of {','.join(FORMATS)} (default: dot,svg,html); html steps through them"
    graph.add_argument("--format", type=formats, metavar="LIST", help=format_help)
    add_style(graph, "pictures, plots and the pages to step through")
    option(graph, "--out", "build/graph", "folder for the files", metavar="DIR")
    graph.add_argument("--json", action="store_true", help="print a summary as JSON instead of the table")


def add_flow(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command flow."""
    flow = command(
        commands,
        "flow",
        "measure and plot how the gradient of several cells flows, or that of a trained model",
        "Measure how the gradient flows back through each cell as it starts, and while it is trained. Writes plots as "
        "SVG and PNG, CELL.{flow.json,run.safetensors}, and flow.html with all of it on one page. A flow.json is a "
        "table for pandas: pd.DataFrame(json.load(open(FILE))['states']).",
    )
    which = flow.add_mutually_exclusive_group()
    add_choice_of_cells(which, FLOW_CELLS)
    which.add_argument("--model", metavar="PATH", help="a run, or a file, made by train, to measure instead of cells")
    # What a model brings along has no default here, so that the command can tell whether it was given.
    task_help = f"{tasks_help()} (default: text; with --model its own)"
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
    option(flow, "--batch", 16, "examples trained and measured on", type=positive_int, metavar="B")
    option(flow, "--dtype", "float64", "of the measurement; training takes float32", choices=DTYPES)
    add_device(flow)
    train_help = "updates during which the flow is measured again and again (default: 50; none with --model)"
    flow.add_argument("--train", type=whole_number, metavar="N", help=train_help)
    add_seed(flow)
    seeds_help = (
        "measure each cell as it starts with so many seeds, --seed and those after it; through_time shows the median "
        "and the quartiles, CELL.seed-S.* have the numbers"
    )
    option(flow, "--seeds", 1, seeds_help, type=positive_int, metavar="N")
    threshold_help = "share of the gradient at the last step below which it counts as vanished"
    option(flow, "--threshold", 0.01, threshold_help, type=share, metavar="X")
    format_help = f"of the plots beside the page: some of {','.join(PLOT_FORMATS)} (default: svg,png)"
    flow.add_argument("--format", type=plot_formats, metavar="LIST", help=format_help)
    add_style(flow, "plots")
    option(flow, "--out", "build/flow", "folder for the files", metavar="DIR")
    flow.add_argument("--json", action="store_true", help="print a summary as JSON instead of the table")


def add_conflict(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command conflict."""
    conflict = command(
        commands,
        "conflict",
        "show how storing and protecting, or answering and keeping still, contend for one weight of a carousel",
        "Train single units to store the first of some bits (store), and to hand out a bit at the last step only "
        "(retrieve). Measure what each step contributes to the gradient of the weight into the unit and out of it. "
        "Writes conflict.{svg,png} and conflict.json.",
    )
    add_choice_of_cells(conflict, CONFLICT_CELLS)
    option(conflict, "--steps", 10, "length of a sequence", type=positive_int, metavar="T")
    option(conflict, "--batch", 32, "examples trained on", type=positive_int, metavar="B")
    option(conflict, "--train", 500, "updates", type=whole_number, metavar="N")
    add_device(conflict)
    add_seed(conflict)
    seeds_help = "train with so many seeds, --seed and those after it"
    option(conflict, "--seeds", 3, seeds_help, type=positive_int, metavar="N")
    format_help = f"of the plot: some of {','.join(PLOT_FORMATS)} (default: svg,png)"
    conflict.add_argument("--format", type=plot_formats, metavar="LIST", help=format_help)
    add_style(conflict, "the plot")
    option(conflict, "--out", "build/conflict", "folder for the files", metavar="DIR")
    conflict.add_argument("--json", action="store_true", help="print all numbers as JSON instead of the table")
