"""The copy memory problem."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import CopyTask, parse_task


@pytest.mark.parametrize(("pause", "symbols", "length"), [(1, 8, 10), (7, 2, 3), (30, 12, 1)])
def test_what_is_said_first_is_to_be_said_last(pause, symbols, length):
    task = CopyTask(pause, symbols, length)
    inputs, targets = task.batch(200, seed=0)
    assert task.steps == len(inputs) == len(targets) == pause + 2 * length
    assert (inputs.sum(axis=-1) == 1).all()
    blank, delimiter = symbols, symbols + 1
    for read, asked in zip(inputs.argmax(-1).T.tolist(), targets.T.tolist(), strict=True):
        said = read[:length]
        assert max(said) < symbols
        assert read == [*said, *[blank] * (pause - 1), delimiter, *[blank] * length]
        assert asked == [*[blank] * (pause + length), *said]
    counts = np.bincount(targets[-length:].ravel()) / (200 * length)
    np.testing.assert_allclose(counts, 1 / symbols, atol=0.1)


@pytest.mark.parametrize(("pause", "known"), [(100, 0.17329), (200, 0.09452), (500, 0.03999)])
def test_knowing_the_blanks_and_guessing_the_symbols_has_the_known_loss(pause, known):
    task = CopyTask(pause)
    assert task.baseline == pytest.approx(known, abs=1e-5)
    batch = task.batch(4, seed=0)
    outputs = np.full((task.steps, 4, 9), -1e9)
    outputs[:-10, :, 8] = outputs[-10:, :, :8] = 0.0
    outputs = tg.tensor(outputs)
    assert task.loss(outputs, batch).item() == pytest.approx(known, abs=1e-5)
    assert task.scores(outputs, batch)["wrong"].all()


def test_the_pause_has_a_step_and_symbols_have_names():
    with pytest.raises(InputError, match="0 is too few, take at least 1"):
        CopyTask(0)
    task = parse_task("copy:symbols=4:length=2").make(3)
    assert (task.input_size, task.output_size, task.steps) == (6, 5, 7)
    labels = task.input_labels(task.batch(1, seed=0).inputs[:, 0])
    assert labels[2:] == ["_", "_", "|", "_", "_"]
    assert set(labels[:2]) <= set("0123")
