"""Attention: the equations of the papers in NumPy, one example and one position at a time; masks; exact derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.recording import recorded_ops
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn, tape
from tinygrad_rnn.errors import DTypeError, IndexRangeError, InputError, ShapeError
from tinygrad_rnn.flow import gradient_flow

T, B, N, K = 5, 3, 2, 4
QUERY = {"dot": K, "general": 3, "additive": 3, "additive, bias": 3}


@pytest.fixture(autouse=True)
def _seeded():
    tg.manual_seed(3)


def attention_of(name: str) -> nn.Attention:
    kind, _, bias = name.partition(", ")
    options = {"hidden_size": 6, "bias": bool(bias)} if kind == "additive" else {}
    return nn.Attention(kind, QUERY[name], K, dtype="float64", **options)


def score(module: nn.Attention, q: np.ndarray, k: np.ndarray) -> float:
    w = {name: value.numpy() for name, value in module.named_parameters()}
    if module.kind == "dot":
        return q @ k
    if module.kind == "general":
        return q @ w["weight"] @ k
    return w["weight_score"] @ np.tanh(w["weight_query"] @ q + w["weight_key"] @ k + w.get("bias", 0.0))


def looked_up(module, query, keys, length):
    """Context (K,) and weights (T,) of one query (Q,) to annotations (T, K) of which so many count."""
    e = np.array([score(module, query, key) for key in keys[:length]])
    alpha = np.exp(e) / np.exp(e).sum()
    return alpha @ keys[:length], np.concatenate([alpha, np.zeros(len(keys) - length)])


@pytest.mark.parametrize("lengths", [None, [5, 1, 3]])
@pytest.mark.parametrize("name", QUERY)
def test_contexts_are_means_of_annotations_weighted_by_the_scores_of_the_papers(name, lengths):
    module = attention_of(name)
    keys, queries = tg.randn(T, B, K, dtype="float64"), tg.randn(N, B, QUERY[name], dtype="float64")
    given = None if lengths is None else tg.tensor(lengths)
    together, weights = module(queries, keys, given)
    memory = module.prepare(keys, given)
    for n in range(N):
        context, alpha = module(queries[n], memory)
        for b in range(B):
            length = T if lengths is None else lengths[b]
            wanted = looked_up(module, queries.numpy()[n, b], keys.numpy()[:, b], length)
            for found in ((context[b], alpha[b]), (together[n, b], weights[n, b])):
                for mine, right in zip(found, wanted, strict=True):
                    np.testing.assert_allclose(mine.numpy(), right, rtol=1e-12, atol=1e-15)
            assert (alpha.numpy()[b, length:] == 0).all()
            assert (weights.numpy()[n, b, length:] == 0).all()


@pytest.mark.parametrize("name", QUERY)
def test_a_single_example_needs_no_batch_axis(name):
    module = attention_of(name)
    keys, queries = tg.randn(T, K, dtype="float64"), tg.randn(N, QUERY[name], dtype="float64")
    for length in (None, tg.tensor(2)):
        wanted = [looked_up(module, q, keys.numpy(), T if length is None else 2) for q in queries.numpy()]
        for found, right in zip(module(queries, keys, length), zip(*wanted, strict=True), strict=True):
            np.testing.assert_allclose(found.numpy(), np.stack(right), rtol=1e-12, atol=1e-15)
        for found, right in zip(module(queries[1], keys, length), wanted[1], strict=True):
            np.testing.assert_allclose(found.numpy(), right, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("name", QUERY)
def test_derivatives_agree_with_finite_differences(name, several):
    module = attention_of(name)
    lengths = tg.tensor([3, 1])
    query = tg.randn(*((2,) if several else ()), 2, QUERY[name], dtype="float64", requires_grad=True)
    keys = tg.randn(3, 2, K, dtype="float64", requires_grad=True)
    assert tg.gradcheck(lambda *_: module(query, keys, lengths), [query, keys, *module.parameters()])


@pytest.mark.parametrize("name", QUERY)
def test_what_is_beyond_a_length_gets_no_gradient_and_changes_nothing(name):
    module = attention_of(name)
    keys, query = np.random.default_rng(0).normal(size=(T, 1, K)), tg.randn(1, QUERY[name], dtype="float64")
    padded = keys.copy()
    padded[2:] = 1e6
    results = []
    for array in (keys, padded):
        leaf = tg.tensor(array, requires_grad=True)
        context, weights = module(query, leaf, tg.tensor([2]))
        context.sum().backward()
        assert (leaf.grad.numpy()[2:] == 0).all()
        assert (leaf.grad.numpy()[:2] != 0).any()
        results.append((context.numpy(), weights.numpy()))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_scores_that_would_overflow_give_weights_all_the_same():
    keys = tg.tensor([[[1e4]], [[-1e4]], [[1e4]]])
    _, weights = nn.Attention("dot", 1, 1)(tg.tensor([[1e4]]), keys)
    assert weights.tolist() == [[0.5, 0.0, 0.5]]


def test_what_does_not_depend_on_the_query_is_computed_once():
    module = nn.Attention("additive", 3, K)
    query, keys = tg.zeros(B, 3), tg.zeros(T, B, K)
    memory = module.prepare(keys, tg.tensor([T] * B))
    ran = recorded_ops(lambda: module(query, memory))
    assert ran.count("matmul") == 3  # W q, the scores, the context; U k is in the memory
    assert "broadcastto" not in ran
    assert "copy" not in ran


def test_weights_and_contexts_have_names_and_a_scope():
    module = nn.Attention("general", 3, K)
    with tg.scope("t", 2):
        context, weights = module(tg.zeros(B, 3), tg.zeros(T, B, K))
    assert (context.name, weights.name) == ("context", "attention")
    assert weights.scope[-2:] == (("t", 2), ("attention", None))


def test_the_flow_through_a_decoder_that_attends_is_measured():
    cell, attention = nn.LSTMCell(K, 3, dtype="float64"), nn.Attention("additive", 3, K, dtype="float64")
    memory = attention.prepare(tg.randn(T, B, K, dtype="float64", requires_grad=True))
    state = cell.initial_state((B,))
    for t in range(4):
        with tg.scope("t", t):
            context, _ = attention(state[0], memory)
            state = cell(context, state)
    report = gradient_flow((state[0] * state[0]).sum(1))
    assert report.verdict in ("vanishes", "survives", "explodes")
    assert any(node.name.endswith("attention") for node in report.nodes)


@pytest.mark.host
def test_a_recorded_step_looks_at_the_lengths_it_is_replayed_with():
    module = nn.Attention("dot", K, K)
    query, keys = tg.randn(B, K), tg.randn(T, B, K)
    recorded = tape.record(lambda lengths: module(query, keys, lengths)[1], tg.tensor([5, 5, 5]))
    expected = module(query, keys, tg.tensor([1, 2, 3]))[1]
    np.testing.assert_array_equal(recorded.replay(tg.tensor([1, 2, 3])).numpy(), expected.numpy())
    with pytest.raises(IndexRangeError, match="length 6 is not within 1 and 5"):
        recorded.replay(tg.tensor([1, 6, 3]))


@pytest.mark.host
@pytest.mark.parametrize("length", [0, 6])
def test_a_length_that_leaves_nothing_or_goes_beyond_the_end_is_refused(length):
    with pytest.raises(IndexRangeError, match=f"length {length} is not within 1 and 5"):
        nn.Attention("dot", K, K).prepare(tg.zeros(T, B, K), tg.tensor([5, length, 3]))


@pytest.mark.host
def test_attention_works_on_a_device_without_looking_at_values(fake_cuda):
    module = nn.Attention("additive", 3, K, dtype="float64")
    query, keys = tg.randn(B, 3, dtype="float64"), tg.randn(T, B, K, dtype="float64")
    expected = module(query, keys, tg.tensor([5, 1, 3]))
    module.to("cuda")
    there = query.to("cuda"), keys.to("cuda")
    fake_cuda.reads = 0
    for lengths in (tg.tensor([5, 1, 3]), tg.tensor([5, 1, 3]).to("cuda")):
        found = module(*there, lengths)
        assert fake_cuda.reads == 0
        for mine, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine.to("cpu").numpy(), right.numpy(), rtol=1e-12)
        fake_cuda.reads = 0


# ---- what is made of it ----------------------------------------------------------------------------------------------


def test_the_attentional_vector_is_luongs():
    module = nn.AttentionalVector(K, 3, 6, dtype="float64")
    c, h = (tg.randn(N, B, size, dtype="float64", requires_grad=True) for size in (K, 3))
    w = module.weight.numpy()
    wanted = np.tanh(c.numpy() @ w[:, :K].T + h.numpy() @ w[:, K:].T)
    np.testing.assert_allclose(module(c, h).numpy(), wanted, rtol=1e-12)
    assert tg.gradcheck(lambda *_: module(c, h), [c, h, module.weight])
    with pytest.raises(ShapeError, match=r"the state is \(3, 4\)"):
        module(c[0], c[0])


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("lengths", [None, [5, 1, 3]])
def test_soft_attention_is_that_of_xu(gated, lengths):
    module = nn.SoftAttention(3, K, 6, gated, dtype="float64")
    a, h = tg.randn(T, B, K, dtype="float64"), tg.randn(B, 3, dtype="float64")
    memory = module.prepare(a, None if lengths is None else tg.tensor(lengths))
    z, weights = module(h, memory)
    h0, c0 = module.initial_state(memory)
    w = {name: value.numpy() for name, value in module.named_parameters()}
    for b in range(B):
        length = T if lengths is None else lengths[b]
        context, alpha = looked_up(module.attention, h.numpy()[b], a.numpy()[:, b], length)
        beta = 1 / (1 + np.exp(-(w["gate.weight"][0] @ h.numpy()[b] + w["gate.bias"][0]))) if gated else 1.0
        np.testing.assert_allclose(z.numpy()[b], beta * context, rtol=1e-12)
        np.testing.assert_allclose(weights.numpy()[b], alpha, rtol=1e-12)
        mean = a.numpy()[:length, b].mean(0)
        np.testing.assert_allclose(h0.numpy()[b], np.tanh(w["to_h.weight"] @ mean + w["to_h.bias"]), rtol=1e-12)
        np.testing.assert_allclose(c0.numpy()[b], np.tanh(w["to_c.weight"] @ mean + w["to_c.bias"]), rtol=1e-12)


def test_soft_attention_of_a_single_example():
    module = nn.SoftAttention(3, K, dtype="float64")
    a, h = tg.randn(T, K, dtype="float64"), tg.randn(3, dtype="float64")
    alone, beside = module.prepare(a), module.prepare(a.unsqueeze(1))
    for one, of_batch in (
        (module(h, alone), module(h.unsqueeze(0), beside)),
        (module.initial_state(alone), module.initial_state(beside)),
    ):
        for mine, right in zip(one, of_batch, strict=True):
            np.testing.assert_allclose(mine.numpy(), right.numpy()[0], rtol=1e-14)


def test_the_derivatives_of_soft_attention_and_its_penalty_agree_with_finite_differences():
    module = nn.SoftAttention(2, 3, dtype="float64")
    a = tg.randn(3, 2, 3, dtype="float64", requires_grad=True)
    lengths = tg.tensor([3, 2])

    def loss(*_):
        memory = module.prepare(a, lengths)
        h, c = module.initial_state(memory)
        z, first = module(h, memory)
        _, second = module(z[:, :2] + c, memory)
        return F.doubly_stochastic_penalty([first, second], 0.5) + z.sum()

    assert tg.gradcheck(loss, [a, *module.parameters()])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_doubly_stochastic_penalty_follows_its_definition(reduction):
    weights = np.random.default_rng(0).dirichlet(np.ones(T), size=(N, B))
    by_hand = np.array(
        [0.7 * sum((1 - sum(weights[t, b, i] for t in range(N))) ** 2 for i in range(T)) for b in range(B)]
    )
    wanted = {"mean": by_hand.mean(), "sum": by_hand.sum(), "none": by_hand}[reduction]
    for given in (tg.tensor(weights), list(tg.tensor(weights))):
        found = F.doubly_stochastic_penalty(given, 0.7, reduction)
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12)
    even = tg.full((T, B, T), 1 / T, "float64")
    assert F.doubly_stochastic_penalty(even).item() == pytest.approx(0.0, abs=1e-30)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.Attention("concat", 3, 3), InputError, "kind must be one of dot, general, additive, not 'concat'"),
        (lambda: nn.Attention("dot", 3, 4), InputError, "must be equal, not 3 and 4; 'general' scores have a weight"),
        (lambda: nn.Attention("general", 3, 4, 5), InputError, "belong to additive scores; 'general' has none"),
        (lambda: nn.Attention("dot", 3, 3, bias=True), InputError, "belong to additive scores"),
        (lambda: nn.Attention("additive", 3, 3, 0), InputError, "hidden_size must be a positive whole number"),
        (lambda: nn.Attention("dot", 3, 3)(tg.zeros(2, 3), [1.0]), InputError, "must be a tensor, not a list"),
        (lambda: nn.Attention("dot", 3, 3)(tg.zeros(2, 3), tg.zeros(4, 2, 5)), ShapeError, r"\(T, B, 3\) or \(T, 3\)"),
        (lambda: nn.Attention("dot", 3, 3)(tg.zeros(2, 3), tg.zeros(0, 2, 3)), ShapeError, "at least one position"),
        (
            lambda: nn.Attention("dot", 3, 3)(tg.zeros(5, 3), tg.zeros(4, 2, 3)),
            ShapeError,
            r"must be \(2, 3\) or \(N, 2, 3\), not \(5, 3\)",
        ),
        (lambda: nn.Attention("dot", 3, 3)(tg.zeros(1, 2, 3), tg.zeros(4, 3)), ShapeError, r"\(3\) or \(N, 3\), not"),
        (
            lambda: nn.Attention("general", 3, 3)(tg.zeros(2, 3, dtype="float64"), tg.zeros(4, 2, 3)),
            DTypeError,
            "the input is float64 and the parameters are float32",
        ),
        (lambda: nn.Attention("dot", 3, 3).prepare(tg.zeros(4, 2, 3), tg.tensor([4])), ShapeError, r"must be \(2,\)"),
        (lambda: nn.Attention("dot", 3, 3).prepare(tg.zeros(4, 2, 3), [4.0, 4.0]), DTypeError, "whole numbers, not"),
        (lambda: nn.Attention("dot", 3, 3).prepare(tg.zeros(4, 2, 3), {4, 3}), InputError, r"not \{3, 4\}"),
        (lambda: nn.Attention("dot", 3, 3).prepare(tg.zeros(4, 2, 3), [2**70, 1]), InputError, "that int64 can hold"),
        (
            lambda: nn.Attention("dot", 3, 3).prepare(tg.zeros(2, 4, 3), [4, 3]),
            ShapeError,
            r"must be \(4,\).* not \(2,\); annotations are time-major, \(T, B, K\)",
        ),
        (
            lambda: nn.Attention("dot", 3, 3)(tg.zeros(2, 3), tg.zeros(2, 4, 3)),
            ShapeError,
            r"not \(2, 3\), for annotations of 2 positions and 4 examples; annotations are time-major, \(T, B, K\)",
        ),
        (
            lambda: nn.Attention("general", 3, 3)(
                tg.zeros(2, 3), nn.Attention("general", 3, 3).prepare(tg.zeros(4, 2, 3))
            ),
            InputError,
            "another Attention prepared this memory",
        ),
        (
            lambda: nn.SoftAttention(3, 3).initial_state(tg.zeros(4, 2, 3)),
            InputError,
            "not of a Tensor",
        ),
        (lambda: F.length_mask(tg.tensor([1.0]), 2), DTypeError, "lengths must be int64"),
        (
            lambda: F.length_mask(tg.tensor([1]), "3"),
            InputError,
            "steps must be a whole number >= 0, not '3'",
        ),
        (lambda: F.length_mask(tg.tensor([1]), 3.5), InputError, "length_mask: steps must be a whole number >= 0"),
        (lambda: F.length_mask(tg.tensor([[1]]), 2), ShapeError, r"must be \(B,\)"),
        (
            lambda: nn.Attention("dot", 3, 3)(
                tg.zeros(2, 3), nn.Attention("dot", 3, 3).prepare(tg.zeros(4, 2, 3)), tg.tensor([1, 1])
            ),
            InputError,
            r"give the lengths to prepare\(\)",
        ),
        (lambda: F.doubly_stochastic_penalty([]), ShapeError, "there are no steps"),
        (lambda: F.doubly_stochastic_penalty(tg.zeros()), ShapeError, r"must be \(T, B, L\), not \(\)"),
        (lambda: F.doubly_stochastic_penalty(tg.zeros(0, 2, 3)), ShapeError, "there are no steps"),
        (lambda: F.doubly_stochastic_penalty(5), DTypeError, "weights must be a tensor, not int"),
        (
            lambda: F.doubly_stochastic_penalty([tg.zeros(1, 2), 0]),
            DTypeError,
            r"weights\[1\] must be a tensor",
        ),
        (lambda: F.doubly_stochastic_penalty(tg.zeros(3)), ShapeError, r"must be \(T, B, L\)"),
        (lambda: F.doubly_stochastic_penalty(tg.zeros(1, 1, 1), -1.0), InputError, "strength must be a number >= 0"),
    ],
)
def test_what_does_not_fit_is_named(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("kind", nn.attention.SCORES)
def test_numbers_that_are_none_beyond_a_length_are_not_looked_at(kind: str) -> None:
    keys = np.full((3, 2, 4), np.nan)
    keys[:2, 0], keys[:3, 1] = 1.0, 2.0
    attention = nn.Attention(kind, 4, 4, dtype="float64")
    given, query = tg.tensor(keys, requires_grad=True), tg.ones(2, 4, dtype="float64")
    context, _ = attention(query, given, lengths=tg.tensor([2, 3]))
    np.testing.assert_allclose(context.numpy(), [[1.0] * 4, [2.0] * 4])
    context.square().sum().backward()
    assert np.isfinite(given.grad.numpy()).all()
    assert all(np.isfinite(p.grad.numpy()).all() for p in attention.parameters())


@pytest.mark.parametrize("kind", nn.attention.SCORES)
def test_lengths_may_be_a_list_and_a_batch_may_be_empty(kind: str) -> None:
    attention, keys, query = nn.Attention(kind, 4, 4), tg.randn(3, 2, 4), tg.randn(2, 4)
    expected, _ = attention(query, keys, tg.tensor([2, 3]))
    for lengths in ([2, 3], (2, 3), np.array([2, 3])):
        np.testing.assert_array_equal(attention(query, keys, lengths)[0].numpy(), expected.numpy())
    for queries in ((0, 4), (5, 0, 4)):
        context, weights = attention(tg.ones(*queries), tg.ones(3, 0, 4))
        assert context.shape == queries
        assert weights.shape == (*queries[:-1], 3)
