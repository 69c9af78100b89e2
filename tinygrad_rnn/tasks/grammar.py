"""A text to learn that is the same everywhere: English sentences made by a small grammar.

Verbs agree with their subjects over whatever stands between them ("the keys that the old sailor hides vanish"), quotes
and brackets are closed, and a verse or a list goes on as it began: something to remember over a few characters, and
over many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

#: About as long as a short book.
CHARACTERS = 200_000


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_NOUNS = _words("""
    actor anchor animal answer apple apron arrow artist autumn baker balcony banker barber barrel basket beard
    beggar bell bench blanket boat bottle bridge brother bucket butcher button cabin camel candle canyon captain
    carpet castle cellar chapel cherry chimney circus clock cloud coat comet corner cousin cradle crown curtain
    dancer daughter desert diamond doctor dolphin dragon drawer driver drum eagle elephant engine evening farmer
    feather fiddler field finger flame flower forest fountain friend garden garment ghost giant glacier glove
    gardener hammer harbour hat hermit hill horse hunter island jacket jewel judge juggler kettle key king
    kitchen kitten lake lamp lantern lawyer leopard letter lion market melon merchant meadow mirror monkey moon
    morning mountain museum neighbour needle night number nurse ocean orchard organ owl painter palace parrot
    pattern peasant pencil picture pilot pirate planet pocket poet pond prince prison puppet quarrel queen
    question rabbit raven ribbon river road robin rocket sailor saddle secret servant shadow shepherd ship
    shoemaker signal singer sister soldier song spider spoon squirrel stable stranger summer swan tailor teacher
    temple thunder ticket tiger tower trumpet tunnel turtle uncle valley village violin visitor wagon waiter
    walnut whale widow window winter wizard wolf writer
""")
_PLURALS = {"wolf": "wolves"}
_NAMES = _words("""
    Anna Boris Clara David Emil Fatima Greta Hugo Ida Jonas Katya Liam Mona Nils Olga Pedro Rosa Simon Vera
""")
_ADJECTIVES = _words("""
    ancient angry bitter blind bold bright broken brown calm careful clever clumsy cold cruel curious dark deep
    distant dusty eager empty faithful famous fierce foolish foreign fragile frozen gentle golden grateful green
    grey happy heavy hollow honest humble hungry idle jealous lazy little lonely lucky merry modest narrow noble
    old pale patient polite poor proud quick quiet rare rich rough rusty sad secret serious silent silver simple
    sleepy slender small sour strange stubborn tall tender tired ugly violet warm weary wicked wild wise wooden
    yellow young
""")
#: With an object, and without; in the plural.
_WITH = _words("""
    admire answer avoid believe buy call carry describe discover doubt draw envy fear feed find follow forget
    greet guard hear help hide ignore invite know like love miss need observe obey paint praise recognise
    remember repair see sell surprise teach thank trust understand visit warn watch
""")
_WITHOUT = _words("""
    arrive bow change cough dance disappear dream fall float freeze grow hesitate jump kneel laugh listen mumble
    pause pray quarrel rest return run shine shiver sing sleep sneeze snore stumble swim tremble vanish wait
    wander weep whistle
""")
_PLACES = _words("above across against behind below beside beyond in near opposite under without")
_TIMES = ("today", "every morning", "at night", "in spring", "again", "once more", "before dawn", "all day")
_LINKS = ("because", "while", "when", "although", "and", "but")
_SAYING = _words("answer ask cry explain murmur reply say sigh whisper write")


@cache
def text() -> str:
    """Return the text, always the same.

    >>> from tinygrad_rnn.tasks import grammar
    >>> grammar.text().splitlines()[2]
    '* 96 markets mumble.'
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
        paragraphs.append(_LAYOUTS[pick(len(_LAYOUTS))]([_sentence(pick) for _ in range(3 + pick(5))]))
        length += len(paragraphs[-1]) + 2
    return "\n\n".join(paragraphs) + "\n"


#: Half of the paragraphs run on, the others are verses or lists: something that holds for many lines.
_LAYOUTS: tuple[Callable[[list[str]], str], ...] = (
    " ".join,
    " ".join,
    lambda sentences: "\n".join(f"    {sentence}" for sentence in sentences),
    lambda sentences: "\n".join(f"* {sentence}" for sentence in sentences),
)

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
        return f'"{said}," {_one_of(pick, _NAMES)} {_with_s(_one_of(pick, _SAYING))}.'
    return said + "..!?"[pick(4)]


def _clause(pick: Pick, depth: int) -> str:
    """Return a subject, a verb in its number and what else there is; the deeper, the longer what comes between them."""
    many = pick(2)
    subject = _noun_phrase(pick, many, depth)
    if pick(2):
        said = f"{subject} {_verb(pick, _WITH, many)} {_noun_phrase(pick, pick(2), depth - 1)}"
    else:
        said = f"{subject} {_verb(pick, _WITHOUT, many)}"
    return f"{said} {_one_of(pick, _TIMES)}" if pick(3) == 0 else said


def _noun_phrase(pick: Pick, many: int, depth: int) -> str:
    if not many and pick(5) == 0:
        return _one_of(pick, _NAMES)
    noun = _one_of(pick, _NOUNS)
    noun = _PLURALS.get(noun) or _with_s(noun) if many else noun
    adjective = f"{_one_of(pick, _ADJECTIVES)} " if pick(3) == 0 else ""
    said = f"{pick(98) + 2} {adjective}{noun}" if many and pick(4) == 0 else f"the {adjective}{noun}"
    after = pick(5) if depth > 0 else 2
    if after == 0:
        return f"{said} {_one_of(pick, _PLACES)} {_noun_phrase(pick, pick(2), depth - 1)}"
    if after == 1:
        many = pick(2)
        return f"{said} that {_noun_phrase(pick, many, depth - 1)} {_verb(pick, _WITH, many)}"
    return said


def _verb(pick: Pick, verbs: Sequence[str], many: int) -> str:
    verb = _one_of(pick, verbs)
    return verb if many else _with_s(verb)


def _with_s(verb: str) -> str:
    """Return "carries" for "carry", "watches" for "watch": a verb's third person, or a noun's plural."""
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("s", "x", "z", "ch", "sh")) else f"{verb}s"
