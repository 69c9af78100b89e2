"""The checks that a student sees: small steps, with numbers computed by hand."""

import numpy as np

from tinygrad_rnn.homework import check, close, raises, same


def nobody_records(hw):
    """Say what is wrong if a recorder was left in RECORDING: whatever follows would be noted, or refused."""
    why = "record takes its recorder out of RECORDING again when the step has ended, also by an error"
    same(len(hw.RECORDING), 0, "how many recorders are in RECORDING where no step runs", why)


def weighted(hw):
    """Return the tape of x * w for x = [1, 2] and w = 3, and w."""
    nobody_records(hw)
    w = hw.Tensor(3.0)
    return hw.record(hw.step_of([["return", ["mul", "in0", "w"]]], {"w": w}), hw.Tensor([1.0, 2.0])), w


@check("6.1", 7)
def one_instruction(hw, draw):
    tape, w = weighted(hw)
    nobody_records(hw)
    same(len(tape.instructions), 1, "how many instructions x * w has")
    same(len(tape.inputs), 1, "how many inputs it has")
    same(len(tape.state), 1, "how many tensors of state it has: w was there before, x is an input")
    number = next(iter(tape.state))
    same(tape.state[number] == w, True, "what is in tape.state is w itself", "a replay reads what w holds at that time")
    only = tape.instructions[0]
    same(tuple(only.reads), (tape.inputs[0], number), "the numbers that x * w reads")
    same(list(tape.results), [only.makes], "the numbers of the results")


@check("6.1", 4)
def a_parameter_that_changes(hw, draw):
    tape, w = weighted(hw)
    hw.assign(w, hw.Tensor(10.0))
    close(tape.replay(np.array([1.0, 2.0]))[0], [10.0, 20.0], "x * w after w went from 3 to 10",
          suspects={"the number that w had when it was recorded is frozen": [3.0, 6.0]})  # fmt: skip


@check("6.1", 4)
def a_training_step(hw, draw):
    nobody_records(hw)
    w, lr = hw.Tensor([[1.0]]), hw.Tensor(0.5)
    x = hw.Tensor([[1.0]])
    y = hw.Tensor([[0.0]])
    tape = hw.record(hw.regression(w, lr), x, y)
    close(w.data, [[0.5]], "w after the step that was recorded")
    close(tape.replay(np.array([[1.0]]), np.array([[1.0]]))[0], 0.25, "the loss of the replay, with y = 1")
    close(w.data, [[0.75]], "w after the replay", suspects={"what is assigned does not reach w": [[0.5]]})


@check("6.1", 4)
def fresh_random_numbers(hw, draw):
    nobody_records(hw)
    source = hw.np.random.default_rng(0)
    tape = hw.record(hw.step_of([["return", ["mul", "in0", ["random", 1, 1]]]], {}, source), hw.Tensor([[1.0]]))
    numbers = np.random.default_rng(0).random(2)
    close(tape.replay(np.array([[1.0]]))[0], [[numbers[1]]], "the second number of a generator",
          suspects={"the random numbers of the recording are used again": [[numbers[0]]]})  # fmt: skip


@check("6.1", 2)
def what_was_written_is_read(hw, draw):
    nobody_records(hw)
    w = hw.Tensor([1.0])
    lines = [["assign", "w", "in0"], ["return", ["add", "w", "in0"]]]
    tape = hw.record(hw.step_of(lines, {"w": w}), hw.Tensor([2.0]))
    told = [(each.name, len(each.reads)) for each in tape.instructions]
    same(told, [("assign", 2), ("add", 2)], "the instructions of w = x; w + x, and how many numbers each reads")
    why = "after assign w is the tensor that it was, and its number stays"
    same(tape.instructions[1].reads[0], tape.instructions[0].reads[0], "the number of w after assign", why)


@check("6.1", 2)
def a_step_that_fails(hw, draw):
    nobody_records(hw)
    step = hw.step_of([["return", ["matmul", "in0", "in0"]]], {})
    raises("ValueError", "the error of a step that cannot be done", hw.record, step, hw.Tensor([[1.0, 2.0]]))
    nobody_records(hw)


@check("6.1", 2)
def one_tensor_twice(hw, draw):
    nobody_records(hw)
    x = hw.Tensor([1.0, 2.0])
    step = hw.step_of([["return", ["add", "in0", "in1"]]], {})
    raises("TapeError", "the error that is raised, record(step, x, x)", hw.record, step, x, x)


@check("6.2", 8)
def other_numbers(hw, draw):
    tape, _ = weighted(hw)
    close(tape.replay(np.array([5.0, 7.0]))[0], [15.0, 21.0], "x * w for x = [5, 7], w = 3",
          suspects={"the data of the recording are used again": [3.0, 6.0]})  # fmt: skip


@check("6.2", 3)
def a_number_in_the_program(hw, draw):
    nobody_records(hw)
    tape = hw.record(hw.step_of([["return", ["mul", "in0", 3.0]]], {}), hw.Tensor([1.0, 2.0]))
    close(
        tape.replay(np.array([5.0, 7.0]))[0], [15.0, 21.0], "x * 3.0 for x = [5, 7]: `constant` is given 3.0 as an attr"
    )


@check("6.2", 4)
def an_input_is_written_into(hw, draw):
    nobody_records(hw)
    lines = [["assign", "in0", ["add", "in0", 1.0]], ["return", "in0"]]
    tape = hw.record(hw.step_of(lines, {}), hw.Tensor([0.0, 0.0]))
    second = tape.replay_all([[np.array([1.0, 2.0])]], 2)[1]
    close(second[0], [2.0, 3.0], "x after x += 1, the second replay on the same array [1, 2]",
          suspects={"the first replay wrote into the caller's array": [3.0, 4.0],
                    "assign the wrong way round": [1.0, 2.0]})  # fmt: skip


@check("6.2", 6)
def results_of_two_replays(hw, draw):
    nobody_records(hw)
    w = hw.Tensor([1.0, 1.0])
    lines = [["assign", "w", ["add", "w", "in0"]], ["return", "w"]]
    tape = hw.record(hw.step_of(lines, {"w": w}), hw.Tensor([0.0, 0.0]))
    first, second = tape.replay_all([[np.array([1.0, 2.0])], [np.array([10.0, 10.0])]])
    close(second[0], [12.0, 13.0], "w after the second replay",
          suspects={"what is assigned does not reach w: state was copied, or assign put another array in its place":
                    [11.0, 11.0], "assign the wrong way round": [1.0, 1.0]})  # fmt: skip
    close(first[0], [2.0, 3.0], "the result of the first replay, looked at after the second",
          suspects={"the second replay wrote into the array": [12.0, 13.0]})  # fmt: skip


@check("6.2", 4)
def data_that_do_not_fit(hw, draw):
    tape, _ = weighted(hw)
    raises(
        "TapeError",
        "the error that is raised, two arrays for one input",
        tape.replay,
        np.array([5.0, 7.0]),
        np.array([5.0, 7.0]),
    )
    raises("TapeError", "the error that is raised, an array of shape (1,) for (2,)", tape.replay, np.array([5.0]))


def ends_there(hw, line):
    """Say what is wrong if a step goes on after this line of it was refused."""
    w = hw.Tensor(0.0)
    step = hw.step_of([["a", line], ["assign", "w", "in0"], ["return", "in0"]], {"w": w})
    raises("TapeError", f"the error that is raised, a step with {line}", hw.record, step, hw.Tensor(3.0))
    close(w.data, 0.0, f"w, which the step would write after {line}",
          suspects={"the error is kept, but not raised: the step went on": 3.0})  # fmt: skip


@check("6.3", 6)
def a_number_that_is_read(hw, draw):
    nobody_records(hw)
    step = hw.step_of([["return", ["mul", "in0", ["item", "in0"]]]], {})
    raises("TapeError", "the error that is raised, a step that computes x * x.item()", hw.record, step, hw.Tensor(3.0))
    close(hw.Tensor(3.0).item(), 3.0, "item() when nothing is recorded")
    ends_there(hw, ["item", "in0"])


@check("6.3", 5)
def a_tensor_made_of_data(hw, draw):
    nobody_records(hw)
    step = hw.step_of([["return", ["mul", "in0", ["data", 4.0]]]], {})
    raises(
        "TapeError", "the error that is raised, a step that computes x * Tensor(4.0)", hw.record, step, hw.Tensor(3.0)
    )
    ends_there(hw, ["data", 4.0])


@check("6.3", 4)
def a_number_that_is_returned(hw, draw):
    nobody_records(hw)
    step = hw.step_of([["return", 4.0]], {})
    raises("TapeError", "the error that is raised, a step that returns 4.0", hw.record, step, hw.Tensor(3.0))


@check("6.3", 5)
def an_error_that_is_caught(hw, draw):
    nobody_records(hw)
    step = hw.step_of([["return", ["mul", "in0", ["quiet", ["item", "in0"]]]]], {})
    raises(
        "TapeError",
        "the error that is raised, a step that catches the error of item() and goes on",
        hw.record,
        step,
        hw.Tensor(3.0),
    )


def small(hw):
    """Return the tape of a = tanh(x), b = a * a, c = x + b, where c is the result; x is 0, a 1, b 2, c 3."""
    tape = hw.Tape()
    told = (("tanh", (0,), 1), ("mul", (1, 1), 2), ("add", (0, 2), 3))
    tape.instructions = [hw.Instruction(name, reads, makes, {}) for name, reads, makes in told]
    tape.inputs, tape.results, tape.dead = [0], [3], [[], [1], [2]]
    return tape


@check("6.4", 7)
def dropped(hw, draw):
    lists = hw.dead_after(small(hw))
    same(all(isinstance(each, list | tuple) for each in lists), True, "dead_after returns a list of lists of numbers")
    got = [sorted(int(number) for number in each) for each in lists]
    same(got, [[], [1], [2]], "what is dropped after tanh, mul and add (x is 0, a 1, b 2, the result 3)")
    tape = small(hw)
    tape.results = [1]
    got = [sorted(int(number) for number in each) for each in hw.dead_after(tape)]
    same(got, [[], [], [2, 3]], "what is dropped where only a is returned", "3 is dropped, though nobody reads it")


@check("6.4", 3)
def an_idle_instruction(hw, draw):
    tape = small(hw)
    same(len(hw.without_idle(tape)), 3, "how many instructions stay where all are needed")
    tape.results = [1]
    same(len(hw.without_idle(tape)), 1, "how many stay where only a = tanh(x) is returned")


@check("6.4", 4)
def what_somebody_sees(hw, draw):
    tape = small(hw)
    told = (("random", (), 1), ("tanh", (0,), 2), ("assign", (4, 2), None), ("tanh", (0,), 3))
    tape.instructions = [hw.Instruction(name, reads, makes, {}) for name, reads, makes in told]
    tape.state, tape.dead = {4: hw.Tensor(0.0)}, []
    got = [each.name for each in hw.without_idle(tape)]
    why = {"random": "without it all later draws would be others", "assign": "it writes into a state"}
    because = "; ".join(f"{name} stays: {words}" for name, words in why.items() if name not in got)
    same(got, [name for name, *_ in told], "what stays of random; a = tanh(x); w = a (a state); b = tanh(x)", because)


@check("6.4", 6)
def two_slots(hw, draw):
    got = hw.slots(small(hw))
    same(sorted(got), [1, 2, 3], "which numbers have a slot")
    same(got[1] != got[2], True, "a and b = a * a have different slots", "a is read while b is made")
    same(got[2] != got[3], True, "b and c = x + b have different slots", "b is read while c is made")
    same(len(set(got.values())), 2, "how many slots there are")
