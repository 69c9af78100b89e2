"""Sums of messages that are gathered while a walk passes."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.engine.protocol import Edge, Engine


class Total:
    """The sum of messages to one edge, or to several of one shape, and its norm."""

    def __init__(self, engine: Engine, edge: Edge) -> None:
        self._engine, self._at = engine, edge
        self._sums = engine.gather()
        self._norm: float | None = None
        self._empty = True

    def add(self, message: Any, size: float | None = None) -> None:
        """Add a message, whose norm may be known."""
        self._norm = size if self._empty else None
        self._empty = False
        self._sums.add(self._at, message)

    @property
    def value(self) -> Any:
        """The sum; None without any message."""
        return self._sums.so_far(self._at)

    def norm(self) -> float:
        """Return the norm of the sum."""
        if self._norm is None:
            self._norm = self._engine.norm(self.value)
        return self._norm
