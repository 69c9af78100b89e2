"""The checks that a student sees: small numbers, most of which can be computed by hand."""

import itertools

import numpy as np

from tinygrad_rnn.homework import check, close, same

COPY = "out itself was not written: out = ... names another array, and ravel or reshape of a view can copy"
BARRIER = "one reads what another has not written yet, or has overwritten: a barrier is missing"
ONCE = "a block reads each number that it needs once, into a tile, from which its threads take it"


def whole(*numbers):
    """Return an array of int64, as shapes and strides are."""
    return np.array(numbers, dtype=np.int64)


def blocked(a, tile=4):
    """Return a matrix with zeros around it, as (rows of tiles, rows in a tile, columns of tiles, columns in a tile)."""
    rows, columns = (-(-length // tile) for length in a.shape)
    padded = np.zeros((rows * tile, columns * tile))
    padded[: a.shape[0], : a.shape[1]] = a
    return padded.reshape(rows, tile, columns, tile)


def wrong_products(a, b, tile=4):
    """Return what well-known mistakes of a product in tiles make of a and b, by a sentence."""
    m, k, n = *a.shape, b.shape[1]
    tiles_a, tiles_b, full = blocked(a), blocked(b), k // tile * tile

    def of(indices, *tiles):
        found = np.broadcast_to(np.einsum(indices, *tiles), (-(-m // tile), tile, -(-n // tile), tile))
        return found.reshape(found.shape[0] * tile, -1)[:m, :n]

    stale = slice(k - tile, full) if full else slice(0, 0)
    return {
        "+= adds to what stood in out before (7)": a @ b + 7,
        "the last numbers of k are left out, where k is no multiple of TILE": a[:, :full] @ b[:full],
        "beyond the end of k a tile still holds what was there before: it needs zeros": a @ b + a[:, stale] @ b[stale],
        "the tile of a is transposed": of("ikty,tkjx->iyjx", tiles_a, tiles_b),
        "the tile of b is transposed": of("iytk,txjk->iyjx", tiles_a, tiles_b),
        "the two shared arrays are one: ask for each on a line of its own": of("tyjk,tkjx->yjx", tiles_b, tiles_b),
    }


def judge_tiles(hw, draw, m, k, n):
    """Launch the tiled product in three orders of its threads, and return how often a and b were read."""
    a, b = draw.standard_normal((m, k)).astype("f4"), draw.standard_normal((k, n)).astype("f4")
    what, results = f"a @ b of ({m}, {k}) and ({k}, {n})", []
    for order in (0, 1, int(draw.integers(2, 1000))):
        out = np.full((m, n), 7, "f4")
        blocks = (-(-n // 4), -(-m // 4))
        arrays, reads = hw.launch(hw.tiled_product, blocks, (4, 4), a, b, out, order=order)
        results.append(np.asarray(arrays[2]))
        same(bool((arrays[0] == a).all() and (arrays[1] == b).all()), True, "a and b are unchanged")
    alike = all(np.array_equal(results[0], each, equal_nan=True) for each in results)
    same(alike, True, f"{what}: the same result in whatever order the threads of a block run", BARRIER)
    right = a.astype(float) @ b
    untouched = int(((results[0] == 7) & (abs(right - 7) > 1e-3)).sum())
    where = "cuda.grid(2) gives the column first, and then the row"
    same(untouched, 0, f"{what}: entries of out in which still stands what stood there before, of {m * n}", where)
    close(results[0], right, what, rtol=1e-4, atol=1e-4, suspects=wrong_products(a.astype(float), b.astype(float)))
    return reads


@check("2.1", 3)
def softplus_of_three_numbers(hw, draw):
    for x, right in ((0.0, 0.693147181), (2.0, 2.126928011), (-2.0, 0.126928011)):
        close(hw.called(hw.softplus, x), right, f"softplus({x:g})")


@check("2.1", 2)
def far_from_zero(hw, draw):
    got = hw.called(hw.softplus, 1000.0)
    close(got, 1000.0, "softplus(1000)", suspects={"exp(1000) is too large for a float": np.inf})
    close(hw.called(hw.softplus, -40.0), 4.248354255e-18, "softplus(-40)", atol=0,
          suspects={"1 + exp(-40) is 1, and its logarithm 0: log1p(y) is log(1 + y) without adding": 0.0})  # fmt: skip


@check("2.1", 2)
def float32_stays_float32(hw, draw):
    why = "a literal such as 1.0 or 0 makes all of it float64; type(x)(1) has the type of x"
    same(hw.computed_in(hw.softplus, np.float32(1.0)), "float32", "the type of softplus of a float32", why)


@check("2.1", 3)
def a_map_of_six_numbers(hw, draw):
    x = np.array([[0.0, 2.0, -2.0], [2.0, 0.0, 0.0]])
    right = np.array([[0.693147181, 2.126928011, 0.126928011], [2.126928011, 0.693147181, 0.693147181]])
    for layout in ("plain", "transposed", "reversed"):
        suspects = {COPY: x * 0 + 7}
        got, _ = hw.mapped(hw.softplus_map, x, layout)
        close(got, right, f"softplus_map of (2, 3), {layout}", suspects=suspects)


@check("2.2", 5)
def a_sum_along_each_axis(hw, draw):
    x = np.arange(24.0).reshape(2, 3, 4)
    for axis in range(3):
        suspects = {"what stood in out before (7) is in it, too": x.sum(axis) + 7, COPY: x.sum(axis) * 0 + 7}
        got, _ = hw.reduced(hw.sum_middle, x, axis)
        close(got, x.sum(axis), f"the sum of (2, 3, 4) along axis {axis}", suspects=suspects)


@check("2.2", 3)
def one_and_many_small_numbers(hw, draw):
    x = np.full(100_000, 0.1, "f4")
    suspects = {"added up in float32, which loses what is small beside the sum": np.cumsum(x)[-1]}
    got, _ = hw.reduced(hw.sum_middle, x, 0)
    close(got, 10000.0001490, "the sum of 100,000 times 0.1 in float32", suspects=suspects)


@check("2.2", 4)
def a_maximum_along_each_axis(hw, draw):
    falling = -1.0 - np.arange(24.0).reshape(2, 3, 4)
    for x, axis in itertools.product((falling, falling[::-1, ::-1, ::-1].copy()), range(3)):
        zeros = np.zeros(x.max(axis).shape)
        suspects = {"the search began at 0, and all numbers are negative": zeros, COPY: zeros + 7}
        got, _ = hw.reduced(hw.max_middle, x, axis)
        close(got, x.max(axis), f"the maximum of (2, 3, 4) along axis {axis}", suspects=suspects)


@check("2.2", 3)
def a_nan_is_not_lost(hw, draw):
    for numbers in ([np.nan, 1.0, 2.0], [1.0, np.nan, 2.0], [1.0, 2.0, np.nan]):
        got = float(np.asarray(hw.reduced(hw.max_middle, np.array(numbers), 0)[0]))
        same(bool(np.isnan(got)), True, f"the maximum of {numbers} is NaN", "<, > and == with NaN are False")


@check("2.3", 4)
def places_of_the_entries_of_2_by_3(hw, draw):
    for number, right in ((0, [0, 0]), (1, [0, 1]), (3, [1, 0]), (5, [1, 2])):
        suspects = {"the first axis is the fastest here; the last one has to be": [number % 2, number // 2]}
        got = hw.after(hw.unravel, number, whole(2, 3), whole(7, 7))[2]
        close(got, right, f"the index of entry {number} of shape (2, 3)", suspects=suspects)


@check("2.3", 3)
def where_a_reversed_row_lies(hw, draw):
    close(hw.called(hw.position, whole(1, 2), whole(3, -1), 2), 3, "position of [1, 2], strides (3, -1), offset 2",
          suspects={"the offset is missing": 1, "the sign of a stride is lost": 7})  # fmt: skip


@check("2.3", 6)
def strides_of_stretched_axes(hw, draw):
    for shape, strides, wide, right in (
        ((3,), (1,), (2, 3), [0, 1]),
        ((2, 1), (1, 1), (2, 3), [1, 0]),
        ((4, 1, 2), (2, 2, 1), (5, 4, 3, 2), [0, 2, 0, 1]),
        ((), (), (2, 3), [0, 0]),
    ):
        added = [0] * (len(wide) - len(shape))
        suspects = {"a stretched axis, of length 1, that keeps its stride": [*added, *strides],
                    "shapes aligned at the left, where NumPy aligns them at the right": [*right[len(added) :], *added]}  # fmt: skip
        got = hw.called(hw.broadcast_strides, whole(*shape), whole(*strides), whole(*wide))
        close(got, right, f"the strides of {shape} with strides {strides}, read as {wide}", suspects=suspects)


@check("2.3", 7)
def a_row_times_a_column(hw, draw):
    row = (np.array([1.0, 2, 3]), whole(3), whole(1), 0)
    column = (np.array([10.0, 100.0]), whole(2, 1), whole(1, 1), 0)
    out = (np.full(6, 7.0), whole(2, 3), whole(3, 1), 0)
    got = hw.after(hw.multiply, row, column, out)[2][0]
    close(got, [10.0, 20, 30, 100, 200, 300], "the memory of [1, 2, 3] * [[10], [100]]")
    turned = (np.full(7, 7.0), whole(2, 3), whole(-1, -2), 6)
    got = hw.after(hw.multiply, row, column, turned)[2][0]
    close(got, [7.0, 300, 30, 200, 20, 100, 10], "the same, for an out with strides (-1, -2) and offset 6",
          suspects={"out was written as if its strides were (3, 1)": [10.0, 20, 30, 100, 200, 300, 7]})  # fmt: skip


@check("2.4", 7.5, each=("ijk", "ikj"))
def a_small_matrix_product(hw, draw, order):
    kernel = hw.product_ijk if order == "ijk" else hw.product_ikj
    a, b = np.array([[1.0, 2, 3]]), np.array([[1.0, 0], [0, 1], [1, 1]])
    for layout in ("plain", "reversed"):
        got, *_ = hw.multiplied(kernel, a, b, layout)
        close(got, [[4.0, 5.0]], f"product_{order} of (1, 3) and (3, 2), {layout}",
              suspects={"what stood in out before (7) is in it, too": [[11.0, 12.0]]})  # fmt: skip


@check("2.5", 4)
def blocks_of_four(hw, draw):
    for size, right in ((1, 1), (4, 1), (5, 2), (8, 2), (9, 3)):
        down = size // 4
        suspects = {"rounded down: the last numbers have no thread": down, "one more where it comes out even": down + 1}
        close(hw.blocks_for(size, 4), right, f"blocks_for({size}, 4)", suspects=suspects)
    close(hw.blocks_for(0, 4), 1, "blocks_for(0, 4)", suspects={"a GPU refuses a grid of no block": 0})


@check("2.5", 6)
def seven_numbers_in_two_blocks(hw, draw):
    x = np.array([0.0, 2.0, -2.0, 0.0, 2.0, -2.0, 0.0])
    right = np.array([0.693147181, 2.126928011, 0.126928011, 0.693147181, 2.126928011, 0.126928011, 0.693147181])
    suspects = {"both blocks did the same numbers: a thread's place in its block is not its place in the grid":
                [*right[:4], 7.0, 7.0, 7.0], "the number of the block was added, not times its threads":
                [*right[:5], 7.0, 7.0]}  # fmt: skip
    arrays, _ = hw.launch(hw.softplus_kernel, 2, 4, x, np.full(7, 7.0))
    close(arrays[1], right, "softplus_kernel of 7 numbers in 2 blocks of 4 threads", suspects=suspects)


@check("2.6", 4, each=((4, 4, 4), (4, 8, 4), (6, 5, 9)))
def tiles_of_four(hw, draw, sizes):
    judge_tiles(hw, draw, *sizes)


@check("2.6", 8)
def every_number_is_read_once(hw, draw):
    reads = judge_tiles(hw, draw, 8, 4, 8)
    same(reads[:2], [64, 64], "how often a and b, (8, 4) and (4, 8), are read", ONCE)
