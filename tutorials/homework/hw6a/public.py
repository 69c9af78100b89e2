"""The checks that a student sees: small numbers, computed by hand, and a few dates."""

import numpy as np

from tinygrad_rnn.homework import check, close, same


def tensor(hw, numbers):
    return hw.tg.tensor(np.array(numbers, dtype=np.float64))


@check("6.1", 7)
def three_scores(hw, draw):
    query, weight = tensor(hw, [[1.0, 2.0]]), tensor(hw, [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    annotations = tensor(hw, [[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]], [[1.0, 1.0, 1.0]]])
    close(hw.scores(query, annotations, weight), [[1.0, 2.0, 3.0, 6.0]], "the scores of one example, four positions",
          suspects={"(T, B) instead of (B, T)": [[1.0], [2.0], [3.0], [6.0]]})  # fmt: skip


@check("6.1", 6)
def two_rows_of_weights(hw, draw):
    got = hw.softmax(tensor(hw, [[0.0, 0.0], [0.0, 1.0986122886681098]]))
    close(got, [[0.5, 0.5], [0.25, 0.75]], "softmax of [0, 0] and [0, log 3]",
          suspects={"softmax over the batch, not over the positions": [[0.5, 0.25], [0.5, 0.75]],
                    "exp, not divided by the sum": [[1.0, 1.0], [1.0, 3.0]]})  # fmt: skip


@check("6.1", 7)
def a_weighted_mean(hw, draw):
    annotations = [[[0.0, 10.0], [1.0, 1.0]], [[4.0, 20.0], [2.0, 2.0]]]
    got = hw.context(tensor(hw, [[0.25, 0.75], [1.0, 0.0]]), tensor(hw, annotations))
    close(got, [[3.0, 17.5], [1.0, 1.0]], "the context of two examples, two positions",
          suspects={"the weights of the other example": [[0.0, 10.0], [1.75, 1.75]],
                    "a mean, without the weights": [[2.0, 15.0], [1.5, 1.5]]})  # fmt: skip


@check("6.2", 5)
def a_mask(hw, draw):
    got = hw.mask_of(np.array([1, 3, 0]), 3)
    close(got, [[1, 0, 0], [1, 1, 1], [0, 0, 0]], "mask_of lengths 1, 3, 0, three steps",
          suspects={"True where it is padded": [[0, 1, 1], [0, 0, 0], [1, 1, 1]],
                    "one position too many": [[1, 1, 0], [1, 1, 1], [1, 0, 0]]})  # fmt: skip

    same(str(got.dtype), "bool", "the dtype of the mask")


@check("6.2", 10)
def masked_weights(hw, draw):
    mask = np.array([[True, True, False], [False, False, False]])
    got = hw.masked_softmax(tensor(hw, [[0.0, 1.0986122886681098, 9.0], [1.0, 2.0, 3.0]]), mask)
    close(got.numpy()[0], [0.25, 0.75, 0.0], "the weights of [0, log 3, 9] where the last position is padded")
    close(got.numpy()[1], [0.0, 0.0, 0.0], "the weights of an example of only padding",
          suspects={"softmax of three equal scores: put these weights to 0": [1 / 3] * 3})  # fmt: skip
    got = hw.masked_softmax(tensor(hw, [[0.0, 0.0, np.nan], [0.0, 0.0, 0.0]]), mask)
    close(got.numpy()[0], [0.5, 0.5, 0.0], "the weights of [0, 0, NaN] where the last position is padded")


@check("6.2", 5)
def a_last_state(hw, draw):
    annotations = tensor(hw, [[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]])
    close(hw.last_valid(annotations, np.array([2, 3])), [[3.0], [6.0]], "last_valid of lengths 2 and 3",
          suspects={"that of the last position, padded or not": [[5.0], [6.0]]})  # fmt: skip


def a_situation(hw):
    """Return a small model of float64, and what it read: annotations, the mask and the first state."""
    model = hw.Model(6, 0, "float64")
    numbers, lengths = hw.numbered(["1 May 2000", "2001/02/03", "Jan 9 1999"])
    return model, [*hw.read(model, numbers, lengths)]


@check("6.3", 7)
def a_step(hw, draw):
    model, (annotations, mask, state) = a_situation(hw)
    reply = tensor(hw, np.eye(11)[[0, 1, 2]])
    logits, after, weights = hw.decode(model, reply, state, annotations, mask)
    for what, got, shape in (("logits", logits, (3, 11)), ("state", after, (3, 6)), ("weights", weights, (3, 10))):
        same(tuple(got.shape), shape, f"the shape of the {what}")
    close(after, model.cell(reply, state).detach().numpy(), "the new state, model.cell(reply, state)")
    close(weights.sum(axis=1), [1.0, 1.0, 1.0], "the sum of the weights")


@check("6.3", 9)
def teaching(hw, draw):
    model, (annotations, mask, state) = a_situation(hw)
    targets = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    got = hw.teach(model, annotations, mask, state, targets)
    same(tuple(got.shape), (3, 3, 11), "the shape of the logits")
    first, after, _ = hw.decode(model, tensor(hw, np.zeros((3, 11))), state, annotations, mask)
    early, *_ = hw.decode(model, tensor(hw, np.eye(11)[targets[0]]), state, annotations, mask)
    first, early = first.detach().numpy(), early.detach().numpy()
    close(got.detach().numpy()[0], first, "the logits of the first step, which reads zeros",
          suspects={"each target is fed one step early: the decoder has read the answer": early})  # fmt: skip
    second, *_ = hw.decode(model, tensor(hw, np.eye(11)[targets[0]]), after, annotations, mask)
    close(got.detach().numpy()[1], second.detach().numpy(), "the logits of the second step, which reads targets[0]")


@check("6.3", 9)
def on_its_own(hw, draw):
    model, (annotations, mask, state) = a_situation(hw)
    got = hw.write(model, annotations, mask, state, 5)
    same(tuple(np.asarray(got).shape), (5, 3), "the shape of what is written in 5 steps, (S, B)")
    taught = hw.teach(model, annotations, mask, state, np.asarray(got)).detach().numpy()
    close(got, taught.argmax(axis=2), "what is written, against what teach finds likeliest when it is fed that")


@check("6.4", 6)
def a_loss(hw, draw):
    model, batch = hw.Model(8, 0, "float64"), hw.dates(4, 0)
    for parameter in model.output.weight, model.output.bias:
        parameter.assign_(parameter * 0.0)
    close(hw.loss(model, batch), np.log(11), "the loss of a model that finds all 11 symbols equally likely: log(11)",
          suspects={"the sum over the characters of a date": 10 * np.log(11),
                    "the sum over all characters": 40 * np.log(11)})  # fmt: skip


@check("6.4", 6)
def a_share(hw, draw):
    model, (numbers, lengths, _) = hw.Model(8, 0), hw.dates(4, 0)
    own = np.asarray(hw.write(model, *hw.read(model, numbers, lengths), 10)).astype(np.int64)
    close(hw.exact(model, (numbers, lengths, own)), 1.0, "exact, where the dates are what the model writes")
    other = own.copy()
    other[9, 1] = (other[9, 1] + 1) % 11
    close(hw.exact(model, (numbers, lengths, other)), 0.75, "exact, where one character of one of four dates differs",
          suspects={"the share of the characters": 39 / 40})  # fmt: skip


@check("6.4", 4)
def gradients_start_anew(hw, draw):
    batches, after = [hw.dates(4, number) for number in range(3)], []
    for left in (False, True):
        model = hw.Model(6, 0, "float64")
        if left:
            (hw.loss(model, batches[0]) * 100.0).backward()
        hw.train(model, batches[1:])
        after.append(hw.loss(model, batches[0]).item())
    close(after[1], after[0], "the loss after two updates of a model with a gradient that somebody left in it")


@check("6.4", 9, times=2)
def forty_updates(hw, draw):
    model = hw.Model()
    losses = hw.train(model, [hw.dates(32, number) for number in range(40)])
    same(len(losses), 40, "how many losses there are of 40 batches")
    first, last = float(losses[0]), float(np.mean(losses[-5:]))
    same(bool(2.2 < first < 2.7), True, f"the first loss is about log(11) = 2.4 (it was {first:.2f})")
    same(bool(last < 1.6), True, f"the last of 40 losses are below 1.6 (they were {last:.2f})",
         "lower, another optimizer or learning rate")  # fmt: skip
