"""Homework 6a: attention on dates.

An encoder reads "3 March 1987" character by character, and a decoder writes "1987-03-03". At every step of the
decoder attention says which of the encoder's outputs, its annotations, matter now. Your work is that attention, the
decoder around it, and its training.

Write only between the marks: what is outside of them is not handed in. Tensors are those of tinygrad_rnn, which
differentiates what you write: all that is said to be a tensor is computed by operations on tensors. T is the longest
text of a batch, B the number of its examples, H that of units, S = 10 the characters to write, O = 11 their symbols.
The model and the data stand at the end of the file: read them first.
"""

import datetime

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn, optim
from tinygrad_rnn.tasks.dates import written as written_in

### BEGIN YOURS
### END YOURS


# ---- 6.1 Scores, softmax, context


def scores(query, annotations, weight):
    """Return how well each annotation fits the query: e[b, t] = query[b] @ weight @ annotations[t, b].

    query is (B, Q), annotations (T, B, K), weight (Q, K); the result is (B, T).
    """
    ### BEGIN SOLUTION 6.1a
    raise NotImplementedError("Task 6.1: what has to be 1 in the end: the sum of which weights, those of an example or those of a position?")
    ### END SOLUTION 6.1a


def softmax(e):
    """Return weights (B, T) of scores (B, T): positive, and 1 in all for each example; right in the thousands, too."""
    ### BEGIN SOLUTION 6.1b
    raise NotImplementedError("Task 6.1: what has to be 1 in the end: the sum of which weights, those of an example or those of a position?")
    ### END SOLUTION 6.1b


def context(weights, annotations):
    """Return the mean of each example's annotations (T, B, K), weighted by weights (B, T): (B, K)."""
    ### BEGIN SOLUTION 6.1c
    raise NotImplementedError("Task 6.1: what has to be 1 in the end: the sum of which weights, those of an example or those of a position?")
    ### END SOLUTION 6.1c


# ---- 6.2 Masks by length


def mask_of(lengths, steps):
    """Return an array of bool, (B, steps): True where a text of this length has a character, False where it is padded.

    lengths is an array of B whole numbers from 0 to steps.
    """
    ### BEGIN SOLUTION 6.2a
    raise NotImplementedError("Task 6.2: what is 0 * NaN, and what is infinity minus infinity? Which of them does your row of padding compute?")
    ### END SOLUTION 6.2a


def masked_softmax(e, mask):
    """Return weights (B, T) of scores (B, T): softmax over the positions where mask, bool (B, T), is True.

    Elsewhere the weight is exactly 0, whatever the score is there, infinity and NaN included. An example without any
    True gets only zeros. No gradient is NaN.
    """
    ### BEGIN SOLUTION 6.2b
    raise NotImplementedError("Task 6.2: what is 0 * NaN, and what is infinity minus infinity? Which of them does your row of padding compute?")
    ### END SOLUTION 6.2b


def last_valid(annotations, lengths):
    """Return the annotation of each example's last character, (B, K), from annotations (T, B, K); zeros at length 0."""
    ### BEGIN SOLUTION 6.2c
    raise NotImplementedError("Task 6.2: what is 0 * NaN, and what is infinity minus infinity? Which of them does your row of padding compute?")
    ### END SOLUTION 6.2c


# ---- 6.3 The decoder


def decode(model, reply, state, annotations, mask):
    """Take one step of the decoder: return logits (B, O), the new state (B, H) and the weights (B, T).

    reply (B, O) is what is read, state (B, H) the one before. In this order (Luong et al. 2015):
    the new state is model.cell(reply, state);
    attention asks with the new state, with the weight model.weight, where the mask allows;
    h~ = tanh(model.combine of [context, new state], side by side in this order);
    the logits are model.output(h~).
    """
    ### BEGIN SOLUTION 6.3a
    raise NotImplementedError("Task 6.3: at step s, which targets may the decoder have seen, if it shall write them itself one day?")
    ### END SOLUTION 6.3a


def teach(model, annotations, mask, state, targets):
    """Return the logits (S, B, O) of a decoder that is fed what is right (teacher forcing).

    targets (S, B) are the numbers of the right symbols. At step s the decoder reads `one_hot` of targets[s - 1], and
    zeros at the first.
    """
    ### BEGIN SOLUTION 6.3b
    raise NotImplementedError("Task 6.3: at step s, which targets may the decoder have seen, if it shall write them itself one day?")
    ### END SOLUTION 6.3b


def write(model, annotations, mask, state, steps):
    """Return the numbers of the symbols that the decoder writes on its own, an array (steps, B).

    At each step it reads `one_hot` of the symbol that it found likeliest at the step before, and zeros at the first.
    """
    ### BEGIN SOLUTION 6.3c
    raise NotImplementedError("Task 6.3: at step s, which targets may the decoder have seen, if it shall write them itself one day?")
    ### END SOLUTION 6.3c


# ---- 6.4 Dates


def loss(model, batch):
    """Return the mean cross entropy of all characters of all dates of a batch, a tensor of one number, with teaching.

    batch is (numbers, lengths, targets) as `dates` makes it.
    """
    ### BEGIN SOLUTION 6.4a
    raise NotImplementedError("Task 6.4: a model that is right in 99 of 100 characters: how many dates of ten characters does it write without a mistake?")
    ### END SOLUTION 6.4a


def exact(model, batch):
    """Return the share of the dates of a batch that the model writes on its own without a mistake in any character."""
    ### BEGIN SOLUTION 6.4b
    raise NotImplementedError("Task 6.4: a model that is right in 99 of 100 characters: how many dates of ten characters does it write without a mistake?")
    ### END SOLUTION 6.4b


def train(model, batches):
    """Take one step of an optimizer of your choice for each batch of a list; return a list of the losses before them.

    The losses are floats, such as `item()` of a tensor returns. Gradients that somebody left in the parameters do not
    count. At grading there are 400 batches of 32 dates.
    """
    ### BEGIN SOLUTION 6.4c
    raise NotImplementedError("Task 6.4: a model that is right in 99 of 100 characters: how many dates of ten characters does it write without a mistake?")
    ### END SOLUTION 6.4c


# ---- The model and the data: nothing to write from here on, but to read

#: What the encoder reads, and what the decoder writes.
CHARACTERS = " ,-./0123456789ADFJMNOSabceghilmnoprstuvy"
SYMBOLS = "-0123456789"
FORMATS = (
    "{day} {month} {year}",
    "{day:02}.{number:02}.{year}",
    "{month} {day}, {year}",
    "{short} {day} {year}",
    "{year}/{number:02}/{day:02}",
    "{day}-{short}-{year}",
)
FIRST, LAST = datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal()


class Model(nn.Module):
    """The parameters of an encoder, of attention, and of a decoder."""

    def __init__(self, hidden_size=48, seed=0, dtype="float32"):
        tg.manual_seed(seed)
        self.encoder = nn.GRU(len(CHARACTERS), hidden_size, dtype=dtype)
        self.cell = nn.GRUCell(len(SYMBOLS), hidden_size, dtype=dtype)
        self.weight = nn.Parameter(tg.randn(hidden_size, hidden_size, dtype=dtype) / hidden_size**0.5)
        self.combine = nn.Linear(2 * hidden_size, hidden_size, dtype=dtype)
        self.output = nn.Linear(hidden_size, len(SYMBOLS), dtype=dtype)


def one_hot(numbers, size, dtype="float32"):
    """Return vectors (..., size) for an array of numbers: 1 at the number, else 0."""
    return F.one_hot(tg.tensor(np.asarray(numbers, dtype=np.int64)), size, dtype)


def read(model, numbers, lengths):
    """Read texts: return annotations (T, B, H), the mask (B, T), and the state (B, H) that the decoder begins with."""
    annotations, _ = model.encoder(one_hot(numbers, len(CHARACTERS), model.weight.dtype))
    return annotations, mask_of(lengths, len(numbers)), last_valid(annotations, lengths)


def dates(size, seed):
    """Return a batch of dates: (numbers, lengths, targets).

    numbers (T, B) are the places of the characters in CHARACTERS, padded with 0; lengths (B,) says how many there are;
    targets (S, B) are the places of the symbols in SYMBOLS.
    """
    draw = np.random.default_rng(seed)
    days = [int(day) for day in draw.integers(FIRST, LAST, size, endpoint=True)]
    texts = [written_in(day, FORMATS[form]) for day, form in zip(days, draw.integers(0, len(FORMATS), size))]
    return (*numbered(texts), np.array([list(map(SYMBOLS.index, iso(day))) for day in days]).T)


def iso(day):
    return datetime.date.fromordinal(day).isoformat()


def numbered(texts):
    """Return the numbers (T, B) of the characters of texts, padded with 0, and the lengths (B,)."""
    lengths = np.array([len(text) for text in texts])
    numbers = np.zeros((lengths.max(), len(texts)), dtype=np.int64)
    for example, text in enumerate(texts):
        numbers[: len(text), example] = [CHARACTERS.index(character) for character in text]
    return numbers, lengths


def said(symbols):
    """Return the texts of symbols (S, B), a list."""
    return ["".join(SYMBOLS[number] for number in example) for example in symbols.T]
