"""The checks that decide: numbers, shapes and layouts are drawn when it is graded."""

import numpy as np

from tinygrad_rnn.homework import check, close, same

from public import COPY, ONCE, judge_tiles, whole


LAYOUTS = ("transposed", "reversed", "every other")


def shape(draw, axes):
    """Return a shape with different lengths."""
    return tuple(int(length) for length in draw.permutation([2, 3, 4, 5])[:axes])


def softplus(x):
    """Return it in float64."""
    x = np.asarray(x, dtype=np.float64)
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def unchanged(got, x, what="x"):
    same(bool(np.array_equal(np.asarray(got), x, equal_nan=True)), True, f"{what} is unchanged")


# ---- 2.1


@check("2.1", 2)
def one_number(hw, draw):
    for x in 3 * draw.standard_normal(8):
        close(hw.called(hw.softplus, float(x)), softplus(x), f"softplus({x:.3g})", rtol=1e-12)


@check("2.1", 2)
def numbers_far_from_zero(hw, draw):
    x = float(draw.uniform(800, 1e6))
    close(hw.called(hw.softplus, x), x, f"softplus({x:.3g})", suspects={"exp of it is too large for a float": np.inf})
    close(hw.called(hw.softplus, -x), 0.0, f"softplus({-x:.3g})")
    x = -float(draw.uniform(37, 300))
    suspects = {"1 + exp(x) is 1, and its logarithm 0: log1p(y) is log(1 + y) without adding": 0.0}
    close(hw.called(hw.softplus, x), np.exp(x), f"softplus({x:.3g})", rtol=1e-10, atol=0, suspects=suspects)
    same(bool(np.isnan(hw.called(hw.softplus, float("nan")))), True, "softplus of NaN is NaN")


@check("2.1", 1, each=("float32", "float64"))
def the_type_is_that_of_x(hw, draw, dtype):
    why = "a literal such as 1.0 or 0 makes all of it float64; type(x)(1) has the type of x"
    x = np.dtype(dtype).type(draw.random())
    same(hw.computed_in(hw.softplus, x), dtype, f"the type of softplus of a {dtype}", why)
    same(bool(hw.softplus(5.0 + x) > 5 + x), True, f"softplus({5 + x:.3g}) is larger than {5 + x:.3g}")


def judge_map(hw, x, layout):
    right, what = softplus(x), f"softplus_map of {x.shape}, {x.dtype}, {layout}"
    got, afterwards = hw.mapped(hw.softplus_map, x, layout)
    suspects = {COPY: x * 0 + 7}
    close(got, right, what, rtol=1e-5 if x.dtype == "f4" else 1e-12, suspects=suspects)
    unchanged(afterwards, x)


@check("2.1", 1, each=("float32", "float64"))
def maps(hw, draw, dtype):
    for size in (0, 1, int(draw.integers(5, 40))):
        judge_map(hw, (3 * draw.standard_normal(size)).astype(dtype), "plain")
    judge_map(hw, (3 * draw.standard_normal(shape(draw, 3))).astype(dtype), "plain")


@check("2.1", 2)
def maps_of_views(hw, draw):
    for layout in LAYOUTS:
        judge_map(hw, draw.standard_normal(shape(draw, 2)), layout)


# ---- 2.2


def judge_reduction(hw, kernel, function, x, axis, layout="plain"):
    got, afterwards = hw.reduced(getattr(hw, kernel), x, axis, layout)
    right = function(x, axis)
    suspects = {"what stood in out before (7) is in it, too": right + 7, COPY: np.full(right.shape, 7.0)}
    if kernel == "max_middle":
        suspects = {"the search began at 0": np.maximum(right, 0), COPY: np.full(right.shape, 7.0)}
    close(got, right, f"{kernel} of {x.shape} along axis {axis}, {layout}", suspects=suspects)
    unchanged(afterwards, x)


@check("2.2", 1, each=(0, 1, 2, 3))
def sums_along_axes(hw, draw, axis):
    judge_reduction(hw, "sum_middle", np.sum, draw.standard_normal(shape(draw, 4)), axis)


@check("2.2", 1)
def sums_of_nothing_and_of_one(hw, draw):
    for lengths in ((3, 0, 2), (0, 3, 2), (2, 3, 0), (1, 1, 1), (4, 1, 3)):
        judge_reduction(hw, "sum_middle", np.sum, draw.standard_normal(lengths), 1)


@check("2.2", 1)
def sums_of_views(hw, draw):
    for layout in LAYOUTS:
        judge_reduction(hw, "sum_middle", np.sum, draw.standard_normal(shape(draw, 3)), 1, layout)


@check("2.2", 3)
def long_columns(hw, draw):
    x = (draw.uniform(0.1, 0.9, 2) + 0.1 * draw.standard_normal((200_000, 2))).astype("f4")
    suspects = {"added up in float32, which loses what is small beside the sum": np.cumsum(x, axis=0)[-1]}
    got, _ = hw.reduced(hw.sum_middle, x, 0)
    close(got, x.sum(0, dtype=np.float64), "the sum of 200,000 float32", rtol=3e-7, suspects=suspects)
    same(str(np.asarray(got).dtype), "float32", "the dtype of the sums")


@check("2.2", 1, each=(0, 1, 2))
def maxima_along_axes(hw, draw, axis):
    x = draw.standard_normal(shape(draw, 3))
    judge_reduction(hw, "max_middle", np.max, x - x.max() - 1, axis)
    judge_reduction(hw, "max_middle", np.max, x, axis)
    judge_reduction(hw, "max_middle", np.max, np.full(x.shape, -np.inf), axis)


@check("2.2", 1)
def maxima_of_views_and_of_one(hw, draw):
    for layout in LAYOUTS:
        judge_reduction(hw, "max_middle", np.max, draw.standard_normal(shape(draw, 3)), 1, layout)
    for lengths in ((0, 3, 2), (2, 3, 0), (1, 1, 1), (4, 1, 3)):
        judge_reduction(hw, "max_middle", np.max, draw.standard_normal(lengths), 1)


@check("2.2", 2)
def maxima_with_nan(hw, draw):
    x = draw.standard_normal((2, 4, 3))
    for place in range(4):
        x[0, place, draw.integers(0, 3)] = np.nan
        got, _ = hw.reduced(hw.max_middle, x, 1)
        where = np.isnan(np.asarray(got)).tolist()
        same(where, np.isnan(x).any(1).tolist(), "where a maximum is NaN", "<, > and == with NaN are False")
        close(np.nan_to_num(got, nan=9.0), np.nan_to_num(x.max(1), nan=9.0), "max_middle, NaN told as 9")
        x[0, place] = draw.standard_normal(3)


# ---- 2.3


def scattered(draw, lengths):
    """Return a memory and a view of it with a shape: axes in any order, some reversed, some with gaps."""
    axes = draw.permutation(len(lengths))
    gaps = draw.integers(1, 3, len(lengths))
    wide = [int(lengths[axis] * gap) for axis, gap in zip(axes, gaps)]
    begin = int(draw.integers(1, 4))
    if not lengths:  # a slice of an array without axes would be a number
        memory = draw.standard_normal(begin + 3)
        return memory, memory[begin : begin + 1].reshape(())
    memory = draw.standard_normal(begin + int(np.prod(wide, dtype=np.int64)) + 2)
    view = memory[begin : len(memory) - 2].reshape(wide)[tuple(slice(None, None, int(gap)) for gap in gaps)]
    view = np.flip(view, tuple(np.flatnonzero(draw.random(len(lengths)) < 0.5)))
    return memory, view.transpose(np.argsort(axes))


def described(memory, view):
    """Return a view as kernels of 2.3 get it."""
    offset = (view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]) // 8 if view.size else 0
    return memory, whole(*view.shape), whole(*(each // 8 for each in view.strides)), int(offset)


@check("2.3", 4)
def indices_of_numbers(hw, draw):
    for lengths in (shape(draw, 4), shape(draw, 3), shape(draw, 2), (3, 1, 4), (int(draw.integers(2, 9)),), (1,), ()):
        size = int(np.prod(lengths, dtype=np.int64))
        for number in draw.permutation(size)[:6].tolist():
            suspects = {"the first axis is the fastest here; the last one has to be":
                        np.unravel_index(number, lengths, order="F")}  # fmt: skip
            what = f"the index of entry {number} of shape {lengths}"
            _, afterwards, got = hw.after(hw.unravel, number, whole(*lengths), np.full(len(lengths), 7))
            close(got, np.array(np.unravel_index(number, lengths)), what, suspects=suspects)
            unchanged(afterwards, whole(*lengths), "the shape")


@check("2.3", 4)
def positions_in_memory(hw, draw):
    for axes in (3, 2, 1, 0):
        strides, offset = draw.integers(-9, 9, axes), int(draw.integers(30, 60))
        for _ in range(5):
            index = draw.integers(0, 5, axes)
            right = int((index * strides).sum()) + offset
            suspects = {"the offset is missing": right - offset,
                        "the sign of a stride is lost": int((index * abs(strides)).sum()) + offset}  # fmt: skip
            what = f"position of {index.tolist()}, strides {strides.tolist()}, offset {offset}"
            close(hw.called(hw.position, index, strides, offset), right, what, suspects=suspects)


@check("2.3", 1, each=("as it is", "stretched", "added", "both", "drawn"))
def strides_for_a_wide_shape(hw, draw, case):
    a, b, c = shape(draw, 3)
    cases = {
        "as it is": ((a, b), (a, b)),
        "stretched": ((a, 1, c), (a, b, c)),
        "added": ((c,), (a, b, c)),
        "both": ((1, c), (a, b, c)),
    }
    wide = shape(draw, 4)
    narrow = [1 if draw.random() < 0.5 else length for length in wide[int(draw.integers(0, 3)) :]]
    lengths, wide = cases.get(case, (tuple(narrow), wide))
    strides = draw.integers(1, 50, len(lengths)) * draw.choice([-1, 1], len(lengths))
    right = [0] * (len(wide) - len(lengths)) + [int(s) * (n != 1) for s, n in zip(strides, lengths)]
    added = [0] * (len(wide) - len(lengths))
    suspects = {"a stretched axis, of length 1, that keeps its stride": [*added, *strides],
                "shapes aligned at the left, where NumPy aligns them at the right": [*right[len(added) :], *added]}  # fmt: skip
    before = strides.copy()
    got = hw.after(hw.broadcast_strides, whole(*lengths), strides, whole(*wide))[1]
    unchanged(got, before, "what was given")
    got = hw.called(hw.broadcast_strides, whole(*lengths), strides, whole(*wide))
    close(got, right, f"the strides of {lengths} with strides {strides.tolist()}, read as {wide}", suspects=suspects)


def judge_multiply(hw, draw, lengths_a, lengths_b, views=True):
    lengths = np.broadcast_shapes(lengths_a, lengths_b)
    arrays = []
    for each in (lengths_a, lengths_b, lengths):
        memory, view = scattered(draw, each)
        if not views:
            memory = draw.standard_normal(int(np.prod(each, dtype=np.int64)))
            view = memory.reshape(each)
        arrays.append((memory, view))
    (memory_a, a), (memory_b, b), (memory, out) = arrays
    memory[:] = 7
    told = [described(*each) for each in arrays]
    expected, row = memory.copy(), memory.copy()
    out[...] = a * b
    expected, memory[:] = memory.copy(), 7
    row[: out.size] = (a * b).ravel()
    what = f"the memory of out, for a * b of {lengths_a} and {lengths_b} with strides {[t[2].tolist() for t in told]}"
    got_a, got_b, got = hw.after(hw.multiply, *told)
    close(got[0], expected, what, suspects={"out was written in a row: it has strides and an offset, too": row})
    unchanged(got_a[0], memory_a, "the memory of a")
    unchanged(got_b[0], memory_b, "the memory of b")


@check("2.3", 2)
def products_of_stretched_arrays(hw, draw):
    a, b, c = shape(draw, 3)
    for pair in (((a, b), (a, b)), ((a, 1), (b,)), ((b, 1, c), (a, 1)), ((c,), (a, b, c)), ((), (a, b))):
        judge_multiply(hw, draw, *pair, views=False)


@check("2.3", 3)
def products_of_views(hw, draw):
    a, b, c = shape(draw, 3)
    for pair in (((a, b), (a, b)), ((a, 1), (b,)), ((b, 1, c), (a, 1)), ((a, b, c), (b, 1)), ((a,), (1,))):
        judge_multiply(hw, draw, *pair)


@check("2.3", 2)
def products_of_nothing_and_of_one(hw, draw):
    for pair in (((0,), (1,)), ((3, 0), (3, 1)), ((), ()), ((1, 1), (1,)), ((1,), ())):
        judge_multiply(hw, draw, *pair)


# ---- 2.4


def judge_product(hw, draw, order, lengths, layout="plain"):
    m, k, n = lengths
    a, b = draw.standard_normal((m, k)), draw.standard_normal((k, n))
    got, a_afterwards, b_afterwards = hw.multiplied(getattr(hw, f"product_{order}"), a, b, layout)
    suspects = {"what stood in out before (7) is in it, too": a @ b + 7}
    close(got, a @ b, f"product_{order} of ({m}, {k}) and ({k}, {n}), {layout}", suspects=suspects)
    unchanged(a_afterwards, a, "a")
    unchanged(b_afterwards, b, "b")


@check("2.4", 4, each=("ijk", "ikj"))
def drawn_products(hw, draw, order):
    judge_product(hw, draw, order, shape(draw, 3))
    judge_product(hw, draw, order, tuple(draw.integers(6, 30, 3)))


@check("2.4", 2, each=("ijk", "ikj"))
def products_of_turned_matrices(hw, draw, order):
    for layout in LAYOUTS:
        judge_product(hw, draw, order, shape(draw, 3), layout)


@check("2.4", 1.5, each=("ijk", "ikj"))
def products_without_rows_or_columns(hw, draw, order):
    for lengths in ((2, 0, 3), (0, 2, 3), (2, 3, 0), (1, 1, 1), (1, 4, 1), (3, 1, 2)):
        judge_product(hw, draw, order, lengths)


# ---- 2.5


@check("2.5", 3)
def how_many_blocks(hw, draw):
    for threads in draw.integers(2, 9, 3).tolist():
        close(
            hw.blocks_for(0, threads), 1, f"blocks_for(0, {threads})", suspects={"a GPU refuses a grid of no block": 0}
        )
        drawn = int(draw.integers(1, 10**6))
        for size in (1, threads - 1, threads, threads + 1, 7 * threads, 7 * threads + 2, drawn):
            right, down = -(-size // threads), size // threads
            suspects = {
                "rounded down: the last numbers have no thread": down,
                "one more where it comes out even": down + 1,
            }
            close(hw.blocks_for(size, threads), right, f"blocks_for({size}, {threads})", suspects=suspects)


@check("2.5", 1, each=("even", "one more", "fewer than threads", "one", "none", "more threads than needed", "drawn"))
def maps_on_the_gpu(hw, draw, case):
    threads = int(draw.choice([3, 5, 6, 7, 8]))
    number = {"even": 3 * threads, "one more": 2 * threads + 1, "fewer than threads": threads - 1, "one": 1, "none": 0,
            "more threads than needed": threads + 1, "drawn": int(draw.integers(20, 40))}[case]  # fmt: skip
    for size in (number, 2) if case == "none" else (number,):
        blocks = max(1, -(-size // threads)) + 2 * (case == "more threads than needed")
        x = 3 * draw.standard_normal(size)
        for order in (0, 1):
            arrays, _ = hw.launch(hw.softplus_kernel, blocks, threads, x, np.full(size, 7.0), order=order)
            close(arrays[1], softplus(x), f"softplus_kernel of {size} numbers in {blocks} blocks of {threads} threads")
            unchanged(arrays[0], x)


# ---- 2.6


def sizes_of(draw, case):
    """Return m, k, n; drawn ones need a grid that is not square, several tiles along k, and no last tile is full."""
    rows, columns = draw.permutation([1, 2, 3])[:2] * 4
    drawn = rows - draw.integers(1, 4), draw.choice([5, 6, 7, 9, 10, 11]), columns - draw.integers(1, 4)
    return tuple(map(int, drawn)) if case == "drawn" else case


@check("2.6", 3, each=((5, 7, 6), (8, 4, 12), "drawn"))
def tiled_products(hw, draw, case):
    judge_tiles(hw, draw, *sizes_of(draw, case))


@check("2.6", 3)
def tiled_products_of_one_and_of_nothing(hw, draw):
    for sizes in ((1, 1, 1), (3, 0, 2), (1, 9, 1), (2, 1, 5)):
        judge_tiles(hw, draw, *sizes)


@check("2.6", 8)
def numbers_are_read_once_per_block(hw, draw):
    m, k, n = sizes_of(draw, "drawn")
    reads = judge_tiles(hw, draw, m, k, n)
    right = [m * k * -(-n // 4), k * n * -(-m // 4)]
    same(reads[:2], right, f"how often a and b, ({m}, {k}) and ({k}, {n}), are read", ONCE)
