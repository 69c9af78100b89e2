"""Listening to the ops that run, as the tape compiler will."""

from __future__ import annotations

from collections.abc import Callable

from tinygrad_rnn.engine.modes import recording
from tinygrad_rnn.engine.recorder import Recorder


def recorded_ops(run: Callable[[], object]) -> list[str]:
    """Return the names of the ops that run, in order, with "assign" for every assign_."""
    return [name for name, _ in recorded(run)]


def recorded(run: Callable[[], object]) -> list[tuple[str, bool]]:
    """Return for every op that runs (and "assign") its name and whether its result is part of a graph."""
    ran: list[tuple[str, bool]] = []

    class Names(Recorder):
        def op(self, node, inputs, op, attrs) -> None:
            ran.append((op.name, node.requires_grad))

        def assigned(self, target, value) -> None:
            ran.append(("assign", value.requires_grad))

    with recording(Names()):
        run()
    return ran


class Recording(Recorder):
    """A recorder that keeps the ops of one thread in order, while it is entered."""

    def __init__(self):
        self.seen = []
        self._listening = recording(self)

    def op(self, node, inputs, op, attrs):
        self.seen.append(op)

    def assigned(self, target, value):
        self.seen.append("assign_")

    def __enter__(self):
        self._listening.__enter__()
        return self

    def __exit__(self, *error):
        self._listening.__exit__(*error)
