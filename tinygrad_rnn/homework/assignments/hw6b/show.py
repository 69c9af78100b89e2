"""What your tape can do now: python show.py trains a small network by replays, and prints its tape.

Nothing is to be written in this file, and nothing of it is judged.
"""

import sys
import time

import numpy as np

import tape  # yours


def network(w, v, lr, source):
    """Return a training step with dropout: its gradients are written by hand, as operations like all others."""

    def step(x, y):
        kept = (tape.random(source, (x.data.shape[0], w.data.shape[1])) - 0.2).step()
        h = (x @ w).tanh()
        error = (h * kept) @ v - y
        unused = h.sum()  # noqa: F841  (an idle instruction, which drop() finds)
        to_h = (error @ v.T) * kept * (h * h * -1.0 + 1.0)
        tape.assign(v, v - lr * ((h * kept).T @ error))
        tape.assign(w, w - lr * (x.T @ to_h))
        return (error * error).sum()

    return step


def fresh():
    """Return a step and its parameters, always the same ones."""
    draw = np.random.default_rng(0)
    w, v = tape.Tensor(draw.standard_normal((2, 8)) / 2), tape.Tensor(draw.standard_normal((8, 1)) / 2)
    return network(w, v, tape.Tensor(0.01), np.random.default_rng(1)), w, v


def main():
    draw = np.random.default_rng(2)
    data = [draw.standard_normal((16, 2)) for _ in range(501)]
    pairs = [(x, np.sin(x.sum(axis=1, keepdims=True))) for x in data]

    step, w, v = fresh()
    recorded = tape.record(step, *map(tape.Tensor, pairs[0]))
    print(recorded.listing())
    before = len(recorded.instructions)
    recorded.drop()
    made = tape.slots(recorded)
    print(f"{before} instructions, {len(recorded.instructions)} without the idle ones")
    print(f"{len(made)} values are made, and {len(set(made.values()))} places are enough for them")
    began = time.perf_counter()
    losses = [recorded.replay(*pair)[0].item() for pair in pairs[1:]]
    replayed = time.perf_counter() - began

    step, other_w, other_v = fresh()
    step(*map(tape.Tensor, pairs[0]))
    began = time.perf_counter()
    right = [step(*map(tape.Tensor, pair)).item() for pair in pairs[1:]]
    run = time.perf_counter() - began
    same = losses == right and (w.data == other_w.data).all() and (v.data == other_v.data).all()
    print(f"500 replays: the loss went from {np.mean(losses[:50]):.1f} to {np.mean(losses[-50:]):.1f}")
    print(f"500 steps in Python give the same to the bit: {bool(same)}")
    print(f"at most {recorded.peak} values at once; {1e3 * replayed:.0f} ms by replays, {1e3 * run:.0f} ms in Python")


if __name__ == "__main__":
    try:
        main()
    except NotImplementedError as error:
        sys.exit(f"it takes a finished tape: {error}")
