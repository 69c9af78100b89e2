"""Einstein's summation convention, composed of permute, reshape, sum and matmul."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, ShapeError


def einsum(equation: str, *operands: Tensor) -> Tensor:
    """Return the sum of products that an equation describes: "bij,bjk->bik" is a batch of matrix products.

    Every axis of every operand has a letter, and "..." stands for any axes more, which broadcast. What the right side
    leaves out is summed over; a letter that stands twice at one operand takes the diagonal. Without "->" the result
    has the letters that occur once, in the order of the alphabet.

    Raises:
        ShapeError: the equation and the operands do not fit together.
        DTypeError: an operand is no tensor.

    >>> import tinygrad_rnn as tg
    >>> a, b = tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([5.0, 6.0])
    >>> tg.einsum("ij,j->i", a, b).tolist(), tg.einsum("ii", a).item()
    ([17.0, 39.0], 5.0)
    """
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    for x in operands:
        if not isinstance(x, Tensor):
            raise DTypeError(f"einsum: expected tensors after the equation, not {type(x).__name__}; use tg.tensor(...)")
    labels, wanted = _parsed(equation, operands)
    sizes: dict[str, int] = {}
    for letters, x in zip(labels, operands, strict=True):
        for letter, size in zip(letters, x.shape, strict=True):
            known = sizes.setdefault(letter, size)
            if known == 1:
                sizes[letter] = size
            elif size not in (1, known):
                raise ShapeError(f"einsum {equation!r}: {_named(letter)} has size {known} and size {size}")
    terms = [_distinct(letters, x, sizes) for letters, x in zip(labels, operands, strict=True)]
    letters, product = terms[0]
    for i, (others, x) in enumerate(terms[1:], start=1):
        needed = set(wanted).union(*(later for later, _ in terms[i + 1 :]))
        letters, product = _multiplied(letters, product, others, x, needed)
    letters, product = _summed(letters, product, set(wanted))
    there = [letter for letter in wanted if letter in letters]
    product = product.permute([letters.index(letter) for letter in there])
    return product.reshape([sizes[letter] for letter in wanted])


_MANY = [chr(code) for code in range(0x2460, 0x2460 + 32)]  # what "..." stands for: circled numbers are no letters


def _named(letter: str) -> str:
    return "an axis of '...'" if letter in _MANY else f"{letter!r}"


def _parsed(equation: str, operands: tuple[Tensor, ...]) -> tuple[list[str], str]:
    """Return the letters of every operand and of the result, "..." replaced by letters of its own."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(operands):
        raise ShapeError(f"einsum {equation!r}: it names {len(parts)} operands, but {len(operands)} are given")
    labels, most = [], 0
    for part, x in zip(parts, operands, strict=True):
        letters = part.replace("...", "", 1)
        if not all(letter.isascii() and letter.isalpha() for letter in letters):
            raise ShapeError(f"einsum {equation!r}: {part!r} may hold letters and one '...' only")
        more = x.ndim - len(letters)
        if more < 0 or (more and "..." not in part) or more > len(_MANY):
            raise ShapeError(f"einsum {equation!r}: {part!r} does not name the {x.ndim} axes of shape {x.shape}")
        most = max(most, more)
        labels.append(part.replace("...", "".join(_MANY[:more][::-1])))  # aligned from the last axis
    dots = "".join(_MANY[:most][::-1])
    if not arrow:
        once = sorted(letter for letter in set(left) if letter.isalpha() and left.count(letter) == 1)
        return labels, dots + "".join(once)
    wanted = right.replace("...", dots, 1)
    for letter in wanted:
        if wanted.count(letter) > 1 or not any(letter in letters for letters in labels):
            raise ShapeError(
                f"einsum {equation!r}: every letter right of '->' stands there once and is a letter of an operand, "
                f"which {letter!r} is not"
            )
    return labels, wanted


def _distinct(letters: str, x: Tensor, sizes: dict[str, int]) -> tuple[str, Tensor]:
    """Return an operand without axes that broadcast, and with the diagonal instead of a letter that stands twice."""
    kept = [i for i, letter in enumerate(letters) if x.shape[i] == sizes[letter]]
    letters, x = "".join(letters[i] for i in kept), x.reshape([x.shape[i] for i in kept])
    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            i, j = letters.index(letter), letters.rindex(letter)
            rest = [axis for axis in range(x.ndim) if axis not in (i, j)]
            n = x.shape[i]
            flat = x.permute([*rest, i, j]).reshape((*(x.shape[axis] for axis in rest), n * n))
            letters, x = "".join(letters[axis] for axis in rest) + letter, flat[..., :: n + 1]
    return letters, x


def _summed(letters: str, x: Tensor, needed: Iterable[str]) -> tuple[str, Tensor]:
    axes = tuple(i for i, letter in enumerate(letters) if letter not in needed)
    return "".join(letter for letter in letters if letter in needed), x.sum(axes) if axes else x


def _multiplied(left: str, a: Tensor, right: str, b: Tensor, needed: set[str]) -> tuple[str, Tensor]:
    """Multiply two operands and sum over the letters that nobody needs any more: one batched matrix product."""
    left, a = _summed(left, a, needed.union(right))
    right, b = _summed(right, b, needed.union(left))
    batch = [letter for letter in left if letter in right and letter in needed]
    inner = [letter for letter in left if letter in right and letter not in needed]
    rows = [letter for letter in left if letter not in right]
    columns = [letter for letter in right if letter not in left]
    size = dict(zip(left + right, a.shape + b.shape, strict=True))
    count = {name: math.prod(size[letter] for letter in group) for name, group in (("rows", rows), ("inner", inner))}
    shape = [size[letter] for letter in batch]
    a = a.permute([left.index(letter) for letter in (*batch, *rows, *inner)])
    b = b.permute([right.index(letter) for letter in (*batch, *inner, *columns)])
    product = a.reshape((*shape, count["rows"], count["inner"])) @ b.reshape(
        (*shape, count["inner"], math.prod(size[letter] for letter in columns))
    )
    result = [*batch, *rows, *columns]
    return "".join(result), product.reshape([size[letter] for letter in result])
