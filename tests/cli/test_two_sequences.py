"""graph and flow with tasks that have an encoder and a decoder, or an image, and a length of their own."""

import json

import pytest

from tinygrad_rnn.cli import main
from tinygrad_rnn.tasks import parse_task

SMALL = ("--hidden", "4", "--batch", "2", "--train", "1", "--cell", "gru")


@pytest.mark.parametrize("task", ["dates:attention=dot", "strips:digits=2"])
def test_graph_measures_through_both_sequences_without_being_told_how_long_they_are(task, tmp_path):
    assert main(["graph", "--task", task, *SMALL, "--format", "dot", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "gru.flow.json").read_text())
    (kind, states), *_ = found["states"].items()
    assert kind == "h"
    assert len(states) == parse_task(task).make().measured_steps
    assert (tmp_path / "gru.dot").stat().st_size > 1000


def test_a_window_reaches_into_the_decoder_and_not_behind_it(tmp_path, refused):
    options = ["graph", "--task", "dates", *SMALL, "--format", "dot", "--out", str(tmp_path)]
    assert main([*options, "--window", "27:33"]) == 0
    assert "lies behind the last of" in refused(*options, "--window", "60:70")
    assert "the length of dates is fixed" in refused(*options, "--steps", "7")
