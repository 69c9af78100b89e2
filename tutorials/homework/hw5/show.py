"""What you have found, beside what is measured: python show.py writes flow.json, prints four tables and draws a picture.

Nothing in this file is to be written, and nothing of it is judged. Tasks that are not written yet are passed over.
"""

import json
from pathlib import Path

import numpy as np

import tinygrad_rnn as tg
import vanish  # yours
from tinygrad_rnn import nn
from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.train import measure
from tinygrad_rnn.viz import plots


def write_flow():
    """Write the flow of an LSTM in which one unit of 16 has its forget gate open, and its input gate nearly shut."""
    steps, batch, width, hidden = 40, 8, 3, 16
    draw = np.random.default_rng(0)
    tg.manual_seed(0)
    layer = nn.LSTM(width, hidden, dtype="float64")
    b = layer.bias_ih_l0.numpy().copy()
    b[5], b[hidden + 5] = -3.0, 5.0
    layer.bias_ih_l0.assign_(tg.tensor(b))
    x = tg.tensor(draw.standard_normal((steps, batch, width)))
    outputs, _ = layer.unroll(x)
    read = draw.standard_normal((hidden, 1))
    read[5] = 4.0
    losses = (outputs[-1] @ tg.tensor(read)).square().sum(axis=1)
    flow = gradient_flow(losses, statistics=True).to_dict()
    Path("flow.json").write_text(json.dumps(flow, indent=1), encoding="utf-8")
    return flow


def show_reading():
    flow = write_flow()
    print("written: flow.json, of an LSTM with one open forget gate among 16")
    print("  reach, 1%: ", *vanish.reach(flow, 0.01))
    print("  reach, 50%:", *vanish.reach(flow, 0.5))
    way, share = vanish.path(flow)
    print(f"  path:       {way}, {share:.0%} of what arrives")
    unit, effective, left = vanish.carrier(flow)
    print(f"  carrier:    unit {unit}; effectively {effective:.2f} units carry, and {left:.3f} is left")


def show_horizons():
    draw = np.random.default_rng(0)
    hidden, batch, steps = 64, 8, 60
    print("steps until 1% is left: W, unit, predicted, measured")
    for name, unit, W in (
        ("usual", "tanh", draw.uniform(-1, 1, (hidden, hidden)) / np.sqrt(hidden)),
        ("orthogonal x 0.9", "tanh", 0.9 * np.linalg.qr(draw.standard_normal((hidden, hidden)))[0]),
        ("Gaussian x 3", "logistic", 3 * draw.standard_normal((hidden, hidden)) / np.sqrt(hidden)),
    ):
        w, h, states = tg.tensor(W, requires_grad=True), tg.zeros(batch, hidden, dtype="float64"), []
        U = 0.3 * draw.standard_normal((4, hidden))
        for t in range(steps):
            with tg.scope("t", t):
                a = tg.tensor(draw.standard_normal((batch, 4)) @ U) + h @ w.T
                h = (a.tanh() if unit == "tanh" else a.sigmoid()).named("h")
            states.append(h.numpy())
        measured = gradient_flow((h @ tg.tensor(draw.standard_normal((hidden, 1)))).sum(axis=1)).horizon.steps
        predicted = vanish.predicted_horizon(W, np.array(states), unit)
        print(f"  {name:17} {unit:9} {predicted:6.1f}  {measured or f'more than {steps - 1}'}")


def show_pulls():
    draw = np.random.default_rng(0)
    x = draw.choice([-1.0, 1.0], (20, 4000))
    u, v = vanish.settle(x, x[0], 0.5, 0.5)
    each = vanish.pulls(u, v, x, x[0])
    print(f"20 bits, the first is asked for: u v = {u * v:.3f}; the first step pulls with {each[0]:+.2f} at u,")
    print(f"  the others with {each[1:].mean():+.2f} each, and all of them together with {each.sum():+.2f}")


def show_models():
    reports = {}
    print("before any training: what is left of the gradient at the first of 50 steps")
    for name in ("failing", "mended"):
        model, _ = getattr(vanish, name)(0)
        reports[name] = measure(model.converted("float64"), vanish.TASK, batch=16).report
        left = {state.kind: f"{state.relative(49):.0e}" for state in reports[name].cell}
        print(f"  {name:8} {model.cell_name:20}", ", ".join(f"{size} in {kind}" for kind, size in left.items()))
    plots.save(plots.through_time(reports), "models", ["svg"])
    print("written: models.svg")


if __name__ == "__main__":
    for show in (show_horizons, show_reading, show_pulls, show_models):
        try:
            show()
        except NotImplementedError as error:
            print(f"  not yet: {error}")
        except MissingToolError as error:
            print(f"  no picture: {error}")
