"""One to many, many to one, many to many: small modules that are what the layers inside them are."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import InputError, ShapeError
from tinygrad_rnn.flow.lanes import lanes_in

T, B, I, H, O, WORDS = 5, 3, 4, 4, 2, 7  # noqa: E741
LENGTHS = [2, 5, 1]


@pytest.fixture(autouse=True)
def _seeded():
    tg.manual_seed(3)


def layers(cell: str = "lstm", inputs: int = I, **options) -> nn.Recurrent:
    return nn.Recurrent(cell, inputs, H, dtype="float64", **options)


def head_of(recurrent: nn.Recurrent, answers: int = O) -> nn.Linear:
    return nn.Linear(recurrent.output_size, answers, dtype="float64")


def equal(a: tg.Tensor, b: tg.Tensor, atol: float = 1e-14) -> None:
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=atol)


def most_likely(answer: tg.Tensor) -> tg.Tensor:
    return answer.argmax(axis=-1)


# ---- a step of recurrent layers ------------------------------------------------------------------------------------


@pytest.mark.many_launches
@pytest.mark.parametrize("cell", nn.CELLS)
def test_steps_one_by_one_are_what_the_layers_do_along_the_sequence(cell: str) -> None:
    recurrent = layers(cell, num_layers=2, zoneout=0.3).eval()
    x = tg.randn(T, B, I, dtype="float64")
    start = tuple(tg.randn(2, *shape, dtype="float64") for shape in recurrent.cell().state_shapes((B,)))
    state = start if len(start) > 1 else start[0]
    outputs, final = recurrent(x, state)
    states = recurrent.parted(state, (B,))
    for t in range(T):
        h, states = recurrent.step(x[t], states, t)
        equal(h, outputs[t])
    ours, theirs = ((each,) if isinstance(each, tg.Tensor) else each for each in (recurrent.joined(states), final))
    for one, other in zip(ours, theirs, strict=True):
        equal(one, other)


@pytest.mark.many_launches
def test_dropout_and_zoneout_act_in_a_step_of_learning() -> None:
    recurrent = nn.Recurrent("rnn", I, 200, num_layers=2, dropout=0.5, zoneout=0.25)
    _, (first, second) = recurrent.step(tg.ones(B, I), recurrent.parted(None, (B,)))
    assert abs((first == 0).cast("float32").mean().item() - 0.25) < 0.1
    assert abs((second == 0).cast("float32").mean().item() - 0.25) < 0.1
    once, again = (recurrent.step(tg.ones(B, I), recurrent.parted(None, (B,)))[0] for _ in range(2))
    assert (once != again).any()


def test_a_step_lies_in_the_scope_of_its_layer_and_number() -> None:
    recurrent = layers("gru", num_layers=2)
    h, _ = recurrent.step(tg.ones(B, I, dtype="float64"), recurrent.parted(None, (B,)), 4)
    assert h.scope == (("layer", 1), ("t", 4))
    assert h.name == "h"


# ---- many to one, many to many, one to many ------------------------------------------------------------------------


@pytest.mark.parametrize("batch_first", [False, True])
def test_the_last_outputs_are_those_of_each_direction_after_its_last_step(batch_first: bool) -> None:
    recurrent = layers(num_layers=2, bidirectional=True, batch_first=batch_first)
    x = tg.randn(T, B, I, dtype="float64")
    given = x.transpose(0, 1) if batch_first else x
    output, final = recurrent(given, lengths=LENGTHS)
    found = nn.last_output(recurrent, final)
    output = output.transpose(0, 1) if batch_first else output
    for i, length in enumerate(LENGTHS):
        equal(found[i, :H], output[length - 1, i, :H])
        equal(found[i, H:], output[0, i, H:])


def test_one_answer_to_sequences_of_several_lengths_is_that_to_each_alone() -> None:
    recurrent = layers("gru", num_layers=2, bidirectional=True)
    model = nn.Many2One(recurrent, head_of(recurrent), nn.Embedding(WORDS, I, dtype="float64"))
    ids = tg.tensor(np.random.default_rng(0).integers(0, WORDS, (T, B)))
    answers = model(ids, lengths=LENGTHS)
    assert answers.shape == (B, O)
    for i, length in enumerate(LENGTHS):
        equal(answers[i], model(ids[:length, i : i + 1])[0])
        equal(answers[i], model(ids[:length, i]))  # without a batch


def test_an_answer_at_every_step_is_the_head_of_every_output() -> None:
    recurrent = layers()
    head = head_of(recurrent)
    x = tg.randn(T, B, I, dtype="float64")
    answers, (h, c) = nn.Many2Many(recurrent, head)(x, lengths=LENGTHS)
    output, final = recurrent(x, lengths=LENGTHS)
    equal(answers, head(output))
    equal(h, final[0])
    equal(c, final[1])
    equal(nn.Many2Many(recurrent)(x, lengths=LENGTHS)[0], output)


@pytest.mark.parametrize("batch_first", [False, True])
def test_one_vector_is_the_input_of_every_step(batch_first: bool) -> None:
    recurrent = layers("gru", batch_first=batch_first)
    head = head_of(recurrent)
    x = tg.randn(B, I, dtype="float64")
    answers = nn.One2Many(recurrent, head)(x, T)
    equal(answers, head(recurrent(tg.stack([x] * T, axis=1 if batch_first else 0))[0]))
    assert nn.One2Many(recurrent, head)(x[0], T).shape == (T, O)


@pytest.mark.parametrize("cell", ["gru", "lstm", "lstm:proj_size=2", "grid", "fgr"])
def test_a_vector_gives_every_kind_of_state_to_begin_with(cell: str) -> None:
    recurrent = layers(cell, num_layers=2, bidirectional=True)
    start = nn.InitialState(6, recurrent)
    x = tg.randn(B, 6, dtype="float64")
    state = start(x)
    recurrent(tg.ones(T, B, I, dtype="float64"), state)  # it fits
    recurrent(tg.ones(T, I, dtype="float64"), start(x[0]))
    for name, part in zip(recurrent.cell().state_names, state if isinstance(state, tuple) else (state,), strict=True):
        linear = getattr(start, f"to_{name}")
        flat = np.tanh(x.numpy() @ linear.weight.numpy().T + linear.bias.numpy())
        np.testing.assert_allclose(np.concatenate(list(part.numpy()), axis=-1), flat, rtol=0, atol=1e-14)


# ---- decoders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"num_layers": 2}])
def test_what_was_read_as_targets_gives_what_reading_its_own_words_gave(options: dict[str, object]) -> None:
    recurrent = layers(**options)
    embed = nn.Embedding(WORDS, I, dtype="float64")
    words = nn.Decoder(recurrent, head_of(recurrent, WORDS), embed, most_likely)
    for parameter in words.parameters():  # so large that it does not say the same word all the time
        parameter.assign_(4.0 * parameter.detach())
    start = tg.tensor([1, 2, 3])
    state = nn.InitialState(6, recurrent)(tg.randn(B, 6, dtype="float64") * 3)
    alone, (h, c) = words(start, state, steps=T)
    said = most_likely(alone)
    assert len(set(said.numpy().ravel())) > 1
    taught, (taught_h, taught_c) = words(start, state, targets=said)
    equal(alone, taught)
    equal(h, taught_h)
    equal(c, taught_c)
    other = words(start, state, targets=(said + 1) - WORDS * (said == WORDS - 1).cast("int64"))[0]
    time = 1 if options.get("batch_first") else 0
    first, later = other.split([1, T - 1], axis=time), taught.split([1, T - 1], axis=time)
    equal(first[0], later[0])  # what was said there is not read yet
    assert (first[1] != later[1]).all()


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("batch", [(), (B,)])
@pytest.mark.parametrize("steps", [1, T])
def test_answers_that_are_numbers_are_read_as_they_are(batch_first: bool, batch: tuple[int, ...], steps: int) -> None:
    recurrent = layers("gru", inputs=I, batch_first=batch_first)
    for embed, answers in ((None, I), (nn.Linear(O, I, dtype="float64"), O)):
        decoder = nn.Decoder(recurrent, head_of(recurrent, answers), embed)
        first = tg.randn(*batch, answers, dtype="float64")
        alone, _ = decoder(first, steps=steps)
        assert alone.shape == ((B, steps, answers) if batch_first and batch else (steps, *batch, answers))
        equal(alone, decoder(first, targets=alone)[0])


@pytest.mark.many_launches
def test_an_error_at_the_end_reaches_the_first_word_and_the_state_through_the_own_answers() -> None:
    recurrent = layers("gru")
    decoder = nn.Decoder(recurrent, head_of(recurrent, I))
    first = tg.randn(B, I, dtype="float64", requires_grad=True)
    h = tg.randn(1, B, H, dtype="float64", requires_grad=True)
    assert tg.gradcheck(lambda first, h: decoder(first, h, steps=3)[0][-1], (first, h))


def test_a_sequence_becomes_another_one_from_where_the_first_one_ended() -> None:
    encoder, inner = layers(num_layers=2), layers(num_layers=2, inputs=O)
    decoder = nn.Decoder(inner, head_of(inner))
    model = nn.EncoderDecoder(encoder, decoder)
    x, first = tg.randn(T, B, I, dtype="float64"), tg.zeros(B, O, dtype="float64")
    expected = decoder(first, encoder(x, lengths=LENGTHS)[1], steps=4)[0]
    equal(model(x, first, steps=4, lengths=LENGTHS)[0], expected)
    taught = model(x, first, targets=expected, lengths=LENGTHS)[0]
    equal(taught, expected)
    (taught * taught).sum().backward()
    assert all(parameter.grad is not None and (parameter.grad != 0).any() for parameter in model.parameters())


def test_a_batch_without_examples_is_decoded_to_none() -> None:
    decoder = nn.Decoder(nn.GRU(I, H), nn.Linear(H, I))
    assert decoder(tg.zeros(0, I), targets=tg.zeros(T, 0, I))[0].shape == (T, 0, I)
    assert decoder(tg.zeros(0, I), steps=3)[0].shape == (3, 0, I)


def test_the_states_of_encoder_and_decoder_are_told_apart() -> None:
    inner = layers(inputs=O)
    model = nn.EncoderDecoder(layers(), nn.Decoder(inner, head_of(inner)))
    outputs, _ = model(tg.randn(T, B, I, dtype="float64"), tg.zeros(B, O, dtype="float64"), steps=2)
    seen, waiting = set(), [outputs.edge[0]]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += [parent for parent, _ in node.parents]
    lanes = lanes_in(sorted(seen, key=lambda node: node.serial))
    assert [(lane.scope[0][0], lane.steps) for lane in lanes] == [
        ("encoder", tuple(range(T))), ("decoder", (0, 1)),
    ]  # fmt: skip


def test_a_bridge_makes_the_state_of_the_one_into_that_of_the_other() -> None:
    class Sides(nn.Module):
        def forward(self, state):
            return tg.concat(list(state), axis=-1).unsqueeze(0)

    encoder = layers("gru", bidirectional=True)
    inner = nn.GRU(O, 2 * H, dtype="float64")
    decoder = nn.Decoder(inner, head_of(inner))
    x, first = tg.randn(T, B, I, dtype="float64"), tg.zeros(B, O, dtype="float64")
    with pytest.raises(ShapeError, match=r"GRU: the initial h must have shape \(1, 3, 8\), not \(2, 3, 4\)"):
        nn.EncoderDecoder(encoder, decoder)(x, first, steps=2)
    outputs, _ = nn.EncoderDecoder(encoder, decoder, Sides())(x, first, steps=2)
    equal(outputs, decoder(first, Sides()(encoder(x)[1]), steps=2)[0])


# ---- errors --------------------------------------------------------------------------------------------------------


def decoder(**options) -> nn.Decoder:
    return nn.Decoder(nn.GRU(I, H, **options), nn.Linear(H, I))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: decoder(bidirectional=True), InputError, "Decoder: .* bidirectional=False"),
        (lambda: decoder()(tg.zeros(B, I)), InputError, "one of both"),
        (lambda: decoder()(tg.zeros(B, I), steps=2, targets=tg.zeros(T, B, I)), InputError, "one of both"),
        (lambda: decoder()(tg.zeros(B, I), steps=0), InputError, "Decoder: steps must be a positive whole number"),
        (lambda: decoder()(tg.zeros(B, I), targets=tg.zeros(T, 2, I)), ShapeError, r"\(5, 2, 4\), not \(3, 4\)"),
        (
            lambda: decoder()(tg.zeros(B, I), targets=tg.zeros(0, B, I)),
            ShapeError,
            r"no steps in the targets of shape \(0, ",
        ),
        (lambda: decoder()(tg.zeros(B, I), targets=tg.zeros()), ShapeError, r"one step of the targets of shape \(\)"),
        (
            lambda: nn.Decoder(nn.Linear(I, H), nn.Linear(H, I)),
            InputError,
            "Decoder: recurrent must be .*, not a Linear",
        ),
        (lambda: nn.Decoder(nn.GRUCell(I, H), nn.Linear(H, I)), InputError, "nn.GRU.*, not a GRUCell"),
        (lambda: nn.InitialState(I, nn.GRU), InputError, "InitialState: recurrent must be .*, not the class GRU"),
        (lambda: nn.Many2One(None, nn.Linear(H, O)), InputError, "Many2One: recurrent must be .*, not a NoneType"),
        (lambda: nn.Many2One(nn.GRU(I, H), None), InputError, "Many2One: head must be a module, not a NoneType"),
        (lambda: nn.Many2Many(nn.GRU(I, H), embed=5), InputError, "Many2Many: embed must be a module, not a int"),
        (lambda: nn.One2Many(nn.GRU(I, H), nn.Linear), InputError, "One2Many: head must be .*, not the class Linear"),
        (lambda: nn.EncoderDecoder(nn.GRU(I, H), nn.GRU(I, H)), InputError, "decoder must be an nn.Decoder, not a GRU"),
        (
            lambda: decoder()(tg.zeros(B, I), targets=np.zeros((T, B, I))),
            InputError,
            "Decoder: the input must be a tensor",
        ),
        (lambda: decoder()([1.0], targets=tg.zeros(T, B, I)), InputError, "Decoder: the input must be a tensor"),
        (
            lambda: nn.One2Many(nn.GRU(I, H), nn.Linear(H, O))(np.zeros((B, I)), 2),
            InputError,
            "One2Many: the input must",
        ),
        (lambda: nn.last_output(nn.GRU(I, H), None), InputError, "the state must be .*, not a NoneType"),
        (lambda: nn.last_output(nn.Linear(I, H), tg.zeros(1, B, H)), InputError, "last_output: recurrent must be"),
        (lambda: nn.One2Many(nn.GRU(I, H), nn.Linear(H, O))(tg.zeros(B, I), 0), InputError, "One2Many: steps"),
        (lambda: nn.GRU(I, H, bidirectional=True).step(tg.zeros(B, I), []), InputError, "GRU.step: .* bidirectional"),
        (
            lambda: nn.Recurrent("gru", I, H, variational=0.5).step(tg.zeros(B, I), []),
            InputError,
            "Recurrent.step: variational dropout needs the whole sequence",
        ),
        (lambda: nn.GRU(I, H).parted(tg.zeros(1, 2, H), (B,)), ShapeError, "initial h must have shape"),
    ],
)
def test_what_does_not_fit_is_named(call, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
