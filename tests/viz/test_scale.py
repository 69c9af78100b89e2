"""The shared scale: lightness alone must tell sizes apart, and text must be readable on every colour."""

from __future__ import annotations

import itertools
import math

import pytest

from tinygrad_rnn.viz.scale import DECADES, SIZED, Scale, colour, ink, short

SIZES = [10 ** (power / 10) for power in range(10 * DECADES, -10 * DECADES - 1, -1)]


def luminance(text: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_lightness_alone_tells_sizes_apart_on_both_sides():
    places = [place / 20 for place in range(-20, 21)]
    light, dark = ([luminance(colour(place, dark)) for place in places] for dark in (False, True))
    assert all(a < b for a, b in itertools.pairwise(light)), "in grey print the largest is the darkest"
    assert all(a > b for a, b in itertools.pairwise(dark)), "and on a dark page the brightest"


def test_the_threshold_is_an_edge_that_can_be_seen():
    kept, gone = luminance(colour(0.5)), luminance(colour(0.5 + 1e-9))
    assert (gone + 0.05) / (kept + 0.05) > 1.25
    blue, grey = (max(channels) - min(channels) for channels in map(rgb, (colour(0.5), colour(0.5 + 1e-9))))
    assert blue > 5 * grey, "a ghost has no colour"


@pytest.mark.parametrize("dark", [False, True])
def test_there_are_few_greys_on_which_neither_black_nor_white_stands_out_well(dark):
    """Most states of the last steps have 0.2 to 0.9 of the gradient of the last: there the letters are looked at."""
    shades = [luminance(colour(place / 400, dark)) for place in range(201)]
    contrasts = [max(1.05 / (shade + 0.05), (shade + 0.05) / 0.05) for shade in shades]
    assert sum(contrast < 6 for contrast in contrasts) < 0.25 * len(contrasts)


def test_above_one_is_another_hue():
    (kept, _, blue), (grown, _, _), (exploded, _, rest) = (rgb(colour(place)) for place in (0.0, -1e-9, -0.5))
    assert blue > 2 * kept
    assert grown > 2 * kept
    assert exploded > 2 * rest


def rgb(text):
    return [int(text[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.mark.parametrize(("threshold", "decades"), [(0.01, 12), (0.2, 12), (1e-9, 12), (0.01, 1), (0.01, 24), (1.0, 6)])
def test_the_side_and_the_half_of_the_scale_are_what_the_numbers_say(threshold, decades):
    scale = Scale(threshold, decades)
    for size in [*SIZES, threshold, math.nextafter(threshold, 0), 1.0, math.nextafter(1.0, 2), 100.0, 101.0]:
        seen = scale.look(size, True, 1.0)
        if size > 1:
            assert seen.kind == ("exploded" if size > 100 else "grown")
            assert -1 <= seen.place < 0
        else:
            assert seen.kind == ("vanished" if size < threshold else "finite")
            assert (0.5 < seen.place <= 1) if size < threshold else (0 <= seen.place <= 0.5)
    places = [scale.look(size, True, 1.0).place for size in SIZES]
    assert places == sorted(places)


def test_a_place_is_a_size_and_a_size_a_place():
    scale = Scale(0.02, 10)
    for place in (-1.0, -0.75, -0.3, 0.0, 0.2, 0.4999, 0.75, 1.0):
        assert scale.place(scale.ratio(place), 1.0) == pytest.approx(place, abs=1e-9)


def test_both_ends_are_clamped():
    scale = Scale()
    assert scale.look(1e30, True, 1.0).place == -1
    assert scale.look(1e-30, True, 1.0).place == 1
    assert scale.look(5e-324, True, 1e300).place == 1
    assert scale.look(1e300, True, 5e-324).place == -1


def test_sizes_relative_to_any_reference_are_on_the_scale():
    assert Scale().look(1e2, True, 1e3).place == pytest.approx(0.25)
    assert Scale().look(1e2, True, 1e3).share == pytest.approx(0.1)


def test_without_a_threshold_nothing_vanishes():
    assert Scale(threshold=0.0).look(1e-300, True, 1.0).kind == "finite"


def test_where_growth_says_nothing_only_an_explosion_is_hot():
    calm = [Scale().look(size, True, 1.0, calm=100.0).kind for size in (0.5, 1.0, 50.0, 101.0)]
    assert calm == ["finite", "finite", "finite", "exploded"]


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_every_colour(dark):
    shades = [colour(place / 120, dark) for place in range(-120, 121)] + [Scale().look(math.nan, True, 1.0).colour]
    for shade in shades:
        light, deep = sorted((luminance(shade), luminance(ink(shade))), reverse=True)
        assert (light + 0.05) / (deep + 0.05) >= 4.5, shade


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
        (0.019, True, "vanished", "0.019"),
        (5e-324, True, "vanished", "4.9e-324"),
        (2.1, True, "grown", "2.1"),
        (201.0, True, "exploded", "2e+02"),
        (1.7e308, True, "exploded", "1.7e+308"),
    ],
)
def test_each_kind_of_gradient_has_its_look(norm, requires_grad, kind, text):
    seen = Scale().look(norm, requires_grad, 2.0)
    assert (seen.kind, seen.text) == (kind, text)


def test_looks_differ_pairwise():
    looks = [Scale().look(None, False, 1.0), Scale().look(0.0, True, 1.0, underflow=True)]
    looks += [Scale().look(norm, True, 1.0) for norm in (None, math.nan, 0.0, 1.0, 1e-30, 1e3)]
    assert len({(seen.kind, seen.colour, seen.text) for seen in looks}) == len(looks)


def test_arrows_get_thinner_with_the_message_and_a_factor_of_ten_can_be_seen():
    widths = [Scale().look(10.0**-power, True, 1.0).width for power in range(-DECADES, DECADES + 1)]
    assert widths == sorted(widths, reverse=True)
    assert widths[DECADES] - widths[DECADES + 1] >= 1
    assert widths[DECADES + 2] - widths[DECADES + 3] >= 0.7, "the threshold is a step"


# ---- the legend -----------------------------------------------------------------------------------------------------


def test_the_legend_shows_what_occurs_and_nothing_else():
    scale = Scale()
    assert [text for text, _ in scale.legend({"not computed"})] == ["not computed"]
    assert [text for text, _ in scale.legend({"finite"})] == ["1", "0.1", "0.01"]
    everything = scale.legend({*SIZED, "zero", "underflow", "nonfinite", "not computed", "not required"})
    assert [text for text, _ in everything] == [
        "≥ 1e12", "more than 100: exploded", "more than 1: grown", "1", "0.1", "0.01", "below 0.01: vanished", "1e-7",
        "≤ 1e-12", "exactly 0", "0 by underflow", "NaN or Inf", "not computed", "no gradient required",
    ]  # fmt: skip


@pytest.mark.parametrize(("threshold", "decades"), [(0.01, 1), (0.01, 2), (0.2, 6), (1.0, 12), (0.0, 12), (1e-20, 30)])
def test_every_colour_of_the_legend_is_that_of_its_text(threshold, decades):
    scale = Scale(threshold, decades)
    rows = scale.legend(set(SIZED))
    assert len(dict(rows)) == len(rows)
    for text, seen in rows:
        if text.replace("e-", "").replace(".", "").isdigit():
            assert seen.colour == colour(seen.place)
            assert float(text) == pytest.approx(scale.ratio(seen.place), rel=0.06)


def test_numbers_on_an_axis_are_short():
    numbers = (1.0, 0.1, 0.01, 1e-7, 10**-6.5, 100.0, 1e12, 0.2**0.5)
    assert [short(number) for number in numbers] == ["1", "0.1", "0.01", "1e-7", "3.2e-7", "100", "1e12", "0.45"]
