"""The formulas of the prose, as terminals show them."""

import pytest

from tinygrad_rnn.tutorial.formulas import as_ascii, plain_formulas, with_plain_formulas


@pytest.mark.parametrize(
    ("formula", "text", "plain"),
    [
        (r"E(W) = 14\,(W-2)^2", "E(W) = 14 (W-2)²", "E(W) = 14 (W-2)^2"),
        (r"\partial L / \partial h_{t-1}", "∂L / ∂h_(t-1)", "dL / dh_(t-1)"),
        (r"\frac{1}{\sqrt{H}}", "1/√H", "1/sqrt H"),
        (r"1/\sqrt H", "1/√H", "1/sqrt H"),
        (r"\frac{a + b}{2}", "(a + b)/2", "(a + b)/2"),
        (r"1 / (1 + e^{-a})", "1 / (1 + e^(-a))", "1 / (1 + e^(-a))"),
        (r"W^\top \odot \varepsilon", "Wᵀ ⊙ ε", "W^T ⊙ epsilon"),
        (r"\sin x \le 0.8^{50}", "sin x ≤ 0.8⁵⁰", "sin x <= 0.8^50"),
        (r"\|g\| \in \{1, 2\}", "‖g‖ ∈ 1, 2", "||g|| ∈ 1, 2"),
        (r"\Delta_{\text{max}}", "Δ_max", "delta_max"),
    ],
)
def test_a_formula_is_a_line_of_text(formula, text, plain):
    assert plain_formulas(f"${formula}$") == text
    assert as_ascii(text) == plain


def test_markdown_finds_no_signs_of_its_own_in_a_formula_and_code_is_left_alone():
    assert with_plain_formulas("a $x_i * y_i$ *b* `$x_i$` $a$") == r"a x\_i \* y\_i *b* `$x_i$` a"
    assert with_plain_formulas("as\n$$\na = 1\nb = 2\n$$\nsaid").split() == ["as", "a", "=", "1", "b", "=", "2", "said"]
