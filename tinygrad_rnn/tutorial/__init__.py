"""Tutorials: scripts in the percent format, step by step on a terminal, as notebooks, or as plain Python."""

from tinygrad_rnn.tutorial.lessons import Lesson, all_lessons, copy, find
from tinygrad_rnn.tutorial.reading import read_through
from tinygrad_rnn.tutorial.stepper import Stepper
from tinygrad_rnn.tutorial.words import LANGUAGES, Words, language_of_this_user

__all__ = [
    "LANGUAGES", "Lesson", "Stepper", "Words", "all_lessons", "copy", "find", "language_of_this_user", "read_through",
]  # fmt: skip
