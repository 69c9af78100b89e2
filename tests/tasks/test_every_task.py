"""What holds for every task of the table, in every form."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.tasks import TASKS, parse_task
from tinygrad_rnn.train import MODELS, assess, fit, measure, training_tape

#: Forms beside the first, by the text that asks for them.
FORMS = [
    "adding:form=1997", "temporal_order:form=6b", "copy:symbols=3:length=4", "two_sequences:form=3b",
    "two_sequences:form=3c:informative=1", "noise_free:form=2b", "noise_free:form=2c", "embedded_reber:strings=4",
    "marked_bit:span=2",
]  # fmt: skip
#: Those that a paper set.
OF_PAPERS = [name for name, entry in TASKS.items() if any(year in entry.reference for year in ("1994", "1997", "2001"))]
every_task = pytest.mark.parametrize("spec", [*TASKS, *FORMS])


def made(spec, steps=12):
    found = parse_task(spec)
    text = "to_be = not_to_be or 3  # that is the question" if found.entry.reads else None
    return found.make(None if found.entry.steps is None else steps, text)


def fresh(task):
    tg.manual_seed(0)
    return MODELS[task.model].for_task(task, "gru", 5)


def equal(a, b):
    return all((x is None and y is None) or np.array_equal(x, y) for x, y in zip(a.parts(), b.parts(), strict=True))


@every_task
@pytest.mark.parametrize("kind", ["batch", "measured"])
def test_examples_are_a_function_of_size_and_seed(spec, kind):
    task = made(spec)
    draw = getattr(task, kind)
    first, again, other = draw(40, (1, 0, 7)), getattr(made(spec), kind)(40, (1, 0, 7)), draw(40, (1, 0, 8))
    assert equal(first, again)
    same = spec == "hello" or (spec == "anbncn" and kind == "measured")  # the only one; the longest string
    assert equal(first, other) is same


@every_task
def test_arrays_are_of_the_sizes_and_dtypes_that_the_task_says(spec):
    task = made(spec)
    for draw in (task.batch, task.measured):
        for dtype in ("float32", "float64"):
            batch = draw(6, seed=0, dtype=dtype)
            assert batch.size == 6
            axis = MODELS[task.model].batch_axis
            assert (batch.inputs.shape[axis], batch.inputs.shape[-1]) == (6, task.input_size)
            for part in batch.parts():
                assert part is None or part.dtype in (dtype, np.int64)
            if batch.lengths is not None:
                behind = np.arange(len(batch.inputs))[:, None] >= batch.lengths
                assert (batch.inputs[behind] == 0).all()
            if batch.mask is not None:
                assert batch.mask.shape == batch.targets.shape[:2]
    assert task.name == parse_task(spec).name


@every_task
def test_what_is_measured_has_t_steps_and_each_has_a_label(spec):
    task = made(spec)
    batch = task.measured(5, seed=0)
    labels = {"inputs": task.input_labels, "replies": task.reply_labels}
    parts = {part: getattr(batch, part) for part in MODELS[task.model].reads}
    assert sum(map(len, parts.values())) == task.measured_steps
    assert batch.lengths is None or (batch.lengths == task.steps).all()
    for part, read in parts.items():
        assert all(len(labels[part](read[:, example])) == len(read) for example in range(5))


@every_task
def test_a_model_trains_on_it_and_is_measured_and_judged(spec, monkeypatch):
    task = made(spec)
    model = fresh(task)
    with monkeypatch.context() as patch:
        examples = task.batch(4, seed=0)
        patch.setattr(task, "batch", lambda *_: examples)  # few enough to know by heart
        updates = list(fit(model, task, optim.Adam(model.parameters(), lr=0.05), updates=15, batch=4))
    assert updates[-1].loss < 0.9 * updates[0].loss
    for each in task.held_out():
        scores = assess(model, each, batch=16)
        assert task.criterion is None or task.criterion.met(scores) in (True, False)
    report = measure(model.converted("float64"), task, batch=3).report
    assert report.verdict is not None
    assert (report.verdict == "withheld") is (task.steps == 1)  # with one step nothing flows through time
    assert len(report.steps) == task.measured_steps


@every_task
def test_a_training_step_is_recorded_with_its_batch(spec):
    task = made(spec)
    model, other = fresh(task), fresh(task)
    recorded = training_tape(model, task, optim.SGD(model.parameters(), lr=0.1), batch=4)
    update = next(fit(other, task, optim.SGD(other.parameters(), lr=0.1), updates=1, batch=4))
    np.testing.assert_allclose(recorded.result[0].item(), update.loss, rtol=1e-6)
    drawn = [part for part in task.batch(4, (0, 0, 0)).parts() if part is not None]
    loss, _ = recorded.replay(*map(tg.tensor, drawn))
    assert loss.item() < update.loss  # the same examples, one update later


@every_task
def test_a_task_says_what_it_is_and_where_it_is_from(spec):
    entry = parse_task(spec).entry
    assert entry.summary
    assert entry.reference


@pytest.mark.parametrize("spec", [name for name in OF_PAPERS if name != "conflict"])
def test_a_task_of_a_paper_says_when_it_is_solved(spec):
    task = made(spec)
    assert task.criterion.met({task.criterion.score: 0.0})
    assert not task.criterion.met({task.criterion.score: 0.5})


@pytest.mark.parametrize(
    ("spec", "most", "examples"),
    [
        ("adding:form=1997", 0, 2000), ("multiplication", 12, 2000), ("temporal_order", 0, 2000),
        ("two_sequences", 0, 256), ("two_sequences:form=3b", 5, 256), ("noise_free:form=2b", 0, 2000),
        ("noise_free:form=2c", 0, 2000), ("embedded_reber:strings=4", 0, 4), ("anbncn", 0, 3),
    ],
)  # fmt: skip
def test_so_many_may_be_wrong_of_so_many(spec, most, examples):
    criterion = made(spec).criterion
    assert criterion.examples == examples
    assert criterion.met({"wrong": most / examples})
    assert not criterion.met({"wrong": (most + 1) / examples})
