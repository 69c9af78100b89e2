"""Ctrl-C where nobody can catch it."""

import os
import sys
import threading

import pytest

from tinygrad_rnn.cli.interrupts import no_interrupt_is_lost


class Dropping:
    def __init__(self, error):
        self.error = error

    def __del__(self):
        raise self.error


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_an_interrupt_that_python_drops_comes_again():
    before = sys.unraisablehook
    with no_interrupt_is_lost():
        Dropping(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            threading.Event().wait(60)
    assert sys.unraisablehook is before


def test_other_errors_are_told_as_ever(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: told.append(found.exc_type))
    with no_interrupt_is_lost():
        Dropping(ValueError())
    assert told == [ValueError]
