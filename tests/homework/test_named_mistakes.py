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
