# %% [markdown] minutes="25" seconds="125"
# # 13 Reading while writing
#
# *What does attention add?*
#
# Until now a network read and answered step by step, or read everything and then answered once. Often a whole sequence must
# become *another* sequence: a sentence a translation, a picture a line of text. Here dates are read as people write them,
# and written as machines like them.
#
# You need tutorial 10 (a gated cell; here a GRU) and the idea of one-hot vectors.

# %%
import os
from dataclasses import replace
from itertools import product

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, tasks, train, viz
from tinygrad_rnn.viz import plots

FAST = bool(os.environ.get("TINYGRAD_RNN_FAST"))
SEEDS = range(1 if FAST else 3)
UPDATES = 80 if FAST else 500

dates = {look: tasks.parse_task(f"dates:attention={look}").make() for look in ("none", "dot")}
batch = dates["dot"].batch(5, seed=3)
for example in range(5):
    text = dates["dot"].read(batch.inputs[:, example])
    print(f"{text:28} -> {dates['dot'].said(batch.targets[:, example])}")
assert batch.targets.shape == (10, 5)

# %% [markdown]
# ## Two networks and a bottle's neck
#
# An **encoder** reads the characters, one a step. Its last state starts a **decoder**, which writes: at each step it reads the
# character written before and gives the next one. In training it is fed the *right* character before, whatever it wrote
# (**teacher forcing**); in use it is fed its own.
#
# All that the decoder ever learns about the text is one state, here 48 numbers. **Attention** opens a second way. The
# encoder's states $k_1 \ldots k_T$, one for each character, stay where they are, and at every step the decoder's state $h$ asks all of them:
#
# $$e_t = h \cdot k_t, \qquad a = \mathrm{softmax}(e), \qquad \text{context} = \sum_t a_t\, k_t$$
#
# The weights $a_t$ are positive and sum to 1. A key that points where $h$ points gets a large one. What is written depends on
# $h$ and on the context.

# %%
draw = np.random.default_rng(0)
keys, h = draw.standard_normal((6, 4)), draw.standard_normal(4)
scores = keys @ h
a = np.exp(scores - scores.max())
a /= a.sum()
context = a @ keys
seen, weights = nn.Attention("dot", 4, 4, dtype="float64")(tg.tensor(h), tg.tensor(keys))
print("scores ", scores.round(2))
print("weights", a.round(2))
assert np.allclose(weights.numpy(), a) and np.allclose(seen.numpy(), context)
assert a.argmax() == scores.argmax() and abs(a.sum() - 1) < 1e-12


# %%
def learn_dates(look, seed, updates=UPDATES, task=None):
    """Train an encoder and a decoder; return the model and its last losses."""
    task = task or dates[look]
    tg.manual_seed(seed)
    model = train.EncoderDecoder.for_task(task, "gru", 48)
    adam = optim.Adam(model.parameters(), lr=5e-3)
    losses = [update.loss for update in train.fit(model, task, adam, updates, batch=64, seed=seed)]
    return model, np.mean(losses[-20:])


TEXTS = ["Tuesday, 3 March 1987", "24 November 2031", "Aug 9 1915", "19.07.2044"]


def written(model, texts):
    """What it writes on its own, and what it looks at: a list of (text, written, weights (S, T))."""
    found = []
    for text in texts:
        batch = dates["dot"].encode([text])
        with tg.no_grad():
            said = model.answers(batch.to("cpu")).numpy().argmax(axis=-1)[:, 0]
            looked = model.looked_at(batch.to("cpu")).numpy()[:, 0] if model.attention else None
        found.append((text, dates["dot"].said(said), looked))
    return found


assert [len(each[1]) for each in written(learn_dates("none", 0, updates=1)[0], TEXTS)] == [10] * 4

# %% [markdown] question="choice" options="both write more than 90% of the dates rightly | with attention more than 90%, without less than half | without attention more than 90%, with less than half | neither reaches half" answer="1 if min(right['none']) > 0.9 else 2 if min(right['dot']) > 0.9 else 3 if max(right['none']) > 0.9 else 4"
# Both get the same encoder, decoder and the same few hundred updates. Then each writes fresh dates on its own; a date
# counts only if all ten characters are right. What comes out? (With `TINYGRAD_RNN_FAST=1` the training is too short for
# this question.)

# %% seconds="70" keep="right characters looked losses"
right, characters, losses, looked = ({"none": [], "dot": []} for _ in range(4))
for look in ("none", "dot"):
    for seed in SEEDS:
        model, loss = learn_dates(look, seed)
        found = train.assess(model, dates[look], 500, seed=seed)
        right[look].append(1 - found["wrong"])
        characters[look].append(1 - found["wrong characters"])
        losses[look].append(loss)
        print(
            f"attention {look:4} seed {seed}: {right[look][-1]:.0%} of dates, {characters[look][-1]:.0%} of characters"
        )
        if seed == 0:
            looked[look] = [each if look == "dot" else each[:2] for each in written(model, TEXTS)]
for with_it, without in zip(looked["dot"], looked["none"], strict=True):
    print(f"{with_it[0]:24} -> {with_it[1]} with, {without[1]} without")
assert min(characters["dot"]) > (0.4 if FAST else max(characters["none"]))
assert FAST or (min(right["dot"]) > 0.9 and max(right["none"]) < 0.5)

# %% [markdown]
# Without attention the date must pass through the last state, and it must pass *as a whole*: the gradient that says "remember the
# year" reaches the first characters only through all steps between (tutorial 05). With attention every
# character is one step away from every character written, at each moment. Whether a longer training
# would do without attention is not tried here.
#
# ## Where does it look?

# %% [markdown] question="choice" options="at the M alone, which begins the name | at the name of the month or the character behind it | evenly at everything" answer="1 if masses['M'] > 0.5 else 2 if masses['name or behind'] > 1.3 * masses['an even share'] else 3"
# It reads "Tuesday, 3 March 1987" and writes 1987-**03**-03. Where does the weight lie while it writes the
# month? Remember what a *state* of the encoder is.

# %%
text, wrote, weights = looked["dot"][0]
begin = text.index("March")
masses = {"M": weights[5:7, begin].mean(), "name or behind": weights[5:7, begin : begin + 6].sum(axis=1).mean(),
          "an even share": 6 / len(text)}  # fmt: skip
print({name: f"{mass:.0%}" for name, mass in masses.items()})
fig = plots.alignment([train.Alignment(*each) for each in looked["dot"]])
viz.show(fig, name="alignment")
assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)
assert FAST or (masses["name or behind"] > 1.3 * masses["an even share"] and masses["M"] < 0.5)

# %% [markdown]
# Each row is one character written, and its weights sum to 1. For each text, compare where the rows of the year, the month and
# the day lie with where the text has them; for the month of the first one the numbers stand above. Nobody told the network: only the dates were right or wrong.
#
# The map is *nearly* an alignment, not exactly. A key is a state of the encoder, and a state knows what came
# before. "March" and "May" differ only from the third letter on, so the first letters say little; the last ones, and the space behind,
# know the whole name. Looking beside a word may be looking at it.
#
# ## The same idea for a picture
#
# A strip shows one or two handwritten digits, with gaps. A small convolution makes **annotations**, one vector for each place
# of the strip. The decoder writes the digits from left to right. One model attends to the places; the other one is
# given their *mean*, the same at every step.


# %%
def learn_strips(look, seed):
    """Train a captioner; return it, and the task with digits that were held out."""
    task, held = tasks.parse_task(f"strips:attention={look}:digits=2").make().held_out()
    tg.manual_seed(seed)
    model = train.Captioner.for_task(task, "gru", 48)
    adam = optim.Adam(model.parameters(), lr=3e-3)
    for _ in train.fit(model, task, adam, 30 if FAST else 600, batch=32, seed=seed):
        pass
    return model, held


def read_strips(model, held):
    """What it writes about 300 strips with two digits: the batch, pairs of truth and text, and what it looked at."""
    batch = held.measured(300, seed=5)
    with tg.no_grad():
        said = model.answers(batch.to("cpu")).numpy().argmax(axis=-1)
        weights = model.looked_at(batch.to("cpu")).numpy() if model.attention else None
    return batch, [(held.said(batch.targets[:, b]), held.said(said[:, b])) for b in range(300)], weights


strip = tasks.parse_task("strips:digits=2").make()
assert strip.batch(1, seed=0).inputs.shape == (1, 8, 32) and strip.symbols == "0123456789."

# %% [markdown] question="choice" options="it reads no strip at all | it reads some, but the order of two digits is a guess | it is as good as attention" answer="3 if min(strips['none']) > min(strips['soft']) - 0.03 else 1 if max(strips['none']) < 0.1 else 2"
# What can the model with the mean still do?

# %% seconds="60" keep="strips order gazes forward"
strips, order = {"none": [], "soft": []}, {"none": [], "soft": []}
for look in ("none", "soft"):
    for seed in SEEDS:
        model, held = learn_strips(look, seed)
        strips[look].append(1 - train.assess(model, held, 500, seed=seed)["wrong"])
        batch, pairs, weights = read_strips(model, held)
        bag = [truth == wrote for truth, wrote in pairs if sorted(truth) == sorted(wrote) and len(set(truth)) == 2]
        order[look].append(np.mean(bag or [0]))
        print(f"{look}: seed {seed}, {strips[look][-1]:.0%} of strips right; if both digits are, their order is in "
              f"{order[look][-1]:.0%} of {len(bag)}")  # fmt: skip
found = []
for b, (_, wrote) in enumerate(pairs):
    found.append(train.Gaze.of(batch.inputs[b], wrote, weights[: len(wrote), b], places=8))
two = [each.centres for each in found if len(each.written) == 2]
forward = np.mean([left < right for left, right in two] or [0])
gazes = [(each.image, each.written, each.weights) for each in found[:4]]
print(f"where it writes two digits, the centre of attention moves to the right in {forward:.0%} of {len(two)} strips")
assert FAST or min(strips["soft"]) > max(strips["none"])
assert FAST or (min(order["soft"]) > 0.9 and max(order["none"]) < 0.75 and forward > 0.9)

# %%
fig = plots.gaze([train.Gaze(*each) for each in gazes])
viz.show(fig, name="gaze")
assert all(each[2].shape[1] == 8 for each in gazes)

# %% [markdown]
# A mean of annotations says what is there, not where: a sum does not know the order of its terms. The model with the mean reads
# strips with a single digit, rarely both of two, and then their order is right about as often as by tossing a coin. With attention the decoder walks along the strip
# from left to right, one digit a step. Again nobody told it to.
#
# An honest limit: if the annotations were not averaged but laid side by side into one long vector, a decoder could learn the
# same without attention, as long as all strips are equally wide. Attention is not the only way to know *where*. It is
# one that does not care how long the input is.

# %% [markdown] exercise="1" question="number" answer="best[4]" tolerance="0.01abs"
# Someone knows exactly *which* digits are on a strip (also how often), and nothing of their order. Strips have one to
# **four** digits, all four lengths equally often, all digits equally likely. What is the largest share of strips such a person can
# get right?

# %% [markdown] hint="1"
# With two different digits one guesses right half of the time, with two equal ones always: 0.9 * 1/2 + 0.1.

# %% [markdown] hint="1"
# For n digits the answer is the number of different bags of n digits, divided by $10^n$. Why?

# %% solution="1"
bags = [len({tuple(sorted(digits)) for digits in product(range(10), repeat=n)}) / 10**n for n in (1, 2, 3, 4)]
best = {most: np.mean(bags[:most]) for most in (1, 2, 3, 4)}
print({most: round(float(share), 3) for most, share in best.items()})
print(f"up to two digits: {best[2]:.3f}; reached by the model with the mean: {max(strips['none']):.3f}")
assert abs(best[4] - 0.46) < 0.001 and abs(best[2] - 0.775) < 1e-9

# %% [markdown] exercise="2" question="choice" options="its training loss is higher, and it writes as well | its training loss is higher, and it writes nothing right | its training loss is lower, and it writes nothing right" answer="3 if early < losses['dot'][0] and exact < 0.05 else 2 if exact < 0.05 else 1"
# A common slip: in training the decoder is fed the character it has to write *now*, and not the one before. In place of
# `replies` one step late, someone gives the targets themselves. Train it so. How do the loss of the training and the dates
# written freely compare with the right way?

# %% [markdown] hint="2"
# What is the easiest thing to learn when the answer is among the inputs?


# %% solution="2" seconds="6"
class Early(type(dates["dot"])):
    def batch(self, size, seed, dtype="float32"):
        batch = super().batch(size, seed, dtype)
        return replace(batch, replies=np.eye(self.output_size, dtype=dtype)[batch.targets])


model, early = learn_dates("dot", 0, updates=UPDATES, task=Early("dot"))
exact = 1 - train.assess(model, dates["dot"], 500)["wrong"]
print(f"fed one step early: training loss {early:.4f} (right: {losses['dot'][0]:.4f}), {exact:.0%} of dates right")
assert early < losses["dot"][0] and exact < 0.05

# %% [markdown]
# ## In three sentences
#
# A decoder that has only the encoder's last state must get everything through one vector. Attention lets each step of the writing
# ask all steps of the reading, by products, a softmax and a weighted sum, and learns *where* from *what* alone. A training loss that
# is too good to be true is not true: let the model write on its own.
#
# **What this did not show.** Longer strips than those trained on, where such models fail. Other scores than the dot
# product (`dates:attention=additive`). And networks of nothing but attention, which have no recurrence at all.
