"""Which solutions are alike: the marked parts of each pair are compared, names and comments left aside."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.archives import open_submission
from tinygrad_rnn.homework.marks import lenient_regions
from tinygrad_rnn.homework.stubs import make_stub

__all__ = ["Pair", "pairs"]

_WORDS = re.compile(r"""#[^\n]*|('''|\"\"\").*?\1|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[\w.]+|[^\w\s]""", re.DOTALL)
#: What is alike in all solutions of a few words says nothing.
_LEAST = 30


@dataclass(frozen=True)
class Pair:
    """Two submissions, and how alike they are."""

    first: str
    second: str
    #: The share of their words that is in both, in the same order: from 0 to 1.
    alike: float
    #: The regions in which they are the same, but for names and comments.
    same: tuple[str, ...]


def pairs(source: Path, submissions: list[Path], above: float = 0.9) -> list[Pair]:
    """Return the pairs of solutions that are more alike than that, the most alike first; the reference is among them.

    Compared are the regions that differ from the stub, as words: comments and what texts say are left out, and so are
    names that the student chose. Copies with other names, comments and spaces are found; who solved a task in the same
    way without copying is found, too, so that a pair is a reason to look, and never a proof.

    Args:
        source: the folder of the assignment, with its reference.
        submissions: what was handed in; what cannot be read is passed over.
        above: the least share of common words.

    Raises:
        MissingToolError: what compares them is not installed.
        InputError: the assignment cannot be read.
    """
    try:
        from rapidfuzz.distance import Indel  # noqa: PLC0415  (optional)
        from rapidfuzz.process import cdist  # noqa: PLC0415
    except ImportError as error:
        raise MissingToolError("comparing needs rapidfuzz; first: pip install 'tinygrad-rnn[similar]'") from error
    assignment, reference = building.source_of(source)
    stub = {name: make_stub(text, assignment) for name, text in reference.items()}
    code = [found[0] for text in stub.values() for found in _WORDS.finditer(text) if found[0][0] not in "#\"'"]
    given = {part for word in code for part in word.split(".")} | set(dir(builtins))
    untouched = dict(_regions(stub, given))
    solutions = {"(the reference)": dict(_regions(reference, given))}
    for path in submissions:
        try:
            solutions[path.name] = dict(_regions(open_submission(path, assignment.files), given))
        except InputError:
            continue  # graded with a note that says why
    signs: dict[str, str] = {}
    names, texts = [], []
    for name, regions in solutions.items():
        words = [word for each, text in sorted(regions.items()) if text != untouched.get(each) for word in text]
        if len(words) >= _LEAST:
            names.append(name)
            texts.append("".join(signs.setdefault(word, chr(0x4E00 + len(signs))) for word in words))
    shares = cdist(texts, texts, scorer=Indel.normalized_similarity)
    found = []
    for first, second in ((i, j) for j in range(len(names)) for i in range(j)):
        if shares[first, second] >= above:
            one, other = solutions[names[first]], solutions[names[second]]
            same = [each for each in one if one[each] == other.get(each) != untouched.get(each)]
            found.append(Pair(names[first], names[second], round(float(shares[first, second]), 4), tuple(sorted(same))))
    return sorted(found, key=lambda pair: (-pair.alike, pair.first, pair.second))


def _regions(files: Mapping[str, str], given: set[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for text in files.values():
        for name, region in lenient_regions(text).items():
            yield name, tuple(_plain(found[0], given) for found in _WORDS.finditer(region.text) if found[0][0] != "#")


def _plain(word: str, given: set[str]) -> str:
    """Return a word without what is easily changed: names of one's own, and texts."""
    if word[0] in "\"'":
        return "text"
    parts = word.split(".")
    return ".".join(
        part if part in given or keyword.iskeyword(part) or part[:1].isdigit() else "name" for part in parts
    )
