"""The formulas of the prose as a line of text: terminals show letters, so $h_{t-1}^\\top$ becomes h_(t-1)ᵀ."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["as_ascii", "plain_formulas", "with_plain_formulas"]

#: What commands become. Greek letters are known to Unicode by their names; of any other the name stays, as in tanh.
_COMMANDS = {
    "partial": "∂", "nabla": "∇", "sum": "Σ", "prod": "Π", "cdot": "·", "times": "×", "odot": "⊙", "pm": "±",
    "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈", "propto": "∝", "infty": "∞",
    "in": "∈", "to": "→", "rightarrow": "→", "leftarrow": "←", "Rightarrow": "⇒", "ll": "≪", "gg": "≫", "ldots": "…",
    "dots": "…", "ldots": "…", "cdots": "…", "top": "T", "varepsilon": "ε", "varphi": "φ", "quad": "  ", "qquad": "    ", "left": "",
    "right": "", "mathrm": "", "mathbf": "", "text": "", "operatorname": "", "lVert": "‖", "rVert": "‖", "|": "‖",
    ",": " ", ";": " ", ":": " ", " ": " ", "!": "", "\\": "; ", "{": "{", "}": "}", "%": "%", "#": "#", "_": "_",
    "&": "&",
}  # fmt: skip
_RAISED = str.maketrans("0123456789+-−nT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿᵀ")
_LOWERED = {raised: plain for plain, raised in zip("0123456789+-nT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵀ", strict=True)}
_PLAIN = str.maketrans(
    {"•": "*", "–": "-", "—": "-", "−": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "×": "x", "·": "*", "≈": "~",
     "→": "->", "←": "<-", "⇒": "=>", "≤": "<=", "≥": ">=", "≠": "!=", "√": "sqrt ", "…": "...", "∂": "d", "Σ": "sum ",
     "Π": "product ", "±": "+-", "∞": "infinity", "‖": "||", "▌": "|", "─": "-", "━": "-"}
)  # fmt: skip
_CODE = re.compile(r"(```.*?```|`[^`]*`)", re.DOTALL)
_BLOCK, _INLINE = re.compile(r"\$\$(.+?)\$\$", re.DOTALL), re.compile(r"\$([^$]+)\$")
_GROUP = r"\{((?:[^{}]|\{[^{}]*\})*)\}"


def with_plain_formulas(prose: str) -> str:
    """Return prose in Markdown with its formulas, between $ or $$, as text that Markdown leaves as it is.

    >>> with_plain_formulas("Left is $0.8^{50}$, and $\\\\frac{1}{\\\\sqrt{H}}$ of `$x`.")
    'Left is 0.8⁵⁰, and 1/√H of `$x`.'
    """
    parts = _CODE.split(prose)
    parts[::2] = [_INLINE.sub(lambda found: _escaped(found[1]), _BLOCK.sub(_block, part)) for part in parts[::2]]
    return "".join(parts)


def plain_formulas(text: str) -> str:
    """Return text that is not Markdown with its formulas as text."""
    return _INLINE.sub(lambda found: _plain(found[1]), text)


def as_ascii(text: str) -> str:
    """Return text for a terminal that knows no more than ASCII: Greek letters become their names."""
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵀ]+", lambda found: "^" + "".join(_LOWERED[each] for each in found[0]), text)
    return re.sub("[α-ωΑ-Ω]", lambda greek: unicodedata.name(greek[0]).split()[-1].lower(), text.translate(_PLAIN))


def _escaped(formula: str) -> str:
    """Return a formula as text in which Markdown finds no signs of its own."""
    return re.sub(r"([\\*_`\[\]<>])", r"\\\1", _plain(" ".join(formula.split())))


def _block(found: re.Match[str]) -> str:
    """Return a formula that stands alone: its lines are kept."""
    lines = [f"\u2003{_escaped(line)}" for line in found[1].splitlines() if line.strip()]
    return "\n\n" + "  \n".join(lines) + "\n\n"


def _plain(formula: str) -> str:
    """Return a formula as text."""
    formula = re.sub(r"\\[dt]?frac" + _GROUP + _GROUP, lambda m: f"{_whole(m[1])}/{_whole(m[2])}", formula)
    formula = re.sub(r"\\sqrt" + _GROUP, lambda m: f"√{_whole(m[1])}", formula)
    formula = re.sub(r"\\sqrt\s*(\w)", r"√\1", formula)
    formula = re.sub(r"\\(?:mathrm|mathbf|text|operatorname)" + _GROUP, r"\1", formula)
    formula = re.sub(r"\\([a-zA-Z]+|[^a-zA-Z])", _command, formula)
    formula = re.sub(r"\^(?:" + _GROUP + r"|(\S))", _raised, formula)
    formula = re.sub(r"_" + _GROUP, lambda m: f"_{_whole(m[1])}", formula)
    return re.sub("([∂∇±√]) ", r"\1", formula.replace("{", "").replace("}", ""))


def _whole(part: str) -> str:
    """Return part of a formula so that it stays together."""
    part = _plain(part)
    return part if re.fullmatch(r"[\w.√]+", part) else f"({part})"


def _command(found: re.Match[str]) -> str:
    name = found[1]
    if name in _COMMANDS:
        return _COMMANDS[name]
    size = "CAPITAL" if name[0].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper()}")
    except KeyError:
        return name


def _raised(found: re.Match[str]) -> str:
    power = found[1] or found[2]
    raised = power.translate(_RAISED)
    return raised if not set(raised) - set(_LOWERED) else f"^{_whole(power)}"
