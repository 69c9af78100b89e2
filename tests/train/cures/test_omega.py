"""Omega is that of Pascanu et al., and only its immediate derivative counts."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import AddingTask, TextTask
from tinygrad_rnn.train import SequenceModel, omega

T, B, H = 6, 3, 4
TASKS = {"adding": AddingTask(T), "text": TextTask("the quick brown fox " * 4, steps=T)}
PHI = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
}


def model_of(task, cell, layers=1, **options):
    tg.manual_seed(5)
    return SequenceModel(cell, task.input_size, H, task.output_size, layers, dtype="float64", **options)


def batch_of(task):
    return task.batch(B, seed=2, dtype="float64").to("cpu")


def stated(w, deltas, slopes):
    """Return Omega as the paper states it: from W_hh, dE/dx_{k+1} and phi'(x_k), each (T - 1, B, H)."""
    total = 0.0
    for delta, slope in zip(deltas, slopes, strict=True):
        for b in range(B):
            size = np.linalg.norm(delta[b])
            if size > 0:
                jacobian = w @ np.diag(slope[b])  # dx_{k+1}/dx_k
                total += (np.linalg.norm(delta[b] @ jacobian) / size - 1) ** 2
    return total / B


def by_hand(model, task, batch, nonlinearity):
    """Return W_hh, dE/dx_{k+1} and phi'(x_k), by back-propagation through time written out in NumPy."""
    phi, slope = PHI[nonlinearity]
    p = {name: value.numpy() for name, value in model.named_parameters()}
    w, u, v = p["rnn.weight_hh_l0"], p["rnn.weight_ih_l0"], p["output.weight"]
    b = p["rnn.bias_ih_l0"] + p["rnn.bias_hh_l0"]
    h, xs, hs = np.zeros((B, H)), [], []
    for x in batch.inputs.numpy():
        xs.append(x @ u.T + b + h @ w.T)
        h = phi(xs[-1])
        hs.append(h)
    outputs = tg.tensor(np.stack(hs) @ v.T + p["output.bias"], requires_grad=True)
    task.loss(outputs, batch).backward()
    dh, deltas = np.zeros((B, H)), []
    for t in reversed(range(T)):
        dh = dh + outputs.grad.numpy()[t] @ v
        deltas.append(dh * slope(xs[t]))
        dh = deltas[-1] @ w
    return w, deltas[::-1][1:], [slope(x) for x in xs[:-1]]


def gradients(model):
    found = {name: p.grad.numpy().copy() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = None
    return found


@pytest.mark.parametrize("nonlinearity", PHI)
@pytest.mark.parametrize("kind", TASKS)
def test_its_value_and_its_immediate_derivative_are_those_that_are_stated(kind, nonlinearity):
    task = TASKS[kind]
    model, batch = model_of(task, f"rnn:nonlinearity={nonlinearity}"), batch_of(task)
    task.loss(model.outputs(batch), batch).backward()
    plain = gradients(model)
    w, deltas, slopes = by_hand(model, task, batch, nonlinearity)
    loss, found = omega(model, task, batch, weight=4.0)
    assert found.item() == pytest.approx(stated(w, deltas, slopes), rel=1e-12)
    assert loss.item() == pytest.approx(task.loss(model.outputs(batch), batch).item(), rel=1e-14)

    changed, numeric = gradients(model), np.zeros_like(w)
    for place in np.ndindex(w.shape):  # the constants are held, and only W_hh moves
        moved = [w.copy(), w.copy()]
        moved[0][place] += 1e-6
        moved[1][place] -= 1e-6
        numeric[place] = (stated(moved[0], deltas, slopes) - stated(moved[1], deltas, slopes)) / 2e-6
    assert np.abs(numeric).max() > 1e-2
    added = changed.pop("rnn.weight_hh_l0") - plain.pop("rnn.weight_hh_l0")
    np.testing.assert_allclose(added, 4.0 * numeric, rtol=1e-6, atol=1e-8)
    for name, value in plain.items():
        np.testing.assert_allclose(changed[name], value, rtol=1e-12, atol=1e-15, err_msg=name)


def test_every_layer_has_its_own():
    task = TASKS["text"]
    model, batch = model_of(task, "rnn", layers=2), batch_of(task)
    task.loss(model.outputs(batch), batch).backward()
    plain = gradients(model)
    omega(model, task, batch)
    found = gradients(model)
    for layer in (0, 1):
        assert np.abs(found[f"rnn.weight_hh_l{layer}"] - plain[f"rnn.weight_hh_l{layer}"]).max() > 1e-3


def test_descending_it_brings_the_ratio_of_the_norms_to_1():
    task = TASKS["adding"]
    model, batch = model_of(task, "rnn"), batch_of(task)
    sgd = optim.SGD([model.rnn.weight_hh_l0], lr=0.05)
    before = omega(model, task, batch)[1].item()
    for _ in range(60):
        sgd.zero_grad()
        omega(model, task, batch, weight=10.0)
        optim.clip_grad_norm_(sgd.params, 1.0)
        sgd.step()
    assert omega(model, task, batch)[1].item() < 0.3 * before


def test_units_that_are_shut_make_no_nan():
    task = TASKS["adding"]
    model, batch = model_of(task, "rnn:nonlinearity=relu"), batch_of(task)
    model.rnn.bias_ih_l0.assign_(tg.zeros(H, dtype="float64") - 100.0)
    loss, found = omega(model, task, batch)
    assert np.isfinite([loss.item(), found.item()]).all()
    assert all(np.isfinite(value).all() for value in gradients(model).values())


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_other_cells_are_refused_with_the_reason(cell):
    task = TASKS["adding"]
    with pytest.raises(InputError, match=rf"not for {cell}: it is made of .* with gates a step has another derivative"):
        omega(model_of(task, cell), task, batch_of(task))


def test_dropout_is_refused():
    task = TASKS["adding"]
    with pytest.raises(InputError, match="without dropout"):
        omega(model_of(task, "rnn", layers=2, dropout=0.5), task, batch_of(task))
