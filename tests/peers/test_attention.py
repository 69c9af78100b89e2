"""Attention beside the same equations composed of PyTorch's ops: outputs and all gradients, along a whole decoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tinygrad_rnn as tg
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn

pytestmark = pytest.mark.peers

T, B, K, Q, A, STEPS = 11, 4, 6, 5, 7, 3
KINDS = ("dot", "general", "additive")


def their_scores(kind, w, query, keys):
    """Return e (B, T) for a query (B, Q) and annotations (T, B, K)."""
    if kind == "dot":
        return torch.einsum("bk,tbk->bt", query, keys)
    if kind == "general":
        return torch.einsum("bq,qk,tbk->bt", query, w["weight"], keys)
    return (query @ w["weight_query"].T + keys @ w["weight_key"].T + w.get("bias", 0.0)).tanh().matmul(
        w["weight_score"]
    ).T  # fmt: skip


def their_attention(kind, w, query, keys, lengths):
    beyond = torch.arange(len(keys)) >= torch.tensor(lengths)[:, None]
    weights = their_scores(kind, w, query, keys).masked_fill(beyond, -torch.inf).softmax(-1)
    return torch.einsum("bt,tbk->bk", weights, keys), weights


def agree(pairs):
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_decoder_with_attention_computes_what_torch_computes(kind):
    tg.manual_seed(0)
    size = K if kind == "dot" else Q
    attention = nn.Attention(kind, size, K, A if kind == "additive" else None, dtype="float64")
    cell, vector = nn.GRUCell(K, size, dtype="float64"), nn.AttentionalVector(K, size, dtype="float64")
    keys, lengths = tg.randn(T, B, K, dtype="float64", requires_grad=True), [11, 1, 5, 8]
    h, seen = cell.initial_state((B,)), []
    memory, context = attention.prepare(keys, tg.tensor(lengths)), tg.zeros(B, K, dtype="float64")
    for _ in range(STEPS):
        h = cell(context, h)
        context, weights = attention(h, memory)
        seen.append(weights)
    loss = vector(context, h).sum() + F.doubly_stochastic_penalty(seen, 0.3)
    loss.backward()

    modules = {"attention": attention, "cell": cell, "vector": vector}
    w = {
        room: {name: torch.tensor(p.numpy(), requires_grad=True) for name, p in module.named_parameters()}
        for room, module in modules.items()
    }
    their_cell = torch.nn.GRUCell(K, size, dtype=torch.float64)
    their_keys = torch.tensor(keys.numpy(), requires_grad=True)
    their_h, their_context, total = torch.zeros(B, size).double(), torch.zeros(B, K).double(), 0.0
    for _ in range(STEPS):
        their_h = torch.func.functional_call(their_cell, w["cell"], (their_context, their_h))
        their_context, their_weights = their_attention(kind, w["attention"], their_h, their_keys, lengths)
        total = total + their_weights
    their_vector = (torch.cat([their_context, their_h], -1) @ w["vector"]["weight"].T).tanh()
    their_loss = their_vector.sum() + 0.3 * ((1 - total) ** 2).sum(-1).mean()
    their_loss.backward()

    agree([(weights, their_weights), (context, their_context), (loss, their_loss), (keys.grad, their_keys.grad)])
    for room, module in modules.items():
        agree((p.grad, w[room][name].grad) for name, p in module.named_parameters())


def test_attention_of_all_steps_at_once_is_torchs_scaled_dot_product_without_the_scale():
    tg.manual_seed(0)
    keys, queries = tg.randn(T, B, K, dtype="float64"), tg.randn(STEPS, B, K, dtype="float64")
    context, _ = nn.Attention("dot", K, K, dtype="float64")(queries, keys)
    theirs = torch.tensor(keys.numpy()).transpose(0, 1)
    wanted = torch.nn.functional.scaled_dot_product_attention(
        torch.tensor(queries.numpy()).transpose(0, 1), theirs, theirs, scale=1.0
    )
    agree([(context, wanted.transpose(0, 1))])
