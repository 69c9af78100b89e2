"""What is said of a wrong command line: one line, with the command whose help to ask for, and a near word."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from tinygrad_rnn.arguments import suggestion

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong; argparse would print the usage of every option first."""

    #: Whether options may stand between arguments of which there can be many: argparse would end them at the first.
    intermixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, or else as it does where options and arguments are mixed."""
        if not self.intermixed:
            return super().parse_known_args(args, namespace)
        self.intermixed = False  # it asks this method
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.intermixed = True

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit with 2."""
        if chosen := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
            message += suggestion(chosen[1], [word.strip(" '") for word in chosen[2].split(",")])
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def read(self, words: Sequence[str] | None = None) -> argparse.Namespace:
        """Read the words of a command line; what no option takes is an error of the command that it was given to."""
        found, unknown = self.parse_known_args(words)
        if unknown:
            used = self._command(found)
            known = [word for action in used._actions for word in action.option_strings]
            used.error(f"unrecognized arguments: {' '.join(unknown)}{suggestion(unknown[0].partition('=')[0], known)}")
        return found

    def _command(self, found: argparse.Namespace) -> argparse.ArgumentParser:
        """Return the parser of the command that was given."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                parser: argparse.ArgumentParser = action.choices[getattr(found, action.dest)]
                return parser
        return self
