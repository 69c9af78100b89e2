"""The stepper's page in a browser, as tests look at it."""

from __future__ import annotations

import json
import re

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.viz.scale import colour

STEPS = 5
HOSTILE = 'a<b>|"q" </script><!-- \\N {{JS}} &amp; \u2028\nsecond line'


def measured(kind="LSTM", steps=STEPS, statistics=True, threshold=0.01, seed=0, **options):
    tg.manual_seed(seed)
    net = getattr(nn, kind)(3, 4, dtype="float64", **options)
    output, _ = net.unroll(tg.randn(steps, 2, 3, dtype="float64"))
    return viz.gradient_flow((output[-1] * output[-1]).sum(axis=1), threshold, statistics=statistics)


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def numbers(text):
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text)]


def rgb(hexadecimal):
    return "rgb({}, {}, {})".format(*(int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5)))


def shown_colour(seen, dark=False):
    """Return the colour that the page gives to a place of the scale: one of 120 on each side of 1."""
    number = round(120 * seen.place)
    edge = {"grown": min(number, -1), "exploded": min(number, -61), "vanished": max(number, 61)}
    return rgb(colour(edge.get(seen.kind, number) / 120, dark))


class Opened:
    """A page in the browser, and shorthands for what is on it."""

    def __init__(self, tab, text):
        self.tab = tab
        self.data = data_of(text)
        self.ticks, self.turn = self.data["clock"]["ticks"], self.data["clock"]["turn"]

    def panel(self, name=""):
        return next(panel for panel in self.data["panels"] if panel["name"] == name)

    def box(self, name, panel=""):
        index = next(i for i, box in enumerate(self.panel(panel)["boxes"]) if box["name"] == name)
        return self.tab.locator(f'[data-panel="{panel}"] [data-box="{index}"]')

    def looks(self, panel=""):
        """Return the classes and the lines of all boxes by name."""
        found = self.tab.evaluate(
            """panel => [...document.querySelectorAll(`[data-panel="${panel}"] [data-box]`)].map(box =>
              [Number(box.dataset.box), box.getAttribute("class").split(" "),
               [...box.querySelectorAll("text")].map(text => text.textContent).filter(Boolean)])""",
            panel,
        )
        names = [box["name"] for box in self.panel(panel)["boxes"]]
        return {names[i]: (set(classes), lines) for i, classes, lines in found}

    def arrows(self, panel=""):
        """Return classes, colour and width of all arrows in the order of the data."""
        return self.tab.evaluate(
            """panel => [...document.querySelectorAll(`[data-panel="${panel}"] .target`)].map(target => {
              const style = getComputedStyle(target.previousElementSibling);
              return [Number(target.dataset.arrow), target.previousElementSibling.getAttribute("class").split(" "),
                      style.stroke, style.strokeWidth] }).sort((a, b) => a[0] - b[0])""",
            panel,
        )

    @property
    def tick(self):
        return int(self.tab.input_value("#slider"))

    @property
    def live(self):
        return self.tab.text_content("#live")

    def current(self, panel=""):
        """Return the name of the box whose turn it is."""
        rings = self.tab.locator(f'[data-panel="{panel}"] [data-now]')
        if rings.count() == 0:
            return None
        return self.panel(panel)["boxes"][int(rings.get_attribute("data-box"))]["name"]

    def go(self, tick):
        """Move the slider."""
        self.tab.evaluate(
            """tick => { const slider = document.getElementById("slider");
              slider.value = tick; slider.dispatchEvent(new Event("input")) }""",
            tick,
        )

    def press(self, *keys):
        for key in keys:
            self.tab.keyboard.press(key)

    def walk(self, key="ArrowRight"):
        """Press a key as often as there are ticks, faster than a driver can."""
        self.tab.evaluate(
            "([key, times]) => { for (let i = 0; i < times; i += 1) "
            "document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true })) }",
            [key, self.ticks],
        )

    def at(self, lag, chart="#curves .chart", last=STEPS - 1):
        """Return where on the page a lag stands in the curves."""
        place = self.tab.locator(chart).bounding_box()
        cells = self.tab.locator(".strip").first.locator(".cell")
        first, end = cells.first.bounding_box(), cells.last.bounding_box()
        middle = [cell["x"] + cell["width"] / 2 for cell in (first, end)]
        return middle[1] - (middle[1] - middle[0]) * lag / last, place["y"] + 80
