"""The checks that decide: steps, data and tapes are drawn when it is graded."""

import numpy as np

from tinygrad_rnn.homework import check, close, raises, same

OPS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "matmul": np.matmul,
    "transpose": np.transpose,
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0.0),
    "step": lambda a: (a > 0).astype(np.float64),
    "sum": np.sum,
}


def run(lines, tensors, inputs, source=None):
    """Do what lines tell with arrays; return the results, copied. Arrays of tensors are changed in place."""

    def value(e):
        if isinstance(e, str):
            return known[e]
        if not isinstance(e, list):
            return np.array(float(e))
        if e[0] == "random":
            return source.random(tuple(e[1:]))
        return np.array(OPS[e[0]](*[value(each) for each in e[1:]]))

    known = {**tensors, **{f"in{place}": array.copy() for place, array in enumerate(inputs)}}
    for line in lines:
        if line[0] == "return":
            return [np.array(value(each)) for each in line[1:]]
        if line[0] == "assign":
            known[line[1]][...] = value(line[2])
        else:
            known[line[0]] = value(line[1])
    return []


def network(draw, dropout=False):
    """Return the lines of a training step of two layers, its tensors, and a function that draws its inputs."""
    b, i, h, o = (int(length) for length in draw.permutation([2, 3, 4, 5]))
    mask = [["mask", ["step", ["sub", ["random", b, h], 0.4]]], ["h", ["mul", "h", "mask"]]] if dropout else []
    back = ["mul", ["sub", 1.0, ["mul", "t", "t"]], "mask"] if dropout else ["sub", 1.0, ["mul", "t", "t"]]
    lines = [
        ["t", ["tanh", ["matmul", "in0", "w"]]],
        ["h", "t"],
        *mask,
        ["e", ["sub", ["matmul", "h", "v"], "in1"]],
        ["loss", ["sum", ["mul", "e", "e"]]],
        ["dv", ["matmul", ["transpose", "h"], "e"]],
        ["dw", ["matmul", ["transpose", "in0"], ["mul", ["matmul", "e", ["transpose", "v"]], back]]],
        ["assign", "w", ["sub", "w", ["mul", "lr", "dw"]]],
        ["assign", "v", ["sub", "v", ["mul", "lr", "dv"]]],
        ["return", "loss", "h"],
    ]
    tensors = {"w": draw.standard_normal((i, h)), "v": draw.standard_normal((h, o)), "lr": np.array(0.02)}
    return lines, tensors, lambda: [draw.standard_normal((b, i)), draw.standard_normal((b, o))]


def recorded(hw, lines, tensors, inputs, source=None):
    """Return a tape of lines, and the student's tensors by name."""
    theirs = {name: hw.Tensor(array) for name, array in tensors.items()}
    return hw.record(hw.step_of(lines, theirs, source), *[hw.Tensor(array) for array in inputs]), theirs


def exact(got, expected, what, suspects=None):
    """Compare results, bit for bit."""
    same(len(got), len(expected), f"how many results there are of {what}")
    for place, (one, right) in enumerate(zip(got, expected, strict=True)):
        mistaken = {name: value[place] for name, value in (suspects or {}).items()}
        close(one, right, f"result {place} of {what}, to the bit", suspects=mistaken, rtol=0.0, atol=0.0)


# ---- 6.1


@check("6.1", 7)
def twenty_replays(hw, draw):
    lines, tensors, inputs = network(draw)
    first = inputs()
    tape, theirs = recorded(hw, lines, tensors, first)
    old = run(lines, tensors, first)
    for number in range(20):
        data = inputs()
        right = run(lines, tensors, data)
        suspects = {"the data of the recording are used again": old} if number == 0 else None
        exact(tape.replay(*data), right, f"replay {number + 1}", suspects)
    for name in ("w", "v"):
        close(theirs[name].data, tensors[name], f"{name} after 20 replays, to the bit", rtol=0.0, atol=0.0)


@check("6.1", 5)
def another_learning_rate(hw, draw):
    lines, tensors, inputs = network(draw)
    first = inputs()
    tape, theirs = recorded(hw, lines, tensors, first)
    run(lines, tensors, first)
    for rate in draw.permutation([0.0, 0.01, 0.05]):
        before, data = tensors["w"].copy(), inputs()
        stale = {name: array.copy() for name, array in tensors.items()}
        hw.assign(theirs["lr"], hw.Tensor(rate))
        tensors["lr"][...] = rate
        tape.replay(*data)
        run(lines, tensors, data)
        run(lines, stale, data)
        close(theirs["w"].data, tensors["w"], f"w after a replay with a learning rate of {rate:g}, to the bit",
              suspects={"the learning rate was frozen when it was recorded": stale["w"], "w did not change": before},
              rtol=0.0, atol=0.0)  # fmt: skip


@check("6.1", 4)
def another_mask(hw, draw):
    lines, tensors, inputs = network(draw, dropout=True)
    seed, first = int(draw.integers(0, 1 << 30)), inputs()
    source, own = hw.np.random.default_rng(seed), np.random.default_rng(seed)
    tape, _ = recorded(hw, lines, tensors, first, source)
    run(lines, tensors, first, own)
    for number in range(5):
        data = inputs()
        frozen = run(lines, {name: array.copy() for name, array in tensors.items()}, data, np.random.default_rng(seed))
        right = run(lines, tensors, data, own)
        exact(tape.replay(*data), right, f"replay {number + 1} of a step with dropout",
              {"the random mask of the recording is used again": frozen})  # fmt: skip


@check("6.1", 5)
def what_is_noted(hw, draw):
    x, w = hw.Tensor(draw.standard_normal((2, 3))), hw.Tensor(draw.standard_normal((2, 3)))
    factor = float(draw.integers(2, 9))
    lines = [
        ["a", ["mul", "in0", "in0"]],
        ["assign", "w", ["add", "w", "a"]],
        ["return", ["mul", "a", factor], "in0", "w"],
    ]
    tape = hw.record(hw.step_of(lines, {"w": w}), x)
    told = [(each.name, len(each.reads)) for each in [tape.instructions[k] for k in range(len(tape.instructions))]]
    expected = [("mul", 2), ("add", 2), ("assign", 2), ("constant", 0), ("mul", 2)]
    same(told, expected, "the instructions, and how many numbers each reads, of a = x * x; w += a; a * number")
    square, total, written, constant, last = (tape.instructions[number] for number in range(5))
    (x_number,), (w_number,) = list(tape.inputs), list(tape.state)
    same(tuple(square.reads), (x_number, x_number), "what x * x reads")
    same(tuple(total.reads), (w_number, square.makes), "what w + a reads")
    same((tuple(written.reads), written.makes), ((w_number, total.makes), None), "what assign reads, and makes")
    same(constant.attrs["value"], factor, "the number of the program")
    same(tape.state[w_number] == w, True, "the tensor in tape.state is w itself", "a replay reads what w holds then")
    same(list(tape.results), [last.makes, x_number, w_number], "the numbers of the results",
         "the last is w, which has the number that it had before something was assigned to it")  # fmt: skip
    same([tuple(each) for each in tape.shapes], [(2, 3)], "the shapes of the inputs")
    made = [x_number, w_number, square.makes, total.makes, constant.makes, last.makes]
    same(len(set(made)), 6, "how many numbers there are for six values")


@check("6.1", 2)
def recording_ends(hw, draw):
    x = hw.Tensor(draw.standard_normal((2, 3)))
    hw.record(hw.step_of([["return", ["tanh", "in0"]]], {}), x)
    same(len(hw.RECORDING), 0, "recorders after a recording")
    step = hw.step_of([["a", ["matmul", "in0", "in0"]], ["return", "a"]], {})
    raises(
        "ValueError",
        "the error that is raised, a step that multiplies (2, 3) by (2, 3)",
        hw.record,
        step,
        x,
        because="it is passed on",
    )
    same(len(hw.RECORDING), 0, "recorders after a step that raised an error")
    close(x.numpy(), x.data, "x.numpy() after it")


@check("6.1", 2)
def one_tensor_is_no_two_inputs(hw, draw):
    x, y = hw.Tensor(draw.standard_normal(3)), hw.Tensor(draw.standard_normal(3))
    step = hw.step_of([["return", ["add", "in0", "in1"]]], {})
    raises(
        "TapeError",
        "the error that is raised, x given twice",
        hw.record,
        step,
        x,
        x,
        because="a replay would not know which of two arrays is meant",
    )
    tape = hw.record(step, x, y)
    same(len(tape.inputs), 2, "how many inputs there are of step(x, y)")


# ---- 6.2


@check("6.2", 6)
def new_data(hw, draw):
    lines, tensors, inputs = network(draw)
    lines = [line for line in lines if line[0] != "assign"]
    first = inputs()
    tape, _ = recorded(hw, lines, tensors, first)
    for number in range(3):
        data = inputs()
        exact(tape.replay(*data), run(lines, tensors, data), f"replay {number + 1}",
              {"the data of the recording are used again": run(lines, tensors, first)})  # fmt: skip


@check("6.2", 4, each=("trained", "put there by somebody else"))
def state_as_it_is_now(hw, draw, case):
    lines, tensors, inputs = network(draw)
    first = inputs()
    tape, theirs = recorded(hw, lines, tensors, first)
    run(lines, tensors, first)
    for number in range(3):
        if case != "trained":
            new = draw.standard_normal(tensors["w"].shape)
            theirs["w"].data = new
            tensors["w"] = new.copy()
        data = inputs()
        exact(tape.replay(*data), run(lines, tensors, data), f"replay {number + 1}")
        close(theirs["w"].data, tensors["w"], f"w.data after replay {number + 1}, to the bit", rtol=0.0, atol=0.0)


@check("6.2", 4)
def results_stay_what_they_are(hw, draw):
    lines, tensors, inputs = network(draw, dropout=True)
    lines = [*lines[:-1], ["return", "loss", "w", "in0", "h"]]
    seed, first = int(draw.integers(0, 1 << 30)), inputs()
    source, own = hw.np.random.default_rng(seed), np.random.default_rng(seed)
    tape, _ = recorded(hw, lines, tensors, first, source)
    run(lines, tensors, first, own)
    rounds = [inputs() for _ in range(20)]
    got, right = tape.replay_all(rounds), [run(lines, tensors, data, own) for data in rounds]
    same(len(got), 20, "how many results 20 replays have")
    for number in range(20):
        exact(got[number], right[number], f"replay {number + 1}, looked at after 20 replays",
              {"a later replay wrote into the array": right[-1]})  # fmt: skip


@check("6.2", 3)
def inputs_stay_what_they_are(hw, draw):
    x, y = draw.standard_normal((3, 2)), draw.standard_normal((3, 2))
    lines = [["assign", "in0", ["add", "in0", 1.0]], ["a", ["mul", "in0", "in1"]], ["assign", "a", ["add", "a", "in0"]],
             ["return", "a", "in1"]]  # fmt: skip
    tape, _ = recorded(hw, lines, {}, [x, y])
    for number, got in enumerate(tape.replay_all([[x, y]], 3)):
        exact(got, run(lines, {}, [x, y]), f"replay {number + 1} of a step that writes into its input")


@check("6.2", 4)
def what_does_not_fit(hw, draw):
    x, y = draw.standard_normal((3, 2)), draw.standard_normal((3, 2))
    tape, _ = recorded(hw, [["return", ["add", "in0", "in1"]]], {}, [x, y])
    exact(tape.replay(y, x), [y + x], "x + y")
    for what, data in (
        ("one array for two inputs", [x]),
        ("three arrays for two inputs", [x, y, y]),
        ("(3, 1) for (3, 2), which NumPy would stretch", [x, y[:, :1]]),
        ("(2,) for (3, 2), which NumPy would stretch", [x[0], y]),
    ):
        told = f"the error that is raised, {what}"
        raises("TapeError", told, tape.replay, *data, because="new data are like those of the recording")


# ---- 6.3


LOOKS = {
    "item": ["mul", "in0", ["item", ["sum", "in0"]]],
    "float": ["mul", "in0", ["float", "scale"]],
    "numpy": ["add", "in0", ["numpy", ["tanh", "in0"]]],
    "if": ["mul", "in0", ["if", ["sum", "in0"]]],
}
WHY = "what Python makes of the numbers, a replay would not do again"


def recorded_as_well(hw, draw):
    """Require that a step is recorded in which nothing is wrong: to refuse every one is no answer."""
    x = draw.standard_normal((2, 3))
    lines = [["return", ["tanh", "in0"]]]
    exact(recorded(hw, lines, {}, [x])[0].replay(x), run(lines, {}, [x]), "tanh, where nothing is wrong")


@check("6.3", 2, each=tuple(LOOKS))
def what_reads_is_refused(hw, draw, case):
    recorded_as_well(hw, draw)
    x, w, before = hw.Tensor(draw.standard_normal((2, 3))), hw.Tensor(0.0), draw.standard_normal((2, 3))
    w.data = before
    lines = [["a", LOOKS[case]], ["assign", "w", "in0"], ["return", "a"]]
    step = hw.step_of(lines, {"scale": hw.Tensor(2.0), "w": w})
    raises("TapeError", f"the error that is raised, a step with {case}", hw.record, step, x, because=WHY)
    close(w.data, before, f"what the step would write after {case}, to the bit", rtol=0.0, atol=0.0,
          suspects={"the error is kept and not raised: the step went on": x.data})  # fmt: skip
    same(len(hw.RECORDING), 0, "recorders after it")
    close(x.numpy(), x.data, "x.numpy() when nothing is recorded")


@check("6.3", 4)
def what_is_made_of_data_is_refused(hw, draw):
    data = draw.standard_normal(3)
    w = hw.Tensor(0.0)
    lines = [["a", ["add", "in0", ["data", float(data[0])]]], ["assign", "w", ["sum", "in0"]], ["return", "a"]]
    step = hw.step_of(lines, {"w": w})
    why = "a replay would see the same data again"
    raises(
        "TapeError",
        "the error that is raised, a step that makes a tensor of data",
        hw.record,
        step,
        hw.Tensor(data),
        because=why,
    )
    close(w.data, 0.0, "what the step would write after it made a tensor",
          suspects={"the error is kept and not raised: the step went on": data.sum()})  # fmt: skip
    constant = hw.step_of([["return", ["add", "in0", float(data[0])]]], {})
    same(len(hw.record(constant, hw.Tensor(data)).instructions), 2, "instructions of x + number, which is fine")


@check("6.3", 2, each=("read", "made"))
def what_was_refused_stays_refused(hw, draw, case):
    quiet = ["quiet", ["item", ["sum", "in0"]] if case == "read" else ["data", 3.0]]
    step = hw.step_of([["a", ["mul", "in0", quiet]], ["return", "a"]], {})
    recorded_as_well(hw, draw)
    raises(
        "TapeError",
        "the error that is raised, a step that catches the error and goes on",
        hw.record,
        step,
        hw.Tensor(draw.standard_normal(3)),
        because=WHY,
    )


@check("6.3", 1, each=("a number", "None", "a number in a list"))
def what_is_returned_are_tensors(hw, draw, case):
    end = {"a number": [["return", 3.0]], "None": [], "a number in a list": [["return", "in0", 3.0]]}[case]
    step = hw.step_of([["a", ["tanh", "in0"]], *end], {})
    recorded_as_well(hw, draw)
    raises(
        "TapeError",
        f"the error that is raised, a step that returns {case}",
        hw.record,
        step,
        hw.Tensor(1.0),
        because="only tensors can be replayed",
    )


@check("6.3", 1)
def what_is_right_is_recorded(hw, draw):
    x, w = draw.standard_normal((2, 3)), draw.standard_normal((2, 3))
    lines = [["a", ["add", "in0", "w"]], ["return", "a", "in0", "w", "a"]]
    tape, _ = recorded(hw, lines, {"w": w}, [x])
    exact(tape.replay(x), run(lines, {"w": w}, [x]), "a step that returns a result twice, an input and state")
    lines = [["return", "in0"]]
    tape, _ = recorded(hw, lines, {}, [x])
    exact(tape.replay(w), [w], "a step that returns its input")


# ---- 6.4


def tape_of(hw, told, inputs=(), state=(), results=()):
    """Return the student's tape of (name, reads, makes), and its instructions."""
    tape = hw.Tape()
    instructions = [hw.Instruction(name, reads, makes, {}) for name, reads, makes in told]
    tape.instructions, tape.inputs, tape.results = instructions, list(inputs), list(results)
    tape.state = {number: hw.Tensor(0.0) for number in state}
    return tape, instructions


def drawn(draw, length=14):
    """Return the instructions of a tape with idle ones, and its inputs, state and results."""
    kinds = (("tanh", 1), ("add", 2), ("mul", 2), ("random", 0), ("constant", 0))
    known, told, inputs, state = [0, 1, 2, 3], [], [0, 1], [2, 3]
    for number in range(4, 4 + length):
        name, operands = kinds[int(draw.choice(5, p=[0.3, 0.3, 0.2, 0.1, 0.1]))]
        told.append((name, tuple(int(draw.choice(known[-5:])) for _ in range(operands)), number))
        known.append(number)
    told.insert(int(draw.integers(8, 12)), ("assign", (3, told[7][2]), None))
    return told, inputs, state, sorted({known[-1], known[-4], known[5]})


def dead(told, kept):
    """Return what can be dropped after each instruction."""
    lists = []
    for place, (_, reads, makes) in enumerate(told):
        later = {number for _, others, _ in told[place + 1 :] for number in others}
        lists.append(sorted({*reads, makes} - later - set(kept) - {None}))
    return lists


def judge_dead(hw, told, inputs, state, results):
    tape, _ = tape_of(hw, told, inputs, state, results)
    got, right = hw.dead_after(tape), dead(told, {*inputs, *state, *results})
    same(len(got), len(right), "how many lists dead_after returns, one for each instruction")
    same(all(isinstance(each, list | tuple) for each in got), True, "dead_after returns a list of lists of numbers")
    text = "; ".join(f"{name} reads {list(reads)} makes {makes}" for name, reads, makes in told)
    for place, (numbers, expected) in enumerate(zip(got, right, strict=True)):
        same(
            sorted(int(number) for number in numbers), expected, f"what is dropped after instruction {place} of {text}"
        )


HAND = {
    "read twice": ([("tanh", (0,), 1), ("mul", (1, 1), 2), ("add", (2, 0), 3)], [0], [], [3]),
    "nobody reads it": ([("tanh", (0,), 1), ("random", (), 2), ("add", (0, 0), 3)], [0], [], [3]),
    "results and state": ([("tanh", (0,), 2), ("add", (2, 1), 3), ("tanh", (3,), 4)], [0], [1], [2, 4]),
    "written into": (
        [("tanh", (0,), 2), ("tanh", (2,), 3), ("assign", (2, 3), None), ("tanh", (0,), 4)],
        [0],
        [1],
        [4],
    ),
}


@check("6.4", 1, each=tuple(HAND))
def what_is_dropped(hw, draw, case):
    judge_dead(hw, *HAND[case])


@check("6.4", 2)
def what_is_dropped_of_drawn_tapes(hw, draw):
    for _ in range(4):
        judge_dead(hw, *drawn(draw))


@check("6.4", 2)
def a_long_step_needs_little(hw, draw):
    x, length = draw.standard_normal(3), int(draw.integers(40, 60))
    lines = [["a", "in0"], *[["a", ["tanh", "a"]]] * length, ["return", "a"]]
    tape, _ = recorded(hw, lines, {}, [x])
    tape.drop()
    exact(tape.replay(x), run(lines, {}, [x]), f"{length} times tanh")
    same(int(tape.peak), 3, f"the most values at once in {length} times tanh: the input, and two")


def idle(told, state, results):
    """Return the places of the instructions that have to stay."""
    stay = {place for place, (name, _, _) in enumerate(told) if name == "random"}
    while True:
        for place in range(len(told) - 1, -1, -1):
            name, reads, makes = told[place]
            written = reads[0] if name == "assign" else makes
            later = {number for other in sorted(stay) if other > place for number in told[other][1]}
            if place not in stay and written in later | set(state) | set(results):
                stay.add(place)
                break
        else:
            return sorted(stay)


@check("6.4", 1, each=("results", "state", "draws", "a chain", "written in vain"))
def what_stays(hw, draw, case):
    told = {
        "results": [("tanh", (0,), 2), ("tanh", (0,), 3)],
        "state": [
            ("tanh", (0,), 2),
            ("assign", (1, 2), None),
            ("tanh", (0,), 4),
            ("assign", (1, 4), None),
            ("tanh", (1,), 3),
        ],
        "draws": [("random", (), 2), ("tanh", (0,), 3), ("random", (), 4)],
        "a chain": [("tanh", (0,), 4), ("tanh", (4,), 5), ("tanh", (5,), 6), ("tanh", (0,), 3)],
        "written in vain": [("tanh", (0,), 2), ("tanh", (2,), 3), ("assign", (2, 3), None)],
    }[case]
    judge_idle(hw, told, [0], [1], [3])


def judge_idle(hw, told, inputs, state, results):
    tape, instructions = tape_of(hw, told, inputs, state, results)
    got = [instructions.index(each) if each in instructions else "?" for each in hw.without_idle(tape)]
    text = "; ".join(f"{name} reads {list(reads)} makes {makes}" for name, reads, makes in told)
    same(got, idle(told, state, results), f"which instructions stay of {text}, with state {state}, results {results}")


@check("6.4", 1)
def what_stays_of_drawn_tapes(hw, draw):
    for _ in range(4):
        judge_idle(hw, *drawn(draw))


@check("6.4", 2, each=(1, 2, 3))
def slots_are_shared_by_those_that_never_meet(hw, draw, number):
    told, inputs, state, results = drawn(draw, 10 + 3 * number)
    lists = dead(told, {*inputs, *state, *results})
    tape, _ = tape_of(hw, told, inputs, state, results)
    tape.dead = lists
    got = hw.slots(tape)
    same(type(got) is dict and sorted(got) == sorted(makes for _, _, makes in told if makes is not None), True,
         "there is a slot for each value that an instruction makes, and for no other")  # fmt: skip
    held, most = set(), 0
    for (name, reads, makes), over in zip(told, lists, strict=True):
        if makes is not None:
            clash = sorted(other for other in held if got[other] == got[makes])
            same(clash, [], f"values that are needed while {makes} = {name}{reads} is made, and have its slot")
            held.add(makes)
        most = max(most, len(held))
        held -= set(over)
    same(len(set(got.values())), most, "how many slots there are")
