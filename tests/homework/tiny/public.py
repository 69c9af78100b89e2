"""What students see."""

from tinygrad_rnn.homework import check, close


@check("1.1", 4)
def one_and_two(hw, draw):
    close(hw.add([1.0], [2.0]), [3.0], "add([1], [2])")


@check("1.2", 6)
def plus_one_twice(hw, draw):
    close(hw.twice(lambda x: x + 1, 1), 3, "1 + 1 + 1")
