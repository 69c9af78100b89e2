"""What is said of a wrong command line: one line, with the command whose help to ask for, and a near word."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NoReturn

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong; argparse would print the usage of every option first."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit with 2."""
        if chosen := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
            message += _meant(chosen[1], [word.strip(" '") for word in chosen[2].split(",")])
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def read(self, words: Sequence[str] | None = None) -> argparse.Namespace:
        """Read the words of a command line; what no option takes is an error of the command that it was given to."""
        found, unknown = self.parse_known_args(words)
        if unknown:
            used = self._command(found)
            known = [word for action in used._actions for word in action.option_strings]
            used.error(f"unrecognized arguments: {' '.join(unknown)}{_meant(unknown[0].partition('=')[0], known)}")
        return found

    def _command(self, found: argparse.Namespace) -> argparse.ArgumentParser:
        """Return the parser of the command that was given."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                parser: argparse.ArgumentParser = action.choices[getattr(found, action.dest)]
                return parser
        return self


def _meant(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
