"""Homework: one marked reference becomes what students get, and what they hand in is checked and graded against it."""

from tinygrad_rnn.homework.checks import check, close, raises, same
from tinygrad_rnn.homework.graphs import drawn

__all__ = ["check", "close", "drawn", "raises", "same"]
