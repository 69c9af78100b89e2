"""Pictures, plots and pages in Chinese: nothing that a reader meets at once stays English, and nothing else changes."""

import json
import re
import shutil
import subprocess
from importlib import resources

import numpy as np
import pytest

from tests.viz.networks import unrolled
from tinygrad_rnn import viz
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.viz import languages
from tinygrad_rnn.viz.chinese import CHINESE
from tinygrad_rnn.viz.languages import broken, letter_width, translated, translated_html
from tinygrad_rnn.viz.styles import Style

IN_CHINESE = Style(language="zh")
#: What is called the same in both languages: numbers, formulas, names of parameters, keys.
NAMES = re.compile(
    r"\$[^$]+\$|\b(?:RNN|LSTM|GRU|tanh|relu|rms|float32|float64|NaN|Inf|grad|weight|bias|Home|Page|Up|Down|Shift|Ctrl|Tab|Escape|Esc|End"
    r"|JavaScript|gradient_flow|losses|statistics|True|layer\w*|[a-z]+_\w+|t\d+\w*)\b"
)


@pytest.fixture(scope="module")
def flow():
    return viz.gradient_flow(unrolled("LSTM", 6), statistics=True)


def english(text):
    return re.findall(r"[A-Za-z]{3,}", NAMES.sub("", text))


def test_holes_of_a_translation_are_those_of_the_english():
    for text, other in CHINESE.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", other)), text


def test_what_is_not_in_the_table_stays_as_it_is():
    assert translated("a sentence of my own", "zh") == "a sentence of my own"
    assert translated("forget gate f", "en") == "forget gate f"


def test_a_text_is_translated_sentence_by_sentence_and_keeps_what_is_not_known():
    text = "The gradient vanishes: less than 0.01 of ‖∂L/∂c_T‖ is left 8 steps before the last. Mine."
    assert translated(text, "zh") == "梯度消失：在最后一步之前 8 步处，剩下的不到 ‖∂L/∂c_T‖ 的 0.01。Mine."


def test_what_is_in_a_hole_is_translated_too():
    said = translated("lstm, 50 updates: no gate has a name.", "zh")
    assert said == "lstm，50 次更新：没有命名的门。"


def test_html_keeps_its_tags_styles_and_commands():
    text = '<html lang="en"><style>a{}</style><p title="Legend">Settings</p><pre>Settings</pre>'
    assert translated_html(text, "zh") == (
        '<html lang="zh"><style>a{}</style><p title="图例">设置</p><pre>Settings</pre>'
    )
    assert translated_html(text, "en") == text


def test_lines_of_chinese_are_as_wide_as_asked_and_begin_with_no_stop():
    lines = broken("梯度消失：在最后一步之前 8 步处，剩下的不到 ‖∂L/∂c_T‖ 的 0.01。" * 4, 30)
    assert max(map(letter_width, lines)) <= 32  # a stop may stand out
    assert not any(line[0] in "，。；：" for line in lines)


def test_a_picture_in_chinese_has_the_same_boxes_and_no_english(flow):
    ours, theirs = viz.dot_source(flow, "cell", style=IN_CHINESE), viz.dot_source(flow, "cell")
    names = re.compile(r'^ *("[^"]+"(?: -> "[^"]+")?) \[', re.MULTILINE)
    assert names.findall(ours) == names.findall(theirs)
    assert "遗忘门 f" in ours
    labels = re.findall(r'label="((?:[^"\\]|\\.)*)"', ours)
    assert not [found for label in labels if (found := english(label.replace("\\n", " ").replace("\\l", " ")))]


def test_a_page_in_chinese_has_no_english_frame(flow):
    asset = resources.files("tinygrad_rnn.viz").joinpath("assets", "page.html")
    frame = translated_html(asset.read_text("utf-8"), "zh")
    body = re.sub(r"(?s)\{\{\w+\}\}|<(script|style|noscript)\b.*?</\1>|<svg.*?</svg>", "", frame.partition("<body>")[2])
    said = re.sub(r"<[^>]*>", "\n", body) + "\n".join(re.findall(r'(?:title|aria-label)="([^"]*)"', body))
    assert not [line for line in said.splitlines() if english(line)]


def test_an_english_page_does_not_carry_the_table(flow):
    def data(style):
        return json.loads(re.search(r'id="data">(.*?)</script>', viz.page(flow, style=style))[1])

    assert data(Style())["language"] is None
    assert len(data(IN_CHINESE)["language"]["whole"]) > 100


@pytest.mark.process
@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_of_a_page_translates_as_the_drawings_do(tmp_path):
    texts = [
        "forget gate f",
        "lstm, 50 updates: no gate has a name.",
        "The gradient vanishes: less than 0.01 of ‖∂L/∂c_T‖ is left 8 steps before the last. Mine.",
        "survives: nowhere less than 0.01 is left, so a gradient reaches every step; mine: too",
        *(text.replace("{", "").replace("}", "") for text in CHINESE),
    ]
    script = resources.files("tinygrad_rnn.viz").joinpath("assets", "language.js").read_text("utf-8")
    page = f"""
    const said = [];
    globalThis.Node = {{ TEXT_NODE: 3, ELEMENT_NODE: 1 }};
    globalThis.MutationObserver = class {{ observe() {{}} }};
    const nodes = {json.dumps(texts)}.map((data) => ({{ nodeType: 3, data }}));
    const body = {{ nodeType: 1, tagName: "BODY", getAttribute: () => null, childNodes: nodes }};
    globalThis.document = {{ body }};
    {script}
    speak({json.dumps(languages.for_scripts("zh"))});
    console.log(JSON.stringify(nodes.map(({{ data }}) => data)));
    """
    (tmp_path / "page.js").write_text(page, encoding="utf-8")
    done = subprocess.run(["node", tmp_path / "page.js"], capture_output=True, encoding="utf-8", check=True)
    assert json.loads(done.stdout) == [translated(text, "zh") for text in texts]


def test_a_language_without_a_table_is_refused():
    with pytest.raises(InputError, match="language 'fr' is unknown; use one of en, zh"):
        Style(language="fr")


def test_plots_are_titled_in_chinese_and_say_what_font_is_missing(flow, monkeypatch):
    pytest.importorskip("matplotlib")
    from matplotlib.text import Text

    from tinygrad_rnn.viz.plots import fonts, through_time

    monkeypatch.setattr(fonts, "found", lambda language: None)
    assert "install Noto Sans CJK SC" in fonts.missing("zh")
    assert fonts.missing("en") is None
    figure = through_time({"lstm": flow}, style=IN_CHINESE)
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert "随时间的梯度" in texts
    assert not [text for text in texts if english(text.replace("lstm", ""))]


def plots_of_what_was_learned():
    from tinygrad_rnn.tasks import parse_task
    from tinygrad_rnn.train import Alignment, Gaze, SequenceModel, forecasts_of
    from tinygrad_rnn.viz import plots

    looked = [Alignment("1 May", "05-1", np.eye(4, 5)[[2, 3, 1, 0]])]
    yield plots.alignment(looked * 8, style=IN_CHINESE), "1 May|May"
    yield plots.alignment([], style=IN_CHINESE), None
    right, left = np.eye(2), np.eye(3)[[0, 2, 1]]
    weights = {"71": right, "712": left, "": right[:0], "7": right[:1]}
    gazes = [Gaze(np.zeros((8, 16)), written, each) for written, each in weights.items()]
    yield plots.gaze(gazes, style=IN_CHINESE), None
    task = parse_task("series").make()
    models = {
        "gru, level": [(SequenceModel("gru", 1, 3, 1), task)] * 2,
        "gru, difference, H 3, L 1, T 60": [(SequenceModel("gru", 1, 3, 1), task)] * 3,
    }
    for steps in (3, 62):
        yield plots.forecast(forecasts_of(models, steps), style=IN_CHINESE), "gru"


def test_plots_of_what_was_learned_have_no_english():
    pytest.importorskip("matplotlib")
    from matplotlib.text import Text

    for figure, names in plots_of_what_was_learned():
        texts = [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]
        assert texts
        assert not [text for text in texts if english(re.sub(names, "", text) if names else text)]
