"""The embedded Reber grammar, one string at a time and as a stream."""

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import Batch, ContinualReberTask, EmbeddedReberTask, parse_task
from tinygrad_rnn.tasks.symbols import one_hot
from tinygrad_rnn.train import SequenceModel

#: The strings of the grammar as a regular expression, from the diagram: after T or P the loops of its two halves.
INNER = "B(?:TS*(?:XS|XXT*V(?:PXT*V)*(?:V|PS))|PT*V(?:PXT*V)*(?:V|PS))E"
EMBEDDED = re.compile(f"B(?:T{INNER}T|P{INNER}P)E")


def strings_of(task, batch):
    """Return what every example reads, with the last target behind it."""
    lengths = [len(batch.inputs)] * batch.size if batch.lengths is None else batch.lengths
    read = ["".join(task.input_labels(batch.inputs[:, example])) for example in range(batch.size)]
    return [
        string + "BTPSXVE"[batch.targets[length - 1, example]]
        for example, (string, length) in enumerate(zip(read, lengths, strict=True))
    ]


def test_the_regular_expression_knows_the_strings_of_the_literature():
    for string in ["BTXSE", "BPVVE", "BTSSXXTVVE", "BPTVPSE", "BPVPXVVE", "BTXXVPSE", "BTXXTTVPXVPXTTVVE"]:
        assert re.fullmatch(INNER, string)
    for string in ["BTSE", "BPXVE", "BTXXSE", "BPVPVE"]:
        assert not re.fullmatch(INNER, string)


@pytest.mark.parametrize("steps", [8, 13, 60])
def test_strings_are_of_the_grammar_and_read_at_most_t_symbols(steps):
    task = EmbeddedReberTask(steps)
    batch = task.batch(1000, seed=0)
    strings = strings_of(task, batch)
    assert all(EMBEDDED.fullmatch(string) for string in strings)
    assert max(map(len, strings)) <= steps + 1
    np.testing.assert_array_equal(batch.lengths, [len(string) - 1 for string in strings])
    assert len(batch.inputs) == batch.lengths.max()
    for example, length in enumerate(batch.lengths):
        assert (batch.mask[:length, example] == 1).all()
        assert (batch.mask[length:, example] == 0).all()
        assert (batch.inputs[1:length, example].argmax(-1) == batch.targets[: length - 1, example]).all()
    if steps == 8:
        assert set(strings) == {"BTBTXSETE", "BTBPVVETE", "BPBTXSEPE", "BPBPVVEPE"}


def test_every_branch_is_taken_with_probability_one_half():
    task = EmbeddedReberTask(60)
    strings = strings_of(task, task.batch(8000, seed=0))
    starts = {"BT": "B", "BTBT": "BTB", "BPBTS": "BPBT", "BPBTSS": "BPBTS", "BPBTXS": "BPBTX"}
    starts |= {"BTBPT": "BTBP", "BTBPVP": "BTBPV", "BPBTXXT": "BPBTXX"}
    for longer, shorter in starts.items():
        there = [string for string in strings if string.startswith(shorter)]
        share = np.mean([string.startswith(longer) for string in there])
        assert share == pytest.approx(0.5, abs=2 / np.sqrt(len(there)))


def test_strings_up_to_a_length_come_as_often_as_if_longer_ones_were_drawn_again():
    random, counts, wanted = np.random.default_rng(0), {}, 12
    edges = {0: [("T", 1), ("P", 2)], 1: [("S", 1), ("X", 3)], 2: [("T", 2), ("V", 4)],
             3: [("X", 2), ("S", 5)], 4: [("P", 3), ("V", 5)]}  # fmt: skip
    for _ in range(8000):
        node, inner = 0, ""
        while node != 5:
            symbol, node = edges[node][random.integers(2)]
            inner += symbol
        counts[inner] = counts.get(inner, 0) + (len(inner) + 6 <= wanted + 1)
    total = sum(counts.values())
    task = EmbeddedReberTask(wanted)
    found = [string[3:-3] for string in strings_of(task, task.batch(8000, seed=1))]
    for inner, count in counts.items():
        share = count / total
        assert found.count(inner) / 8000 == pytest.approx(share, abs=5 * np.sqrt((share + 1e-3) / total))


@pytest.mark.parametrize(("steps", "one_in"), [(20, 48), (50, 539_000)])
def test_so_many_strings_are_left_out_as_the_docstring_says(steps, one_in):
    walks, there = EmbeddedReberTask.walks, np.eye(1, 20)[0]
    for _ in range(steps + 1):
        after = np.zeros_like(there)
        for edge in (0, 1):
            np.add.at(after, walks.nodes[:, edge], there / 2)
        there = after
    assert 1 / (1 - there[-1]) == pytest.approx(one_in, rel=0.002)


@pytest.mark.parametrize("steps", [8, 9, 25, 1000])
def test_the_step_measured_asks_for_the_symbol_before_the_last(steps):
    task = EmbeddedReberTask(steps)
    strings = strings_of(task, task.measured(20, seed=0))
    assert all(len(string) == steps + 1 and EMBEDDED.fullmatch(string + "E") for string in strings)
    assert len(set(strings)) > 1


def test_256_strings_are_learned_and_256_others_evaluated_on():
    learned, evaluated = parse_task("embedded_reber:strings=256").make(50).held_out()
    found = [set(strings_of(task, task.batch(5000, seed=0))) for task in (learned, evaluated)]
    assert [len(strings) for strings in found] == [256, 256]
    assert not found[0] & found[1]
    assert all(EMBEDDED.fullmatch(string) for string in found[0] | found[1])
    again = parse_task("embedded_reber:strings=256").make(50)
    assert set(strings_of(again, again.batch(5000, seed=1))) == found[0]
    with pytest.raises(InputError, match=r"takes 6 different strings.*with 8 steps only 4 were found"):
        EmbeddedReberTask(8, strings=3)
    judged = strings_of(evaluated, evaluated.batch(evaluated.criterion.examples, seed=3))
    assert (len(judged), set(judged)) == (256, found[1])  # each of them once
    free = EmbeddedReberTask(20)
    assert free.held_out() == (free, free)


def answers(string):
    """Return inputs and outputs (T, 1, 7): 1 for what may come next after each symbol, and 0."""
    inputs = one_hot(np.array([["BTPSXVE".index(symbol)] for symbol in string]), 7)
    outputs = np.zeros((len(string), 1, 7))
    for t in range(len(string)):
        outputs[t, 0, ["BTPSXVE".index(symbol) for symbol in LEGAL[string[: t + 1]]]] = 1.0
    return inputs, outputs


LEGAL = {
    "B": "TP", "BT": "B", "BTB": "TP", "BTBT": "SX", "BTBTX": "XS", "BTBTXS": "E", "BTBTXSE": "T", "BTBTXSET": "E",
    "BTBTXSETE": "B", "BTBTXSETEB": "TP",
}  # fmt: skip


def test_a_string_is_right_if_what_may_come_next_is_most_active_at_every_step():
    task = EmbeddedReberTask(8)
    inputs, outputs = answers("BTBTXSET")
    batch = Batch(tg.tensor(inputs), None, np.array([8]), np.ones((8, 1)))
    assert not task.scores(tg.tensor(outputs), batch)["wrong"].any()
    for t in range(8):
        for k in range(7):
            worse = outputs.copy()
            worse[t, 0, k] = 0.5  # above what may not come, below what may
            assert task.scores(tg.tensor(worse), batch)["wrong"].tolist() == [False]
            worse[t, 0, k] = 1.0 - outputs[t, 0, k]
            assert task.scores(tg.tensor(worse), batch)["wrong"].tolist() == [True]
    batch = Batch(tg.tensor(inputs), None, np.array([7]), np.ones((8, 1)) * (np.arange(8) < 7)[:, None])
    outputs[7] = 0.0
    assert not task.scores(tg.tensor(outputs), batch)["wrong"].any()


def test_a_stream_is_strings_of_the_grammar_without_end():
    task = ContinualReberTask(200)
    for string in strings_of(task, task.batch(50, seed=0)):
        whole, _, rest = re.fullmatch(f"((?:{EMBEDDED.pattern})*)((?!{EMBEDDED.pattern})(.*))", string).groups()
        assert whole
        assert len(rest) < 60
        assert rest[:1] in ("", "B")
    ends = strings_of(task, task.measured(50, seed=0))
    assert all(re.fullmatch(f"(?:{EMBEDDED.pattern})+", string + "E") for string in ends)
    assert {string[-1] for string in ends} == {"T", "P"}


def test_windows_of_a_stream_go_on_where_the_one_before_ended():
    stream = ContinualReberTask(10).stream(7, seed=3)
    windows = [next(stream) for _ in range(5)]
    whole = ContinualReberTask(50).batch(7, seed=3)
    np.testing.assert_array_equal(np.concatenate([window.inputs for window in windows]), whole.inputs)
    np.testing.assert_array_equal(np.concatenate([window.targets for window in windows]), whole.targets)


def test_a_state_that_is_carried_over_makes_windows_one_stream():
    model = SequenceModel("lstm", 7, 5, 7, dtype="float64")
    stream, state, outputs = ContinualReberTask(10).stream(3, seed=0, dtype="float64"), None, []
    for _ in range(4):
        found, state = model(tg.tensor(next(stream).inputs), state)
        outputs.append(found.numpy())
    whole, _ = model(tg.tensor(ContinualReberTask(40).batch(3, seed=0, dtype="float64").inputs))
    np.testing.assert_allclose(np.concatenate(outputs), whole.numpy(), rtol=1e-12)


def test_a_stream_says_how_far_it_went_well():
    task = ContinualReberTask(10)
    inputs, outputs = answers("BTBTXSETEB")
    inputs, outputs = np.repeat(inputs, 3, axis=1), np.repeat(outputs, 3, axis=1)
    outputs[9, 1] = outputs[4:6, 2] = 0.0
    scores = task.scores(tg.tensor(outputs), Batch(tg.tensor(inputs), None))
    assert scores["wrong"].tolist() == [False, True, True]
    assert scores["symbols"].tolist() == [10, 9, 4]


@pytest.mark.parametrize("task", [EmbeddedReberTask, ContinualReberTask])
def test_seven_steps_are_too_few(task):
    with pytest.raises(InputError, match="7 is too few, take at least 8"):
        task(7)
