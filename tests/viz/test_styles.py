"""Pictures in the colours of a theme, without legend or caption."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz.networks import unrolled
from tinygrad_rnn import viz
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.viz.render import rendered
from tinygrad_rnn.viz.scale import colour
from tinygrad_rnn.viz.styles import THEMES, Style, recoloured


@pytest.fixture(scope="module")
def report():
    return gradient_flow(unrolled("LSTM"), statistics=True)


def channels(text):
    return np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)])


def test_without_a_style_and_in_light_a_picture_is_as_it_was(report):
    plain = viz.dot_source(report)
    assert viz.dot_source(report, style=Style()) == viz.dot_source(report, style=Style("light", font=20)) == plain
    assert viz.draw(report, style=Style("dark")).source.count("->") == plain.count("->")


@pytest.mark.parametrize("place", [*np.linspace(-1, 1, 41), 0.333333, -0.7777])
def test_places_of_the_scale_have_their_dark_colours(place):
    assert abs(channels(recoloured(colour(place), "dark")) - channels(colour(place, dark=True))).max() <= 1


@pytest.mark.parametrize("theme", ["dark", "print"])
def test_a_theme_changes_colours_only_and_letters_can_be_read(report, theme):
    plain, themed = viz.dot_source(report), viz.dot_source(report, style=Style(theme))
    labels = r'label="((?:[^"\\]|\\.)*)"'
    assert re.findall(labels, themed) == re.findall(labels, plain)
    places = r'(?:pos|lp|width|penwidth)="[^"]*"'
    assert re.findall(places, themed) == re.findall(places, plain)
    assert f'bgcolor="{THEMES[theme][0]}"' in themed

    def luminance(text):
        return np.dot(channels(text), [0.2126, 0.7152, 0.0722])

    seen = re.findall(r'fillcolor="(#[0-9a-f]{6})".*?fontcolor="(#[0-9a-f]{6})"', themed)
    assert len(seen) > 20
    assert all(abs(luminance(fill) - luminance(ink)) > 60 for fill, ink in seen)
    if theme == "print":
        assert all(len(set(channels(found))) == 1 for found in re.findall(r'"(#[0-9a-f]{6})"', themed))


def test_a_label_that_looks_like_a_colour_stays():
    x = tg.tensor([1.0, 2.0], requires_grad=True).named('fillcolor="#ffffff"')
    plain, dark = (viz.dot_source(x.sum(), style=style) for style in (None, Style("dark")))
    for dot in (plain, dark):
        assert r'label="fillcolor=\"#ffffff\"' in dot


@pytest.mark.parametrize("level", ["cell", "ops", "rolled"])
def test_legend_and_caption_can_be_left_out(report, level):
    plain = viz.dot_source(report, level, title="My title")
    assert "My title" in plain
    assert "cluster_legend" in plain
    bare = viz.dot_source(report, level, title="My title", style=Style(legend=False, caption=False))
    assert "My title" not in bare
    assert "legend" not in bare
    assert bare.count("{") == bare.count("}")
    assert bare.count("->") >= plain.count("->") - 12
    assert ElementTree.fromstring(rendered(bare, "svg")).tag.endswith("svg")
