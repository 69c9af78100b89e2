"""What decides."""

from tinygrad_rnn.homework import check, close


@check("1.1", 2, each=(1, 3))
def drawn_sums(hw, draw, size):
    a, b = draw.standard_normal((2, size))
    close(hw.add(a, b), a + b, "the sum", suspects={"the difference": a - b})


@check("1.2", 6)
def drawn_functions(hw, draw):
    factor = float(draw.standard_normal())
    close(hw.twice(lambda x: factor * x, 3.0), factor * factor * 3.0, "factor * factor * 3")
