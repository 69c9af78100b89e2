"""Another right solution: other products, a step at a time, and another schedule."""

import numpy as np
from attention import SYMBOLS, F, one_hot, optim, read, tg

### BEGIN YOURS
import itertools


def begin(state):
    return tg.zeros(state.shape[0], len(SYMBOLS), dtype=state.dtype)


def steps_of(model, annotations, mask, state, next_reply):
    """Yield the logits of each step, on and on; next_reply makes of them what is read next."""
    reply = begin(state)
    for step in itertools.count():
        logits, state, _ = decode(model, reply, state, annotations, mask)
        yield logits
        reply = one_hot(next_reply(step, logits), len(SYMBOLS), state.dtype)


### END YOURS


def scores(query, annotations, weight):
    ### BEGIN SOLUTION 6.1a
    asked = annotations.transpose(0, 1) @ weight.T
    return (asked @ query.unsqueeze(-1)).squeeze(-1)
    ### END SOLUTION 6.1a


def softmax(e):
    ### BEGIN SOLUTION 6.1b
    return F.log_softmax(e, 1).exp()
    ### END SOLUTION 6.1b


def context(weights, annotations):
    ### BEGIN SOLUTION 6.1c
    total = None
    for t in range(annotations.shape[0]):
        part = weights[:, t].unsqueeze(1) * annotations[t]
        total = part if total is None else total + part
    return total
    ### END SOLUTION 6.1c


def mask_of(lengths, steps):
    ### BEGIN SOLUTION 6.2a
    mask = np.zeros((len(lengths), steps), dtype=bool)
    for example, length in enumerate(lengths):
        mask[example, : int(length)] = True
    return mask
    ### END SOLUTION 6.2a


def masked_softmax(e, mask):
    ### BEGIN SOLUTION 6.2b
    allowed = tg.tensor(mask)
    e = e.where(allowed, 0.0)  # neither infinity nor NaN
    largest = e.detach().where(allowed, -1e30).max(axis=1, keepdims=True)
    raised = ((e - largest).where(allowed, 0.0).exp()).where(allowed, 0.0)
    return raised / (
        raised.sum(axis=1, keepdims=True) + tg.tensor(1.0 - mask.any(axis=1, keepdims=True)).astype(e.dtype)
    )
    ### END SOLUTION 6.2b


def last_valid(annotations, lengths):
    ### BEGIN SOLUTION 6.2c
    t, b, _ = annotations.shape
    chosen = np.zeros((t, b, 1))
    for example, length in enumerate(lengths):
        if length:
            chosen[length - 1, example] = 1
    return (annotations * tg.tensor(chosen).astype(annotations.dtype)).sum(axis=0)
    ### END SOLUTION 6.2c


def decode(model, reply, state, annotations, mask):
    ### BEGIN SOLUTION 6.3a
    h = model.cell(reply, state)
    alpha = masked_softmax(scores(h, annotations, model.weight), mask)
    both = tg.concat([context(alpha, annotations), h], axis=-1)
    h_tilde = tg.tanh(both @ model.combine.weight.T + model.combine.bias)
    return h_tilde @ model.output.weight.T + model.output.bias, h, alpha
    ### END SOLUTION 6.3a


def teach(model, annotations, mask, state, targets):
    ### BEGIN SOLUTION 6.3b
    steps = steps_of(model, annotations, mask, state, lambda step, logits: targets[step])
    return tg.stack(list(itertools.islice(steps, len(targets))))
    ### END SOLUTION 6.3b


def write(model, annotations, mask, state, steps):
    ### BEGIN SOLUTION 6.3c
    made = steps_of(model, annotations, mask, state, lambda step, logits: logits.argmax(axis=1).numpy())
    return np.stack([logits.argmax(axis=1).numpy() for logits in itertools.islice(made, steps)])
    ### END SOLUTION 6.3c


def loss(model, batch):
    ### BEGIN SOLUTION 6.4a
    numbers, lengths, targets = batch
    annotations, mask, state = read(model, numbers, lengths)
    logits = F.log_softmax(teach(model, annotations, mask, state, targets), 2)
    right = one_hot(targets, len(SYMBOLS), logits.dtype)
    return -(logits * right).sum() / float(targets.size)
    ### END SOLUTION 6.4a


def exact(model, batch):
    ### BEGIN SOLUTION 6.4b
    numbers, lengths, targets = batch
    right = 0
    annotations, mask, state = read(model, numbers, lengths)
    symbols = write(model, annotations, mask, state, len(targets))
    for example in range(targets.shape[1]):
        right += bool(np.array_equal(symbols[:, example], targets[:, example]))
    return right / targets.shape[1]
    ### END SOLUTION 6.4b


def train(model, batches):
    ### BEGIN SOLUTION 6.4c
    parameters = list(model.parameters())
    optimizer = optim.Adam(parameters, lr=0.01)
    losses = []
    for step in range(len(batches)):
        if step == 3 * len(batches) // 4:
            optimizer.lr = 0.0025
        for parameter in parameters:
            parameter.grad = None
        found = loss(model, batches[step])
        found.backward()
        losses.append(found.item())
        optim.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return losses
    ### END SOLUTION 6.4c
