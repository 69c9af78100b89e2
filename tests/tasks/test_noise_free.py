"""Sequences without noise: 2a, 2b and 2c."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import NoiseFreeTask, TriggeredTask, parse_task


@pytest.mark.parametrize("p", [2, 4, 30])
def test_2a_has_two_sequences(p):
    task = parse_task("noise_free").make(p)
    inputs, targets = task.batch(200, seed=0)
    assert inputs.shape == (p, 200, p + 1)
    between = [f"a{number}" for number in range(1, p)]
    read = [task.input_labels(inputs[:, example]) for example in range(200)]
    ends = [task.symbols[number] for number in targets[-1]]
    assert {(*each, end) for each, end in zip(read, ends, strict=True)} == {
        ("x", *between, "x"), ("y", *between, "y")
    }  # fmt: skip
    assert (inputs.argmax(-1)[1:] == targets[:-1]).all()
    assert 70 < ends.count("x") < 130


def test_2b_has_any_symbols_between():
    task = parse_task("noise_free:form=2b").make(6)
    inputs, targets = task.batch(4000, seed=0)
    read = inputs.argmax(-1)
    assert (read[0] == targets[-1]).all()
    assert (read[1:] == targets[:-1]).all()
    assert set(read[0]) == {5, 6}
    np.testing.assert_allclose(np.bincount(read[1:].ravel()) / read[1:].size, 1 / 5, atol=0.01)
    pairs = np.bincount(5 * read[2] + read[3], minlength=25) / 4000
    np.testing.assert_allclose(pairs, 1 / 25, atol=0.015)  # independent of each other


@pytest.mark.parametrize(("form", "wrong"), [("2a", [False, True, True]), ("2b", [False, False, True])])
def test_2a_counts_mistakes_at_every_step_and_2b_at_the_last(form, wrong):
    task = NoiseFreeTask(4, form)
    batch = task.batch(3, seed=0)
    p = np.full((4, 3, 5), 0.24 / 4)
    np.put_along_axis(p, batch.targets[..., None], 0.76, axis=-1)
    p[1, 1] = p[-1, 2] = 1 / 5
    assert task.scores(tg.tensor(np.log(p)), batch)["wrong"].tolist() == wrong


@pytest.mark.parametrize(("q", "p"), [(1, 1), (5, 50), (20, 3)])
def test_2c_asks_for_the_second_symbol_after_the_trigger(q, p):
    task = parse_task(f"noise_free:form=2c:symbols={p}").make(q)
    inputs, targets, lengths, *_ = task.batch(3000, seed=0).parts()
    assert (inputs.shape[2], task.output_size, task.steps) == (p + 4, 2, q + 3)
    for example, length in enumerate(lengths[:300]):
        read = task.input_labels(inputs[:, example])
        assert read[:2] == ["b", "xy"[targets[example]]]
        assert read[length - 1 :] == ["e", *[""] * (len(read) - length)]
        assert set(read[2 : length - 1]) <= {f"a{number}" for number in range(1, p + 1)}
    extra = lengths - task.steps
    for k in range(4):  # the trigger comes with probability 1/10 each time
        assert (extra == k).mean() == pytest.approx(0.1 * 0.9**k, abs=0.02)
    assert (lengths + 1).mean() == pytest.approx(q + 13, abs=0.7)
    assert targets.mean() == pytest.approx(0.5, abs=0.05)
    measured = task.measured(8, seed=0)
    assert measured.inputs.shape == (q + 3, 8, p + 4)
    assert (measured.lengths == q + 3).all()


def test_2c_is_wrong_from_two_tenths_on():
    task = TriggeredTask(3)
    batch = task.batch(2, seed=0)
    outputs = np.zeros((len(batch.inputs), 2, 2))
    for example, right in enumerate([0.81, 0.79]):
        outputs[batch.lengths[example] - 1, example, batch.targets[example]] = np.log(right / (1 - right))
    assert task.scores(tg.tensor(outputs), batch)["wrong"].tolist() == [False, True]
    assert len(task.symbols) == 3 + 4


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="1 is too few, take at least 2"):
        NoiseFreeTask(1)
    with pytest.raises(InputError, match="0 is too few, take at least 1"):
        TriggeredTask(0)
    with pytest.raises(InputError, match="form=2b is that of the steps; leave symbols out"):
        parse_task("noise_free:form=2b:symbols=3").make(9)
