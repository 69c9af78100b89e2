"""What your LSTM remembers: python show.py, when gates.py is written.

Your cell computes, and tinygrad_rnn follows the gradient back through it: how far, with a forget bias of 0, of 1, and with
the one that your `forget_bias_for` finds. Nothing is to be written in this file, and nothing of it is judged.
"""

import sys

import numpy as np
import tinygrad_rnn as tg
from tinygrad_rnn import viz

import gates  # yours


def flow_of(forget_bias, steps):
    """Return how the gradient flows back from the last step, for 8 random sequences."""
    draw = np.random.default_rng(0)
    weights = [tg.tensor(value, requires_grad=True) for value in gates.initial(3, 16, forget_bias, seed=0)]
    for weight, name in zip(weights, ("w_ih", "w_hh", "b")):
        weight.named(name)
    x = tg.tensor(draw.standard_normal((steps, 8, 3)))
    h = tg.zeros(8, 16, dtype="float64", requires_grad=True).named("h")
    c = tg.zeros(8, 16, dtype="float64", requires_grad=True).named("c")
    for t in range(steps):
        with tg.scope("t", t):
            hs, c = gates.lstm(x[t : t + 1], h, c, *weights)
            h, c = hs[0].named("h", role="state"), c.named("c", role="state")
    return viz.gradient_flow((h * h).sum(axis=1))


def main():
    steps = 60
    for bias in (0.0, 1.0, gates.forget_bias_for(steps, 0.5)):
        flow = flow_of(bias, steps)
        far = flow.horizon.steps
        reach = f"below 1% after {far} steps" if far else f"above 1% for all {steps} steps"
        print(f"forget bias {bias:.2f}: the gradient {flow.verdict}, {reach}")
    viz.render(viz.draw(flow_of(1.0, 3)), "lstm.svg")
    print("written: lstm.svg, three steps of your LSTM and what flows back through them")


if __name__ == "__main__":
    try:
        main()
    except NotImplementedError as error:
        sys.exit(f"it takes a finished gates.py: {error}")
