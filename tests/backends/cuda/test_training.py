"""Networks on the device learn what they learn on the CPU."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn, optim

pytestmark = pytest.mark.cuda

CLASSES = 5


def sizes():
    from tinygrad_rnn.backends.cuda.driver import simulated

    return (3, 2, 3, 2) if simulated else (64, 16, 30, 25)  # hidden, batch, steps, updates


class Net(nn.Module):
    def __init__(self, kind, hidden, **more):
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, hidden)
        self.rnn = kind(hidden, hidden, **more)
        self.head = nn.Linear(hidden * (2 if more.get("bidirectional") else 1), CLASSES)

    def forward(self, ids):
        output, _ = self.rnn(self.embedding(ids))
        return self.head(output)


def curve(kind, where, dtype, **more):
    """Train on one batch of random tokens; return the losses, the gradient norms and the final weights."""
    hidden, batch, steps, updates = sizes()
    tg.manual_seed(3)
    model = Net(kind, hidden, **more).to(dtype=dtype).to(where)
    assert {p.device for p in model.parameters()} == {where}
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    rng = np.random.default_rng(0)
    ids, targets = rng.integers(0, CLASSES, (2, steps, batch))
    losses, norms = [], []
    for _ in range(updates):
        optimizer.zero_grad()
        logits = model(tg.tensor(ids, device=where))
        loss = F.cross_entropy(logits.reshape(-1, CLASSES), tg.tensor(targets.reshape(-1), device=where))
        loss.backward()
        norms.append(optim.clip_grad_norm_(model.parameters(), 0.5))
        optimizer.step()
        losses.append(loss)
    return (
        [loss.item() for loss in losses],
        [float(norm) for norm in norms],
        {name: value.numpy() for name, value in model.state_dict().items()},
    )


@pytest.mark.parametrize(
    ("kind", "more"),
    [(nn.RNN, {}), (nn.LSTM, {}), (nn.GRU, {}), (nn.LSTM, {"num_layers": 2, "bidirectional": True})],
    ids=["rnn", "lstm", "gru", "two layers both ways"],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-4), ("float64", 1e-9)])
def test_training_follows_the_cpu(kind, more, dtype, tolerance):
    losses, norms, weights = curve(kind, "cuda", dtype, **more)
    expected_losses, expected_norms, expected_weights = curve(kind, "cpu", dtype, **more)
    assert losses[-1] < losses[0]
    np.testing.assert_allclose(losses, expected_losses, rtol=tolerance)
    np.testing.assert_allclose(norms, expected_norms, rtol=10 * tolerance)
    for name, value in weights.items():
        np.testing.assert_allclose(value, expected_weights[name], rtol=10 * tolerance, atol=10 * tolerance)


def test_dropout_drops_the_same_elements_on_both_devices():
    results = []
    for where in ("cpu", "cuda"):
        tg.manual_seed(5)
        results.append(nn.Dropout(0.5)(tg.ones(7, 3, device=where)).numpy())
    np.testing.assert_array_equal(*results)
    assert set(np.unique(results[0])) == {0.0, 2.0}
