"""The shared scale: lightness alone must tell sizes apart, and text must be readable on every colour."""

from __future__ import annotations

import itertools
import math

import pytest

from tinygrad_rnn.viz.scale import DECADES, colour, look


def luminance(text: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_smaller_is_lighter_all_the_way():
    shades = [luminance(colour(place / 100)) for place in range(101)]
    assert all(a < b for a, b in itertools.pairwise(shades))


def test_both_ends_are_clamped():
    assert colour(-5) == colour(0)
    assert colour(40) == colour(1)
    assert look(1e5, True, 1.0).colour == look(1.0, True, 1.0).colour == colour(0)
    assert look(1e-30, True, 1.0).colour == look(10.0**-DECADES, True, 1.0).colour == colour(1)


@pytest.mark.parametrize("decades", [1, 6, 24])
def test_the_scale_reaches_as_far_as_it_is_told(decades):
    places = [look(10 ** (-decades * place / 4), True, 1.0, decades) for place in range(5)]
    assert [seen.colour for seen in places] == [colour(place / 4) for place in range(5)]
    assert [seen.width for seen in places] == [4.0, 3.15, 2.3, 1.45, 0.6]
    assert look(10.0 ** (-decades - 1), True, 1.0, decades).colour == colour(1)


def test_sizes_relative_to_any_reference_are_on_the_scale():
    assert look(1e-3, True, 1e3).colour == colour(0.5)
    assert look(5e-324, True, 1e300).colour == colour(1)
    assert look(1e300, True, 5e-324).colour == colour(0)


def test_text_stands_out_from_every_colour():
    for seen in [look(10 ** (-d / 10), True, 1.0) for d in range(DECADES * 10 + 1)] + [look(math.nan, True, 1.0)]:
        light, dark = sorted((luminance(seen.colour), luminance(seen.ink)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize(
    ("norm", "requires_grad", "kind", "text"),
    [
        (None, False, "not required", ""),
        (3.0, False, "not required", ""),
        (None, True, "not computed", "not computed"),
        (0.0, True, "zero", "0"),
        (math.nan, True, "nonfinite", "NaN"),
        (math.inf, True, "nonfinite", "Inf"),
        (0.05, True, "finite", "0.05"),
        (5e-324, True, "finite", "4.9e-324"),
        (201.0, True, "exploded", "2e+02"),
        (1.7e308, True, "exploded", "1.7e+308"),
    ],
)
def test_each_kind_of_gradient_has_its_look(norm, requires_grad, kind, text):
    seen = look(norm, requires_grad, 2.0)
    assert (seen.kind, seen.text) == (kind, text)


def test_looks_differ_pairwise():
    norms = (None, math.nan, 0.0, 1.0, 1e-30, 1e3)
    looks = [look(None, False, 1.0), *[look(norm, True, 1.0) for norm in norms]]
    assert len({(seen.kind, seen.colour, seen.text) for seen in looks}) == len(looks)


def test_arrows_get_thinner_with_the_message():
    widths = [look(10.0**-d, True, 1.0).width for d in range(DECADES + 1)]
    assert widths == sorted(widths, reverse=True)
    assert (widths[0], widths[-1]) == (4.0, 0.6)
