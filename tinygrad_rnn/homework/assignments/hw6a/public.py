"""The checks that a student sees: small numbers, computed by hand, and a few dates."""

import numpy as np

from tinygrad_rnn.homework import check, close, same
from tinygrad_rnn.homework.checks import CheckFailedError


def tensor(hw, numbers):
    return hw.tg.tensor(np.array(numbers, dtype=np.float64))


def gradients(hw, function, arrays, g, right, what):
    """Compare the gradients of the sum of g times what a function returns, by each array that it is given."""
    given = [hw.tg.tensor(np.array(each, dtype=np.float64), requires_grad=True) for each in arrays]
    result = function(*given)
    why = "what leaves the tensors, as by numpy() or detach(), has none"
    same(bool(result.requires_grad), True, f"whether there is a gradient of {what}", why)
    (result * tensor(hw, g)).sum().backward()
    for place, (each, expected) in enumerate(zip(given, right), 1):
        same(each.grad is not None, True, f"whether there is a gradient of {what} by argument {place}", why)
        close(each.grad, expected, f"the gradient of {what} by argument {place}")


def floats_of(losses, count):
    """Return the losses of `train`, which are numbers of Python or NumPy."""
    same(len(losses), count, f"how many losses there are of {count} batches")
    for each in losses:
        if not isinstance(each, int | float | np.number | np.ndarray):
            told = f"train returns a list of floats, such as loss(model, batch).item(); in it was {each!r}"
            raise CheckFailedError(told[:200])
    return [float(each) for each in losses]


@check("6.1", 6)
def three_scores(hw, draw):
    query, weight = tensor(hw, [[1.0, 2.0]]), tensor(hw, [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    annotations = tensor(hw, [[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]], [[1.0, 1.0, 1.0]]])
    close(hw.scores(query, annotations, weight), [[1.0, 2.0, 3.0, 6.0]], "the scores of one example, four positions",
          suspects={"(T, B) instead of (B, T)": [[1.0], [2.0], [3.0], [6.0]]})  # fmt: skip


@check("6.1", 4)
def two_rows_of_weights(hw, draw):
    got = hw.softmax(tensor(hw, [[0.0, 0.0], [0.0, 1.0986122886681098]]))
    close(got, [[0.5, 0.5], [0.25, 0.75]], "softmax of [0, 0] and [0, log 3]",
          suspects={"softmax over the batch, not over the positions": [[0.5, 0.25], [0.5, 0.75]],
                    "exp, not divided by the sum": [[1.0, 1.0], [1.0, 3.0]]})  # fmt: skip


@check("6.1", 2)
def large_scores(hw, draw):
    got = hw.softmax(tensor(hw, [[1000.0, 1000.0], [-1000.0, -1000.0]]))
    close(got, [[0.5, 0.5], [0.5, 0.5]], "softmax of [1000, 1000] and [-1000, -1000] (exp of 1000 is infinite, and infinity "
          "by infinity is nan; less the largest score of each example, no score is above 0)")  # fmt: skip


@check("6.1", 5)
def a_weighted_mean(hw, draw):
    annotations = [[[0.0, 10.0], [1.0, 1.0]], [[4.0, 20.0], [2.0, 2.0]]]
    got = hw.context(tensor(hw, [[0.25, 0.75], [1.0, 0.0]]), tensor(hw, annotations))
    close(got, [[3.0, 17.5], [1.0, 1.0]], "the context of two examples, two positions",
          suspects={"the weights of the other example": [[0.0, 10.0], [1.75, 1.75]],
                    "a mean, without the weights": [[2.0, 15.0], [1.5, 1.5]],
                    "the sum over the examples, not over the positions": [[1.0, 3.5], [3.0, 15.0]]})  # fmt: skip


@check("6.1", 1, each=("scores", "softmax", "context"))
def small_gradients(hw, draw, case):
    if case == "scores":
        annotations = [[[1.0, 0.0, 0.0]], [[0.0, 1.0, 2.0]]]
        given = [[[1.0, 2.0]], annotations, [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]]
        by_weight = [[1.0, 1.0, 2.0], [2.0, 2.0, 4.0]]
        gradients(hw, hw.scores, given, [[1.0, 1.0]], [[[3.0, 3.0]], [[[1.0, 2.0, 3.0]]] * 2, by_weight], case)
    elif case == "softmax":
        gradients(hw, hw.softmax, [[[0.0, 1.0986122886681098]]], [[1.0, 0.0]], [[[0.1875, -0.1875]]], case)
    else:
        given = [[[0.25, 0.75]], [[[2.0]], [[6.0]]]]
        gradients(hw, hw.context, given, [[1.0]], [[[2.0, 6.0]], [[[0.25]], [[0.75]]]], case)


@check("6.2", 4)
def a_mask(hw, draw):
    got = hw.mask_of(np.array([1, 3, 0]), 3)
    close(got, [[1, 0, 0], [1, 1, 1], [0, 0, 0]], "mask_of lengths 1, 3, 0, three steps",
          suspects={"True where it is padded": [[0, 1, 1], [0, 0, 0], [1, 1, 1]],
                    "one position too many": [[1, 1, 0], [1, 1, 1], [1, 0, 0]]})  # fmt: skip

    same(str(got.dtype), "bool", "the dtype of the mask")


@check("6.2", 8)
def masked_weights(hw, draw):
    mask = np.array([[True, True, False], [False, False, False]])
    got = hw.masked_softmax(tensor(hw, [[0.0, 1.0986122886681098, 9.0], [1.0, 2.0, 3.0]]), mask)
    close(got.numpy()[0], [0.25, 0.75, 0.0], "the weights of [0, log 3, 9] where the last position is padded")
    close(got.numpy()[1], [0.0, 0.0, 0.0], "the weights of an example of only padding",
          suspects={"softmax of three equal scores: put these weights to 0": [1 / 3] * 3})  # fmt: skip
    got = hw.masked_softmax(tensor(hw, [[0.0, 0.0, np.nan], [0.0, 0.0, 0.0]]), mask)
    close(got.numpy()[0], [0.5, 0.5, 0.0], "the weights of [0, 0, NaN] where the last position is padded")


@check("6.2", 4)
def a_last_state(hw, draw):
    annotations = tensor(hw, [[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]])
    close(hw.last_valid(annotations, np.array([2, 3])), [[3.0], [6.0]], "last_valid of lengths 2 and 3",
          suspects={"that of the last position, padded or not": [[5.0], [6.0]]})  # fmt: skip


@check("6.2", 2)
def a_text_without_characters(hw, draw):
    annotations = tensor(hw, [[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]])
    close(hw.last_valid(annotations, np.array([0, 2])), [[0.0], [4.0]], "last_valid of lengths 0 and 2",
          suspects={"position 0 - 1 is the last one": [[5.0], [4.0]],
                    "at length 0 the first annotation, not zeros": [[1.0], [4.0]]})  # fmt: skip


@check("6.2", 1, each=("masked_softmax", "last_valid"))
def small_gradients_of_masks(hw, draw, case):
    if case == "last_valid":
        right = [[[0.0], [0.0]], [[1.0], [0.0]], [[0.0], [1.0]]]
        given = [[[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]]]
        gradients(hw, lambda a: hw.last_valid(a, np.array([2, 3])), given, [[1.0], [1.0]], [right], case)
    else:
        mask, given = np.array([[True, True, False]]), [[[0.0, 1.0986122886681098, 9.0]]]
        right = [[[0.1875, -0.1875, 0.0]]]
        gradients(hw, lambda e: hw.masked_softmax(e, mask), given, [[1.0, 0.0, 0.0]], right, case)


def a_situation(hw):
    """Return a small model of float64, and what it read: annotations, the mask and the first state."""
    model = hw.Model(6, 0, "float64")
    numbers, lengths = hw.numbered(["1 May 2000", "2001/02/03", "Jan 9 1999"])
    return model, [*hw.read(model, numbers, lengths)]


@check("6.3", 9)
def a_step(hw, draw):
    model, (annotations, mask, state) = a_situation(hw)
    reply = tensor(hw, np.eye(11)[[0, 1, 2]])
    logits, after, weights = hw.decode(model, reply, state, annotations, mask)
    for what, got, shape in (("logits", logits, (3, 11)), ("state", after, (3, 6)), ("weights", weights, (3, 10))):
        same(tuple(got.shape), shape, f"the shape of the {what}")
    close(after, model.cell(reply, state).detach().numpy(), "the new state, model.cell(reply, state)")
    close(weights.sum(axis=1), [1.0, 1.0, 1.0], "the sum of the weights")

    # The numbers of a small model, with parameters made of sines, and of four models that are wrong.
    model = hw.Model(2, 0, "float64")
    cell, combine, output = model.cell, model.combine, model.output
    used = (model.weight, cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh, combine.weight, combine.bias,
            output.weight, output.bias)  # fmt: skip
    for number, parameter in enumerate(used, 1):
        sines = np.sin(number + np.arange(np.prod(parameter.shape))).reshape(parameter.shape)
        parameter.assign_(tensor(hw, sines))
    annotations = tensor(hw, [[[1.0, 0.0], [0.0, 1.0]], [[0.0, -2.0], [1.0, 1.0]], [[2.0, 1.0], [3.0, -1.0]]])
    reply, state = tensor(hw, np.eye(11)[[0, 3]]), tensor(hw, [[0.5, -1.0], [1.0, 0.0]])
    mask = np.array([[True, True, True], [True, True, False]])
    logits, _, weights = hw.decode(model, reply, state, annotations, mask)
    first = [0.1173249, 0.0038444, 0.8788307]
    close(weights, [first, [0.322833, 0.677167, 0.0]], "the weights of a small model", atol=1e-6, suspects={
          "the state before the step asks": [[0.1815255, 0.0121688, 0.8063057], [0.3012251, 0.6987749, 0.0]],
          "no mask": [first, [0.2004868, 0.4205363, 0.378977]]})  # fmt: skip
    close(logits.detach().numpy()[:, :2], [[0.8566632, -0.0641764], [1.081561, -0.3788528]], "its first two logits",
          atol=1e-6, suspects={"[state, context], and not [context, state]": [[1.6212492, -1.6771638], [1.5166773, -1.544001]],
                    "no tanh": [[0.9140955, 0.5016624], [2.0395763, -0.7838011]]})  # fmt: skip


@check("6.3", 8)
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


@check("6.3", 8)
def on_its_own(hw, draw):
    model, (annotations, mask, state) = a_situation(hw)
    got = hw.write(model, annotations, mask, state, 5)
    same(tuple(np.asarray(got).shape), (5, 3), "the shape of what is written in 5 steps, (S, B)")
    taught = hw.teach(model, annotations, mask, state, np.asarray(got)).detach().numpy()
    close(got, taught.argmax(axis=2), "what is written, against what teach finds likeliest when it is fed that")


@check("6.4", 3)
def a_loss(hw, draw):
    model, batch = hw.Model(8, 0, "float64"), hw.dates(4, 0)
    for parameter in model.output.weight, model.output.bias:
        parameter.assign_(parameter * 0.0)
    close(hw.loss(model, batch), np.log(11), "the loss of a model that finds all 11 symbols equally likely: log(11)",
          suspects={"the sum over the characters of a date": 10 * np.log(11),
                    "the sum over all characters": 40 * np.log(11)})  # fmt: skip


@check("6.4", 3)
def a_loss_of_what_is_taught(hw, draw):
    model, (numbers, lengths, targets) = hw.Model(8, 0, "float64"), hw.dates(4, 0)
    for parameter in model.output.weight, model.output.bias:
        parameter.assign_(parameter * 10.0)  # far from equal
    logits = hw.teach(model, *hw.read(model, numbers, lengths), targets).detach().numpy()
    surprise = np.log(np.exp(logits).sum(axis=-1, keepdims=True)) - logits  # -log of the share of each symbol
    each = np.array([surprise[step, example, targets[step, example]] for step, example in np.ndindex(targets.shape)])
    mixed = [row[symbol] for row, symbol in zip(surprise.reshape(-1, 11), targets.T.ravel())]
    close(hw.loss(model, (numbers, lengths, targets)), each.mean(), "the loss, told from the logits of your teach",
          suspects={"examples and steps are mixed up: logits are (S, B, O), targets (S, B)": np.mean(mixed),
                    "the last character alone": each.reshape(targets.shape)[-1].mean()})  # fmt: skip


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
    losses = floats_of(hw.train(model, [hw.dates(32, number) for number in range(40)]), 40)
    first, last = losses[0], np.mean(losses[-5:])
    if not 2.2 < first < 2.7:
        raise CheckFailedError(f"the first loss was {first:.2f}; that of an untrained model is about log(11) = 2.4")
    if last > np.log(11) - 0.1:
        why = "the parameters did not move: is `backward` called, and `zero_grad` before it, not after?"
    else:
        why = "is the optimizer made once, before the first batch? If so, try another optimizer or learning rate"
    if not last < 1.6:
        raise CheckFailedError(f"the last of 40 losses were {last:.2f}, and have to be below 1.6\n    {why}")
