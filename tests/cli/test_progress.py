"""How training is said to get on."""

import re

import pytest

from tinygrad_rnn.cli import progress
from tinygrad_rnn.train import Update


@pytest.fixture
def lines(monkeypatch, capsys):
    """Let updates take some seconds each, and return what was said of them."""

    def run(seconds, total, first=0):
        now = [0.0]
        monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
        with progress.training_progress("gru", total, "nats", first) as advance:
            for each in seconds:
                now[0] += each
                advance(Update(1.0, 2.0, 2.0))
        return capsys.readouterr().err.splitlines()

    return run


def test_the_time_left_goes_by_the_updates_after_the_first_few(lines):
    said = lines([60.0, 30.0, 10.0] + [0.5] * 997, 1000)
    left = [re.search(r"update (\d+)/1000, .*?(?:, (\S+ \S+) left)?$", line).groups() for line in said]
    assert left == [("1", None), ("10", "8 min"), ("333", "6 min"), ("666", "3 min"), ("1000", None)]


def test_a_short_training_has_a_line_for_each_third_and_a_resumed_one_counts_on(lines):
    assert [line.partition(",")[0] for line in lines([1.0] * 9, 9)] == [f"gru: update {n}/9" for n in (1, 3, 6, 9)]
    said = lines([9.0] * 3 + [1.0] * 9, 32, first=20)
    assert [line.partition(",")[0] for line in said] == [f"gru: update {n}/32" for n in (21, 24, 28, 32)]
    assert ", 8 s left" in said[1]
    assert ", 4 s left" in said[2]
