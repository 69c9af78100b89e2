# %% [markdown] minutes="25" seconds="90"
# # 12 Better than counting?
#
# *What does the network know that a table of counts does not?*
#
# A network that writes text one character at a time looks like magic, until one asks what it is compared with. Here the
# rival is a table: how often did which character follow the last few? Then the same question for numbers: does a network
# forecast better than a rule that a pocket calculator can follow?
#
# You need tutorial 10 (a gated cell; here a GRU) and cross entropy: the mean of $-\ln p$ of what really came.

# %%
import os
from collections import Counter, defaultdict

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import functional as F
from tinygrad_rnn import optim, tasks, train, viz
from tinygrad_rnn.viz import plots

FAST = bool(os.environ.get("TINYGRAD_RNN_FAST"))
SEEDS = range(1 if FAST else 3)

source = tasks.TASKS["code"].reads().text  # the source of this library, which is wherever it is
source = "".join(character for character in source if character.isascii())[:100_000]
learned, held = tasks.parse_task("code").make(40, source).held_out()
letters = learned.vocabulary.characters
print(f"{len(learned.text):,} characters to learn from, {len(held.text):,} held out, {len(letters)} different ones")
print(learned.text[2000:2200])
assert len(held.text) == 10_000

# %% [markdown]
# ## Counting
#
# For every context of up to `order` characters, count what came next. A long context is precise, but rare: many contexts of the
# new text were never seen. So mix: let $n$ be how often the context came and $d$ how many *different* characters came after
# it. Its counts weigh $n$, the estimate of the context one character shorter weighs $d$:
#
# $$p(x \mid \text{context}) = \frac{\text{count}(x) + d\, p(x \mid \text{shorter})}{n + d}$$


# %%
def count(text, order):
    """For each length of context, how often which character came after it."""
    tables = [defaultdict(Counter) for _ in range(order + 1)]
    for length, table in enumerate(tables):
        for place in range(length, len(text)):
            table[text[place - length : place]][text[place]] += 1
    return tables


def probability(tables, context, character):
    p = 1 / len(letters)
    for length, table in enumerate(tables):
        seen = table.get(context[len(context) - length :])
        if seen is None:
            break
        p = (seen[character] + len(seen) * p) / (seen.total() + len(seen))
    return p


def loss_of_counting(tables, text):
    order = len(tables) - 1
    chances = [probability(tables, text[place - order : place], text[place]) for place in range(order, len(text))]
    return -np.log(chances).mean()


tables = count(learned.text, 4)
assert abs(sum(probability(tables, "retu", x) for x in letters) - 1) < 1e-9
print("after 'retu' comes r with probability", round(probability(tables, "retu", "r"), 3))

# %% [markdown] question="number" answer="best" tolerance="1abs"
# Contexts of 0 to 6 characters: which length has the smallest loss on the text that was held out?

# %%
counting = {order: loss_of_counting(count(learned.text, order), held.text) for order in range(7)}
for order, loss in counting.items():
    print(f"the last {order} characters: {loss:.2f} nats a character")
best = min(counting, key=counting.get)
print("best:", best, "- and a table of that order has", sum(map(len, count(learned.text, best)[-1].values())), "counts")
assert 3 <= best <= 5 and counting[6] > counting[best] < counting[2]

# %% [markdown]
# Beyond that the table knows the old text better and better, and the new one worse. That is over-fitting, without a network.
#
# ## A network
#
# A GRU of 64 units reads a character, gives the logits of the next, and carries its state on. Nothing limits its
# context, except what it has learned to keep.

# %% [markdown]
# We ask three things of a trained network. Its loss on held-out text, after it has read 1, 2, ... 40 characters. What it writes.
# And a **probe**: how likely is one more space, after a new line and 4, 5, 6, 7 or 8 of them? This source indents by four.


# %%
def by_characters_read(model):
    """Loss after 1 to 40 characters of held-out text, from a state of zeros."""
    batch = held.batch(2000, seed=7)
    with tg.no_grad():
        logits = model.outputs(batch.to("cpu"))
        losses = F.cross_entropy(
            logits.reshape(-1, len(letters)), tg.tensor(batch.targets.reshape(-1)), reduction="none"
        )
    return losses.numpy().reshape(40, -1).mean(axis=1)


def chance_of(model, text, character):
    """What a network gives a character after a text."""
    numbers = learned.vocabulary.encode(text)
    with tg.no_grad():
        logits, _ = model(tg.tensor(learned.one_hot(numbers)[:, None]))
    return float(logits[-1, 0].softmax(axis=0).numpy()[learned.vocabulary.encode(character)[0]])


def write(model, temperature, length, seed=0):
    """Divide the logits by the temperature, draw, read what was drawn, and so on."""
    numbers = train.sample(model, learned.vocabulary.encode("\n    def "), length, temperature, seed)
    return learned.vocabulary.decode(list(numbers))


INDENTS = ["    return found\n" + " " * spaces for spaces in (4, 5, 6, 7, 8)]
assert {text[-4:] for text in INDENTS} == {"    "}

# %% [markdown] question="choice" options="the network | the table, clearly | neither: they are equal" answer="2 if min(network) > counting[best] + 0.05 else 1 if max(network) < counting[best] - 0.05 else 3"
# The network is trained on the same text on which the table was counted. Which has the smaller loss
# on held-out text, the network after ten or more characters, or the best table?

# %% seconds="45" keep="network curves spaces samples repeats"
network, curves, spaces, repeats = [], [], [], []
for seed in SEEDS:
    tg.manual_seed(seed)
    model = train.SequenceModel("gru", len(letters), 64, len(letters))
    adam = optim.Adam(model.parameters(), lr=1e-2)
    for _ in train.fit(model, learned, adam, 80 if FAST else 600, batch=16, seed=seed):
        pass
    curves.append(by_characters_read(model))
    network.append(curves[-1][10:].mean())
    spaces.append([chance_of(model, text, " ") for text in INDENTS])
    repeats.append(write(model, 0, 400))
    print(f"seed {seed}: {network[-1]:.2f} nats a character; the table of order {best}: {counting[best]:.2f}")
samples = {temperature: write(model, temperature, 300) for temperature in (0.5, 1.0)}
weights = sum(np.prod(parameter.shape) for parameter in model.parameters())
print(f"{weights:,} weights")
assert min(network) > counting[best]
assert max(network) < (counting[0] if FAST else counting[2])

# %% [markdown]
# Counting wins, and not by a little. Much of this text is repetition, and nothing repeats better than a table. Larger
# networks, trained for hours on more text, are reported to win by far. Nobody should believe that of a network before the
# table stands beside it.
#
# So what has the network learned?

# %% [markdown] question="number" answer="enough" tolerance="4abs"
# The network starts with an empty state somewhere in the text. After how many characters is its loss within a tenth of a nat of what
# it reaches after 30 and more?

# %%
mean = np.mean(curves, axis=0)
enough = int(np.argmax(mean < mean[29:].mean() + 0.1)) + 1
fig, ax = plt.subplots(figsize=(6.5, 3.5), layout="constrained")
for curve in curves:
    ax.plot(range(1, 41), curve, color="C0", alpha=0.4)
ax.plot(range(1, 41), mean, color="C0", label="network, mean of the seeds")
for order in (1, 2, best):
    ax.axhline(counting[order], color="0.4", linestyle="--")
    ax.annotate(f"table of the last {order}", (40, counting[order]), (0, 3), textcoords="offset points", ha="right")
ax.set(xlabel="characters read", ylabel="nats a character", title="A few characters are most of what it uses")
ax.legend()
viz.show(fig, name="characters_read")
print("enough:", enough)
assert 1 <= enough <= 20 and (FAST or mean[0] > mean[29:].mean() + 0.3)

# %% [markdown] question="choice" options="the table | the network | both | neither" answer="2 if same and min(gap) > 0.2 else 4"
# Now the probe. After 4 or 8 spaces a word may begin, after 5, 6 or 7 it may not. Which of the two rivals knows that: the table of
# order 4, or the network? (In a hurry, the network has not been trained enough to say.)

# %%
of_table = [probability(tables, text[-4:], " ") for text in INDENTS]
same = len(set(of_table)) == 1
gap = [min(chances[1:4]) - max(chances[0], chances[4]) for chances in spaces]
print("spaces so far   ", "".join(f"{n:7}" for n in (4, 5, 6, 7, 8)))
print("table           ", "".join(f"{chance:7.2f}" for chance in of_table))
for seed, chances in enumerate(spaces):
    print(f"network, seed {seed} ", "".join(f"{chance:7.2f}" for chance in chances))
assert same
assert FAST or min(gap) > 0.2

# %% [markdown]
# **That** is what the network knows. For a table of order 4 these five lines are one and the same: four spaces, whatever was
# counted. The network carries along where in the line it stands. A table that should know needs longer contexts, and
# then it needs them for everything, and starves.
#
# ## What it writes
#
# To write, draw a character from the probabilities, read it, and go on. The logits are divided by a **temperature** before: below
# 1 the likely becomes likelier, at 0 only the likeliest is taken.

# %%
known = set(learned.text.replace("_", " ").split())
for temperature, text in samples.items():
    words = [word for word in text.replace("_", " ").split() if word.isalpha() and len(word) > 2]
    share = np.mean([word in known for word in words])
    print(f"--- temperature {temperature}: {share:.0%} of its words are in the source\n{text}\n")
assert set(samples) == {0.5, 1.0} and all(len(text) == 300 for text in samples.values())

# %% [markdown]
# It has the looks of Python: names and indents. Whether it would run, nobody has tried.
#
# ## Numbers instead of letters
#
# Two series of measurements: spots on the sun, by year, and CO2 on Mauna Loa, by week, which rises and breathes with
# the seasons. The rivals cost nothing: repeat the **last value**, or fit a straight **autoregression**, AR(p), a weighted sum of the
# last p values. The last fifth of each series is held out. Errors are root mean squares, one step ahead.
#
# A text says that recurrent networks find trends by themselves, without features made by hand.


# %%
def learn_series(of, feed, seed):
    """Train on the first four fifths of a series; returns the model and its task."""
    task = tasks.parse_task(f"series:of={of}:feed={feed}").make(60)
    tg.manual_seed(seed)
    model = train.SequenceModel("gru", 1, 16, 1)
    adam = optim.Adam(model.parameters(), lr=1e-2)
    for _ in train.fit(model, task, adam, 40 if FAST else 120, batch=32, seed=seed):
        pass
    return model, task


task = tasks.parse_task("series:of=co2:feed=level").make(60)
print(
    "learned",
    task.values[: task.cut].min(),
    "to",
    task.values[: task.cut].max(),
    "ppm, held out up to",
    task.values.max(),
)
assert task.values[task.cut :].max() > task.values[: task.cut].max()

# %% [markdown] question="choice" options="better than the autoregression | between the two rivals | worse than repeating the last value" answer="3 if min(errors['co2 level']) > costs['co2']['last value'] else 1 if max(errors['co2 level']) < costs['co2']['AR(30)'] else 2"
# A GRU is given CO2 as it is: the level, standardised, week by week. How good are its forecasts of the years after?

# %% seconds="40" keep="errors costs"
errors, costs = {}, {}
for of, feeds, steps in (("sunspots", ["level"], 1), ("co2", ["level", "difference"], 52)):
    models = {feed: [learn_series(of, feed, seed) for seed in SEEDS] for feed in feeds}
    found = train.forecasts_of(models, steps)
    costs[of] = {name: found.rmse(name)[0, 0] for name in found.baselines}
    print(of, {name: round(float(cost), 2) for name, cost in costs[of].items()})
    for feed in feeds:
        errors[f"{of} {feed}"] = found.rmse(feed)[:, 0]
        print(f"  network, fed the {feed}:", found.rmse(feed)[:, 0].round(2))
viz.show(plots.forecast(found), name="forecasts")
assert min(errors["co2 level"]) > costs["co2"]["last value"]
assert max(errors["co2 difference"]) < costs["co2"]["last value"]
assert max(errors["sunspots level"]) < costs["sunspots"]["last value"]
assert FAST or found.rmse("difference")[:, -1].min() > found.rmse("a season ago")[0, -1]

# %% [markdown]
# Worse than the rule that needs no rule. CO2 goes above the highest level that the network has learned from (printed above), and
# the units of a GRU end at 1 and -1: that is a likely cause, not a tested one. Given the **differences** from week to week, the same network is good: they are as
# large in the future as in the past. So the trend was *not* found by the network. It was found by whoever took differences.
#
# Beside the autoregression the gain is small or none, for the spots as well. And left to its own forecasts for a whole year
# (the middle panel), even this network does worse than repeating what was there a year before. For short, clean series
# simple rules are hard to beat.

# %% [markdown] exercise="1" question="number" answer="uniform" tolerance="0.01"
# Which loss, in nats, has someone who gives each of the characters of `letters` the same probability? (Every loss above should be
# compared with it.)

# %% [markdown] hint="1"
# The mean of $-\ln p$ with $p = 1/n$.

# %% solution="1"
uniform = np.log(len(letters))
print(f"{len(letters)} characters: {uniform:.3f} nats")
assert counting[0] < uniform

# %% [markdown] exercise="2" question="choice" options="the best text of all | sooner or later the same piece again and again | a single space" answer="2 if all(turns) else 1"
# `write(model, 0, 400)` takes the likeliest character at every step. `repeats` has one such text for each seed. What does it look like?

# %% [markdown] hint="2"
# The state and the last character decide everything. What happens when both come back?

# %% solution="2"
turns = [text[-40:] in text[:-40] for text in repeats]
for text in repeats:
    print(repr(text[-160:]))
assert all(turns)

# %% [markdown]
# ## In three sentences
#
# A number means something beside the number of a rival that costs nothing: counts for text, the last value and a straight line for
# series. What a recurrent network has that a table has not is a state, which carries a fact past whatever comes between. It
# does not find trends outside what it has seen; whoever prepares the data does.
#
# **What this did not show.** Large networks and long trainings, where counting loses. How far the likeliest single
# character is from the likeliest text (`train.beam_search`). And anything about sentences: the state here holds an indent, not a plot.
