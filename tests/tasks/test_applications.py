"""Applications of the texts: what they draw, recomputed by slower means, and that their criteria can be met."""

import io
import keyword
import tokenize

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import parse_task
from tinygrad_rnn.tasks.code import CLASSES, classes_of
from tinygrad_rnn.tasks.series import series
from tinygrad_rnn.train import MODELS, assess, fit


def made(text, steps=None):
    spec = parse_task(text)
    return spec.make(steps, spec.entry.reads().text if spec.entry.reads else None)


def trained(text, cell, updates, lr, steps=None, hidden=32):
    task, held_out = made(text, steps).held_out()
    tg.manual_seed(0)
    model = MODELS[task.model].for_task(task, cell, hidden)
    for _ in fit(model, task, optim.Adam(model.parameters(), lr=lr), updates, 32):
        pass
    return held_out, assess(model, held_out, 256)


def test_the_verb_agrees_with_the_first_noun_and_the_others_say_nothing():
    task = made("agreement", 9)
    batch = task.batch(400, seed=0)
    firsts, lasts = [], []
    for example in range(400):
        words = task.input_labels(batch.inputs[:, example])
        nouns = [word for word in words if word in words_of("key dog lamp sister boat king writer cloud")]
        assert words[0] == "the"
        firsts.append(nouns[0].endswith("s"))
        lasts.append(nouns[-1].endswith("s"))
    assert firsts == (batch.targets == 1).tolist()
    assert 0.4 < np.mean(np.array(lasts) == batch.targets) < 0.65


def words_of(singular):
    nouns = singular.split()
    return {*nouns, *[f"{noun}s" for noun in nouns]}


def test_each_negation_turns_the_adjective_round():
    task = made("sentiment", 14)
    batch = task.batch(600, seed=3)
    kind, good, denied = [], [], []
    for example, length in enumerate(batch.lengths):
        words = task.input_labels(batch.inputs[:, example])
        assert all(words[:length])
        assert not any(words[length:])
        good.append(words[length - 1] in ("good", "lovely", "brilliant", "charming"))
        negations = sum(word in ("doubt", "nobody", "not", "never") for word in words)
        denied.append(negations)
        kind.append(good[-1] ^ (negations % 2))
    assert kind == batch.targets.tolist()
    assert 0.4 < np.mean(np.array(good) == batch.targets) < 0.6  # the adjective alone says nothing
    assert len(set(batch.lengths)) > 3
    np.testing.assert_allclose(np.bincount(denied) / 600, [5 / 12, 1 / 2, 1 / 12], atol=0.05)


@pytest.mark.parametrize(("name", "least"), [("agreement", 2), ("sentiment", 8)])
def test_a_sentence_needs_room(name, least):
    made(name, least).batch(3, 0)
    with pytest.raises(InputError, match=f"; {least - 1} is too few, take at least {least}"):
        made(name, least - 1)


def test_the_longest_form_of_a_sentence_has_as_many_words_as_the_least_t():
    batch = made("sentiment", 8).batch(200, seed=0)
    sentences = [" ".join(made("sentiment", 8).input_labels(x)).split() for x in batch.inputs.transpose(1, 0, 2)]
    assert max(map(len, sentences)) == 8
    assert {len(words) for words in sentences if words[-2] in ("not", "never")} == {8}


SOURCE = """def area(r):  # of a circle
    if r < 0:
        raise ValueError(f"{r} is below 0")
    return 3.14 * r ** 2
"""


def test_characters_of_source_have_the_classes_of_their_tokens():
    classes = classes_of(SOURCE)
    lines, begins = SOURCE.splitlines(keepends=True), [0]
    for line in lines:
        begins.append(begins[-1] + len(line))
    for token in tokenize.generate_tokens(io.StringIO(SOURCE).readline):
        wanted = {tokenize.NUMBER: "number", tokenize.COMMENT: "comment", tokenize.OP: "operator"}.get(token.type)
        if token.type == tokenize.NAME:
            wanted = "keyword" if keyword.iskeyword(token.string) else "name"
        if wanted and token.start[0] != 3:  # in line 3 is an f-string, which Python 3.12 takes apart
            where = begins[token.start[0] - 1] + token.start[1]
            assert {CLASSES[number] for number in classes[where : where + len(token.string)]} == {wanted}
    string = SOURCE.index('f"')
    assert CLASSES[classes[string]] == "string"
    assert CLASSES[classes[SOURCE.index(" of a circle") - 1]] == "comment"
    with pytest.raises(InputError, match="no Python source"):
        classes_of("def f(:\n  '''")


@pytest.mark.parametrize("by", ["image", "row", "pixel"])
def test_digits_are_those_of_scikit_learn_each_learned_or_held_out(by):
    from sklearn.datasets import load_digits

    task, held_out = made(f"digits:by={by}").held_out()
    found = load_digits()
    rows = {image.tobytes(): label for image, label in zip(found.data / 16, found.target, strict=True)}
    seen = []
    for part, size in ((task, 1437), (held_out, 360)):
        batch = part.batch(size, 0, "float64")
        images = batch.inputs.transpose(1, 0, 2).reshape(size, 64)
        assert [rows[image.tobytes()] for image in images] == batch.targets.tolist()
        seen += [image.tobytes() for image in images]
    assert len(set(seen)) == len(rows)


@pytest.mark.parametrize("feed", ["level", "difference"])
@pytest.mark.parametrize("of", ["sunspots", "co2"])
def test_scores_of_a_series_are_squared_errors_in_its_own_units(of, feed):
    task = made(f"series:of={of}:feed={feed}", 60).held_out()[1]
    values, season = series(of), task.season
    batch = task.batch(16, 0, "float64")
    scores = task.scores(tg.zeros(60, 16, 1, dtype="float64"), batch)
    asked = values[int(len(values) * 0.8) :]
    for example in range(16):
        read = task._in_units(batch.inputs[:, example, 0])
        target = task._in_units(batch.targets[-1, example])
        if feed == "difference":
            places = [at for at in range(60, len(values) - 1) if np.allclose(np.diff(values)[at - 60 : at], read)]
            now = [(values[at], values[at + 1], values[at + 1 - season]) for at in places]
        else:
            places = [at for at in range(60, len(values)) if np.allclose(values[at - 60 : at], read)]
            now = [(values[at - 1], values[at], values[at - season]) for at in places]
        last, next_value, before = now[0]
        assert np.isclose(target, next_value - last if feed == "difference" else next_value)
        assert next_value in asked
        np.testing.assert_allclose(scores["last value"][example], (next_value - last) ** 2, atol=1e-9)
        np.testing.assert_allclose(scores["a season ago"][example], (next_value - before) ** 2, atol=1e-9)
        mean = last + task._mean if feed == "difference" else task._mean
        np.testing.assert_allclose(scores["squared error"][example], (next_value - mean) ** 2, atol=1e-9)


@pytest.mark.parametrize("feed", ["level", "difference"])
def test_what_was_learned_of_a_series_is_read_and_not_asked_when_it_is_judged(feed):
    learned, held_out = made(f"series:feed={feed}", 60).held_out()
    assert learned.batch(4, 0).mask is None
    held_out._fed = np.arange(float(len(held_out._fed)))  # values that say their place; the first 60 were learned
    batch = held_out.batch(32, 0, "float64")
    places = batch.targets * held_out._deviation + held_out._mean
    np.testing.assert_array_equal(batch.mask > 0, places > 59.5)
    errors = batch.targets**2
    loss = held_out.loss(tg.zeros(60, 32, 1, dtype="float64"), batch).item()
    assert np.isclose(loss, errors[places > 59.5].mean())
    assert not np.isclose(loss, errors.mean())


def test_hello_is_written_and_not_without_a_state():
    held_out, scores = trained("hello", "rnn", 60, 0.05, hidden=8)
    assert held_out.criterion.met(scores)
    task = made("hello")
    batch = task.batch(1, 0, "float64")
    best = np.log([[1e-300, 1e-300, 1.0, 1e-300]] * 4)  # what each letter alone allows: l is followed by l or o
    best[0], best[2:] = np.log([1.0, 1e-300, 1e-300, 1e-300]), np.log([1e-300, 1e-300, 0.5, 0.5])
    best[1] = np.log([1e-300, 1e-300, 1.0, 1e-300])
    loss = task.loss(tg.tensor(best[:, None]), batch).item()
    assert np.isclose(loss, np.log(2) / 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cell", "updates", "lr"),
    [
        ("agreement", "gru", 400, 0.01),
        ("sentiment", "gru", 800, 0.01),
        ("tokens", "gru", 100, 0.01),
        ("digits:by=image", "rnn", 400, 0.01),
        ("digits:by=row", "lstm", 500, 0.01),
        ("series", "lstm", 300, 0.005),
        ("series:of=co2:feed=difference", "gru", 200, 0.005),
    ],
)
def test_applications_reach_their_criteria(name, cell, updates, lr):
    held_out, scores = trained(name, cell, updates, lr, hidden=64)
    assert held_out.criterion.met(scores), scores
