"""Well-known mistakes are named in the message of a check, the hidden ones and those that a student sees."""

import textwrap
from pathlib import Path

import pytest

from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.checks import checks_of
from tinygrad_rnn.homework.judging import judge
from tinygrad_rnn.homework.marks import regions_of, task_of

FOLDER = Path(__file__).parents[2] / "tutorials" / "homework"

BREADTH = """
found = [root]
for each in found:
    found += [parent for parent in each.parents if parent not in found]
return found[::-1]
"""
LAST_AXES = """
while message.ndim > len(shape):
    message = message.sum(axis=-1)
return message
"""
HORIZON = """
slopes = 1 - states**2 if unit == "tanh" else states * (1 - states)
values = np.linalg.svd(W, compute_uv=False)
factor = {}
return math.log(0.01) / math.log(factor) if factor < 1 else math.inf
"""
EIGENVALUES = """
values = np.sort(np.abs(np.linalg.eigvals(J)))[:, ::-1]
return np.where(values < precision * values[:, :1], np.nan, values)
"""
OF_H = """
if flow["verdict"] == "withheld":
    return None
back = np.array(flow["states"]["h"])[::-1]
gone = np.flatnonzero(back < threshold * back[0])
return "h", int(gone[0]) if len(gone) else None
"""
WAY_TO_H = """
shares = flow["layers"][0]["why"]["states"]["h"]["shares"]
return max(shares.items(), key=lambda share: share[1])
"""
PRECISION = """
values = np.linalg.svd(J, compute_uv=False)
return np.where(values < {}, np.nan, values)
"""
REACH = """
if flow["verdict"] == "withheld":
    return None
far = {{}}
for kind, sizes in flow["states"].items():
    back = np.array(sizes)[::-1]
    gone = np.flatnonzero(back < threshold * {})
    far[kind] = int({}) if len(gone) else None
kind = max(far, key=lambda kind: math.inf if far[kind] is None else far[kind])
return kind, far[kind]
"""
PULLS = """
miss = v * u * {} - y
return 2 * v * (x * miss).{}
"""
AFTER, MASKED = "state = after", "masked_softmax(asked, mask)"
BOTH, SWAPPED = "context(weights, annotations), after", "after, context(weights, annotations)"
DECODE = """
after = model.cell(reply, state)
{}
asked = scores(state, annotations, model.weight)
weights = {}
return model.output(model.combine(tg.concat([{}], axis=1)){}), after, weights
"""
MIXED = """
numbers, lengths, targets = batch
logits = teach(model, *read(model, numbers, lengths), targets)
return F.cross_entropy(logits.reshape(-1, len(SYMBOLS)), tg.tensor(targets.T.reshape(-1)))
"""
NEVER_POPPED = """
recorder = Recorder()
for tensor in inputs:
    recorder.numbers[tensor] = recorder.tape.new_number()
    recorder.tape.inputs.append(recorder.numbers[tensor])
    recorder.tape.shapes.append(tensor.data.shape)
RECORDING.append(recorder)
recorder.finish(step(*inputs))
return recorder.tape
"""
PERFORM = """
arrays = [values[number] for number in instruction.reads]
if instruction.name == "assign":
    {}
else:
    values[instruction.makes] = OPS[instruction.name](*arrays, **instruction.attrs)
"""
#: The homework, the region, what stands in it, the file with the checks, what one of them says.
MISTAKES = [
    ("hw1", "1.2", BREADTH, "hidden", "this is the order of breadth first"),
    ("hw1", "1.2", BREADTH, "public", "this is the order of breadth first"),
    ("hw1", "1.2", "return {root}", "hidden", "not an object of class set"),
    ("hw1", "1.2", "pass", "public", "topological returns a list, and not None"),
    ("hw1", "1.4", LAST_AXES, "hidden", "the sum over axis 1; the operand was repeated along axis 0"),
    ("hw1", "1.4", LAST_AXES, "public", "the sum over axis 1: along axis 0 it was repeated"),
    ("hw1", "1.5a", "return g @ b, a @ g", "hidden", "this is what comes of: b is not transposed"),
    ("hw1", "1.5a", "return g @ b.T, a @ g", "hidden", "this is what comes of: a is not transposed"),
    ("hw1", "1.5a", "return g @ b, a @ g", "public", "this is what comes of: b is not transposed"),
    ("hw6b", "6.4a", "return [set() for _ in tape.instructions]", "hidden", "dead_after returns a list of lists"),
    ("hw6b", "6.4a", "return [set() for _ in tape.instructions]", "public", "dead_after returns a list of lists"),
    ("hw3", "3.6b", "return [float(first), 7.0, 2.0, 2.0, 3.0]", "public", "expected 'hello', got 'h?llo'"),
    ("hw5", "5.1", HORIZON.format("values[0] * slopes.mean()"), "hidden", "not typical of it, times the mean slope"),
    ("hw5", "5.1", HORIZON.format("values[0] * slopes.mean()"), "public", "not typical of it, times the mean slope"),
    ("hw5", "5.1", HORIZON.format("np.sqrt((values**2).mean()) * slopes.mean()"), "hidden",
     "the mean of the slopes, not their root mean square"),
    ("hw5", "5.1", HORIZON.format("values.mean() * slopes.mean()"), "hidden", "means, not root mean squares"),
    ("hw5", "5.2c", EIGENVALUES, "hidden", "this is what comes of: the sizes of the eigenvalues"),
    ("hw5", "5.2c", EIGENVALUES, "public", "this is what comes of: the sizes of the eigenvalues"),
    ("hw5", "5.2c", "return np.linalg.eigvals(J)", "public", "eigenvalues need not be"),
    ("hw5", "5.2a", "return (1 - np.tanh(h) ** 2)[:, :, None] * W", "public", "h is the state, after tanh"),
    ("hw5", "5.2a", "return np.tile((1 - h[0] ** 2)[:, None] * W, (len(h), 1, 1))", "public", "the first example for"),
    ("hw5", "5.2c", PRECISION.format("precision"), "public", "below the precision itself"),
    ("hw5", "5.2c", PRECISION.format("precision * values.max()"), "public", "the largest of all examples, not of each"),
    ("hw5", "5.2d", "return np.abs(W).sum(axis=1).max() ** lag", "public", "sums of rows or of columns"),
    ("hw5", "5.3a", REACH.format("back[0]", "gone[0] + 1"), "public", "one lag too many"),
    ("hw5", "5.3a", REACH.format("back[0]", "len(back) - len(gone)"), "public", "all lags that are not below"),
    ("hw5", "5.3a", REACH.format("back.max()", "gone[0]"), "public", "a part of the largest size"),
    ("hw5", "5.3a", REACH.format("back[0]", "gone[0]").replace("[::-1]", ""), "public", "read from the first step on"),
    ("hw5", "5.3a", REACH.format("back[0]", "gone[0]").replace("max(far", '"c" if "c" in far else max(far'), "public",
     "c is taken to reach furthest"),
    ("hw5", "5.4a", PULLS.format("x.cumsum(axis=0)", "mean(axis=1)"), "public", "s_t, the sum up to each step"),
    ("hw5", "5.4a", PULLS.format("x.cumsum(axis=0)", "mean(axis=1)"), "hidden", "s_t, the sum up to each step"),
    ("hw5", "5.4a", PULLS.format("x.sum(axis=0)", "sum(axis=1) / len(x)"), "public", "divided by the steps"),
    ("hw5", "5.4a", PULLS.format("x.sum(axis=0)", "mean(axis=0)"), "public", "the mean over the steps"),
    ("hw5", "5.4b", "return 1.0, 1 / len(x)", "public", "1/T, whatever the numbers are"),
    ("hw6a", "6.1c", "return (weights.T.unsqueeze(-1) * annotations).sum(axis=1)", "public", "over the examples, not"),
    ("hw6a", "6.2c", "return annotations[lengths - 1, np.arange(len(lengths))]", "public", "0 - 1 is the last one"),
    ("hw6a", "6.3a", DECODE.format("", MASKED, BOTH, ".tanh()"),
     "public", "the state before the step asks"),
    ("hw6a", "6.3a", DECODE.format(AFTER, "softmax(asked)", BOTH, ".tanh()"), "public",
     "this is what comes of: no mask"),
    ("hw6a", "6.3a", DECODE.format(AFTER, MASKED, SWAPPED, ".tanh()"),
     "public", "[state, context], and not [context, state]"),
    ("hw6a", "6.3a", DECODE.format(AFTER, MASKED, BOTH, ""), "public",
     "this is what comes of: no tanh"),
    ("hw6a", "6.4a", MIXED, "public", "examples and steps are mixed up"),
    ("hw6a", "6.4c", "return [loss(model, batch).item() for batch in batches]", "public", "is `backward` called"),
    ("hw6a", "6.4c", "return [loss(model, batch) for batch in batches]", "public", "train returns a list of floats"),
    ("hw6a", "6.4c", "return [loss(model, batch) for batch in batches]", "hidden", "train returns a list of floats"),
    ("hw6b", "6.1c", NEVER_POPPED, "public", "record takes its recorder out of RECORDING again"),
    ("hw6b", "6.2b", PERFORM.format("arrays[1][...] = arrays[0]"), "public", "assign the wrong way round"),
    ("hw6b", "6.2b", PERFORM.format("values[instruction.reads[0]] = arrays[1]"), "public", "assign put another array"),
    ("hw6b", "6.3a", 'self.problem = TapeError("a tensor is read")', "public", "the step went on"),
    ("hw6b", "6.3a", 'self.problem = TapeError("a tensor is read")', "hidden", "the step went on"),
    ("hw5", "5.3a", OF_H, "hidden", "h is not the kind of state that carries the gradient furthest"),
    ("hw5", "5.3b", WAY_TO_H, "hidden", "this is the way to h, not to c"),
]  # fmt: skip


@pytest.mark.process
@pytest.mark.parametrize(("homework", "name", "body", "file", "words"), MISTAKES)
def test_a_well_known_mistake_is_named(homework, name, body, file, words):
    folder = FOLDER / homework
    assignment, reference = building.source_of(folder)
    (main, text) = next(iter(reference.items()))
    lines, region = text.splitlines(keepends=True), regions_of(text)[name]
    lines[region.begin + 1 : region.end] = [textwrap.indent(body.strip("\n"), region.indent) + "\n"]
    checks = [
        each for each in checks_of(folder / f"{file}.py") if "chain" not in each.name
    ]  # breadth first is slow there
    found = judge(assignment, reference, {main: "".join(lines)}, checks, only=task_of(name))
    assert words in "\n".join(each.message for each in found if not each.earned)
