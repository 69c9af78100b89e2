"""The benches that write documents: what they measure, in sizes of a moment."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.bench import characters, memory
from tinygrad_rnn import functional as F
from tinygrad_rnn.tasks.code import CodeTask
from tinygrad_rnn.train import SequenceModel


def test_memory_of_the_whole_graph_grows_as_the_steps_and_in_pieces_as_their_root():
    steps = (36, 144)
    whole, pieces = (
        [memory.peak_of(run, "rnn", each)[0] for each in steps] for run in (memory.whole, memory.in_pieces)
    )
    assert memory.growth(steps, whole) == pytest.approx(1, abs=0.1)
    assert memory.growth(steps, pieces) == pytest.approx(0.5, abs=0.15)
    assert pieces[-1] < whole[-1] / 3


def test_held_out_text_is_read_once_with_the_state_carried_on(monkeypatch):
    monkeypatch.setattr(characters, "STREAMS", 2)
    monkeypatch.setattr(characters, "WINDOW", 3)
    task = CodeTask("to be or not to be: that is it", 5)
    tg.manual_seed(0)
    model = SequenceModel.for_task(task, "gru", 4)
    numbers = task.vocabulary.encode(task.text)
    half = (len(numbers) - 1) // 2
    streams = np.stack([numbers[: half + 1], numbers[half : 2 * half + 1]], axis=1)
    outputs, _ = model(tg.tensor(task.one_hot(streams[:-1])))
    nats = F.cross_entropy(outputs.reshape(-1, task.output_size), tg.tensor(streams[1:].reshape(-1))).item()
    assert characters.bits_of(model, task) == pytest.approx(nats / np.log(2), rel=1e-5)


def test_the_document_has_the_table():
    said = characters.text_of([("order 0", "4.42", "-", "21.4", "0")], "abc")
    assert "| order 0 | 4.42 | - | 21.4 | 0 |" in said
    assert "the first 3 characters" in said
    assert "| `rnn` | whole | 1 | 2 | T^1.00 | 0.1 |" in memory.text_of(
        [("`rnn`", "whole", "1", "2", "T^1.00", "0.1")], (4, 8)
    )
