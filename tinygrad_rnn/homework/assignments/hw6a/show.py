"""What your attention can do now: python show.py trains it, reads some dates, and shows where it looks.

Nothing is to be written in this file, and nothing of it is judged. It takes a minute at most.
"""

import sys

import numpy as np

import attention  # yours
import tinygrad_rnn as tg

TEXTS = ["29 February 2000", "January 5, 1987", "07.11.2042"]
#: From no weight to all of it.
SHADES = " .:-=+*#%@"


def looked_at(model, text):
    """Return what is written for one text, and the weights (S, T)."""
    annotations, mask, state = attention.read(model, *attention.numbered([text]))
    size = len(attention.SYMBOLS)
    reply, symbols, rows = tg.zeros(1, size), [], []
    for _ in range(10):
        logits, state, weights = attention.decode(model, reply, state, annotations, mask)
        symbols.append(int(logits.detach().numpy().argmax()))
        rows.append(weights.detach().numpy()[0])
        reply = attention.one_hot(symbols[-1:], size)
    return attention.said(np.array(symbols)[:, None])[0], np.array(rows)


def main():
    model = attention.Model()
    losses = attention.train(model, [attention.dates(32, number) for number in range(400)])
    for begin in range(0, 400, 100):
        print(f"updates {begin + 1} to {begin + 100}: loss {np.mean(losses[begin : begin + 100]):.3f}")
    print(
        f"500 dates that it has not seen, written without a mistake: {attention.exact(model, attention.dates(500, 999)):.3f}"
    )
    for text in TEXTS:
        written, weights = looked_at(model, text)
        print(f"\n  {text}")
        for symbol, row in zip(written, weights):
            print(symbol, "".join(SHADES[min(int(weight * 10), 9)] for weight in row), sep=" ")


if __name__ == "__main__":
    try:
        main()
    except NotImplementedError as error:
        sys.exit(f"it takes a finished attention: {error}")
