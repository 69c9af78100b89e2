"""Temporal order: two or three relevant symbols among distractors."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import TemporalOrderTask, parse_task

PLACES = {"6a": [(10, 20), (50, 60)], "6b": [(10, 20), (33, 43), (66, 76)]}
CLASSES = ["XX", "XY", "YX", "YY"]


@pytest.mark.parametrize("form", ["6a", "6b"])
@pytest.mark.parametrize("steps", [10, 37, 100])
def test_the_relevant_symbols_lie_in_their_windows_and_say_the_class(form, steps):
    task = TemporalOrderTask(steps, form)
    inputs, targets, lengths, *_ = task.batch(300, seed=5).parts()
    assert inputs.shape == (steps + steps // 10, 300, 8)
    assert set(lengths) == set(range(steps, steps + steps // 10 + 1))
    seen = set()
    for example, length in enumerate(lengths):
        read = task.input_labels(inputs[:, example])
        assert set(read[length:]) <= {""}
        assert read[0] == "E"
        assert read[length - 1] == "B"
        at = [t for t, symbol in enumerate(read) if symbol in ("X", "Y")]
        assert set(read[1 : length - 1]) - {"X", "Y"} <= set("abcd")
        assert len(at) == len(PLACES[form])
        for t, (first, last) in zip(at, PLACES[form], strict=True):
            assert first * steps // 100 <= t <= last * steps // 100
        order = "".join(read[t] for t in at)
        number = CLASSES.index(order[-2:]) + 4 * (len(order) == 3 and order[0] == "Y")
        assert targets[example] == number
        seen.add(number)
    assert len(seen) == task.output_size == 2 ** len(PLACES[form])


def test_windows_classes_and_distractors_are_filled_evenly():
    inputs, targets = TemporalOrderTask(100).measured(20_000, seed=0)
    relevant = inputs[..., 2:4].sum(axis=-1).mean(axis=1)
    np.testing.assert_allclose(relevant[[*range(10, 21), *range(50, 61)]], 1 / 11, atol=0.01)
    np.testing.assert_allclose(np.bincount(targets) / 20_000, 1 / 4, atol=0.02)
    np.testing.assert_allclose(inputs[30, :, 4:].mean(axis=0), 1 / 4, atol=0.02)


def test_an_answer_is_wrong_from_three_tenths_on():
    task = parse_task("temporal_order").make(10)
    batch = task.measured(2, seed=0)
    p = np.full((2, 4), 0.0)
    for example, right in enumerate([0.71, 0.69]):
        p[example] = (1 - right) / 3
        p[example, batch.targets[example]] = right
    outputs = tg.tensor(np.log(p)[None])
    assert task.scores(outputs, batch)["wrong"].tolist() == [False, True]


def test_nine_steps_are_too_few():
    with pytest.raises(InputError, match="9 is too few, take at least 10"):
        TemporalOrderTask(9)
