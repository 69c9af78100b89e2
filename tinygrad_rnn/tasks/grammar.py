"""A text to learn that is the same everywhere: English sentences made by a small grammar.

Verbs agree with their subjects over whatever stands between them ("the keys that the old sailor hides rust"), quotes
and brackets are closed: something to remember over a few characters, and over many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

#: About as long as a short book.
CHARACTERS = 200_000

_NOUNS = (
    "sailor", "gardener", "teacher", "child", "neighbour", "baker", "king", "owl", "fox", "horse", "river", "lamp",
    "key", "letter", "garden", "window", "boat", "clock", "apple", "bridge", "forest", "song", "kitchen", "winter",
    "market", "tower", "road", "field", "story", "storm",
)  # fmt: skip
_PLURALS = {"child": "children", "fox": "foxes", "story": "stories"}
_NAMES = ("Anna", "Boris", "Clara", "David", "Emil", "Greta", "Hugo", "Ida", "Jonas", "Vera")
_ADJECTIVES = (
    "old", "young", "quiet", "red", "small", "tall", "empty", "golden", "broken", "proud", "lazy", "quick", "strange",
    "warm", "dark", "frozen",
)  # fmt: skip
#: With an object, and without; third person singular, then plural.
_WITH = (
    ("sees", "see"), ("follows", "follow"), ("finds", "find"), ("hides", "hide"), ("loves", "love"),
    ("paints", "paint"), ("remembers", "remember"), ("watches", "watch"), ("carries", "carry"), ("forgets", "forget"),
)  # fmt: skip
_WITHOUT = (
    ("sleeps", "sleep"), ("waits", "wait"), ("sings", "sing"), ("falls", "fall"), ("grows", "grow"),
    ("shines", "shine"), ("rusts", "rust"), ("laughs", "laugh"), ("returns", "return"), ("vanishes", "vanish"),
)  # fmt: skip
_PLACES = ("near", "behind", "under", "above", "beyond", "between", "in", "beside")
_TIMES = ("today", "every morning", "at night", "in spring", "again", "once more", "before dawn", "all day")
_LINKS = ("because", "while", "when", "although", "and", "but")
_SAYING = ("says", "whispers", "asks", "answers", "writes")


@cache
def text() -> str:
    """Return the text, always the same.

    >>> from tinygrad_rnn.tasks import grammar
    >>> grammar.text()[:58]
    'The boat that Emil forgets finds Anna every morning but th'
    """
    state = 0

    def pick(count: int) -> int:
        """Return one of 0..count-1; a linear congruential generator (Knuth's MMIX) is the same in every Python."""
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % count

    paragraphs: list[str] = []
    length = 0
    while length < CHARACTERS:
        paragraphs.append(" ".join(_sentence(pick) for _ in range(3 + pick(5))))
        length += len(paragraphs[-1]) + 2
    return "\n\n".join(paragraphs) + "\n"


Pick = Callable[[int], int]


def _one_of(pick: Pick, words: Sequence[str]) -> str:
    return words[pick(len(words))]


def _sentence(pick: Pick) -> str:
    said = _clause(pick, 2)
    kind = pick(6)
    if kind == 0:
        said = f"{said} {_one_of(pick, _LINKS)} {_clause(pick, 1)}"
    elif kind == 1:
        said = f"{said} ({_clause(pick, 0)})"
    said = said[0].upper() + said[1:]
    if kind == 2:
        return f'"{said}," {_one_of(pick, _NAMES)} {_one_of(pick, _SAYING)}.'
    return said + "..!?"[pick(4)]


def _clause(pick: Pick, depth: int) -> str:
    """Return a subject, a verb in its number and what else there is; the deeper, the longer what comes between them."""
    many = pick(2)
    subject = _noun_phrase(pick, many, depth)
    if pick(2):
        said = f"{subject} {_WITH[pick(len(_WITH))][many]} {_noun_phrase(pick, pick(2), depth - 1)}"
    else:
        said = f"{subject} {_WITHOUT[pick(len(_WITHOUT))][many]}"
    return f"{said} {_one_of(pick, _TIMES)}" if pick(3) == 0 else said


def _noun_phrase(pick: Pick, many: int, depth: int) -> str:
    if not many and pick(5) == 0:
        return _one_of(pick, _NAMES)
    noun = _one_of(pick, _NOUNS)
    noun = _PLURALS.get(noun, noun + "s") if many else noun
    adjective = f"{_one_of(pick, _ADJECTIVES)} " if pick(3) == 0 else ""
    said = f"{pick(98) + 2} {adjective}{noun}" if many and pick(4) == 0 else f"the {adjective}{noun}"
    after = pick(5) if depth > 0 else 2
    if after == 0:
        return f"{said} {_one_of(pick, _PLACES)} {_noun_phrase(pick, pick(2), depth - 1)}"
    if after == 1:
        many = pick(2)
        return f"{said} that {_noun_phrase(pick, many, depth - 1)} {_WITH[pick(len(_WITH))][many]}"
    return said
