"""The options of the commands that show what a model has learned: sample, translate, caption, forecast."""

from __future__ import annotations

import argparse

from tinygrad_rnn.cli.options import MODEL_FILE, RUNS, add_device, add_plot_format, add_seed, add_style, command, option
from tinygrad_rnn.cli.usage import Parser
from tinygrad_rnn.cli.values import non_negative_float, positive_int, whole_number

__all__ = ["add_caption", "add_forecast", "add_sample", "add_translate"]


def add_sample(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command sample."""
    sample = command(
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
    option(sample, "--temperature", 0.7, "0 always takes the likeliest", type=non_negative_float, metavar="X")
    sample.add_argument("--top-k", type=positive_int, metavar="K", help="draw from the K likeliest only (default: all)")
    evaluate_help = (
        "write nothing, but print bits per character and perplexity on FILE, or on the part of its text that the model "
        "has not learned"
    )
    sample.add_argument("--evaluate", nargs="?", const="", metavar="FILE", help=evaluate_help)
    add_device(sample)
    add_seed(sample)


def add_translate(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command translate."""
    translate = command(
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


def add_caption(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command caption."""
    caption = command(
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
    option(parser, "--beam", 1, beam_help, type=positive_int, metavar="N")
    option(parser, "--examples", 10, "so many fresh examples, if none are given", type=positive_int, metavar="N")
    attention_help = (
        "write the weights of the attention to FILE, which ends in .json or .csv, and plot the first six beside it"
    )
    parser.add_argument("--attention", metavar="FILE", help=attention_help)
    add_plot_format(parser)
    add_style(parser, "the plot")
    add_device(parser)
    add_seed(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_forecast(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command forecast."""
    forecast = command(
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
    add_plot_format(forecast)
    add_style(forecast, "the plot")
    add_device(forecast)
    option(forecast, "--out", "build/forecast", "folder for the files", metavar="DIR")
    forecast.add_argument("--json", action="store_true", help="print all numbers as JSON instead of the table")
