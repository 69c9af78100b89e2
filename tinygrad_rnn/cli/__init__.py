"""The command line: `tinygrad-rnn`, or `python -m tinygrad_rnn`."""

from tinygrad_rnn.cli.main import main

__all__ = ["main"]
