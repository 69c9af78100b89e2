"""The checks that a student sees: small steps, with numbers computed by hand."""

import numpy as np

from tinygrad_rnn.homework import check, close, raises, same


def weighted(hw):
    """Return the tape of x * w for x = [1, 2] and w = 3, and w."""
    w = hw.Tensor(3.0)
    return hw.record(hw.step_of([["return", ["mul", "in0", "w"]]], {"w": w}), hw.Tensor([1.0, 2.0])), w


@check("6.1", 10)
def one_instruction(hw, draw):
    tape, w = weighted(hw)
    same(len(tape.instructions), 1, "how many instructions x * w has")
    same(len(tape.inputs), 1, "how many inputs it has")
    same(len(tape.state), 1, "how many tensors of state it has: w was there before, x is an input")
    number = next(iter(tape.state))
    same(tape.state[number] == w, True, "what is in tape.state is w itself", "a replay reads what w holds at that time")
    only = tape.instructions[0]
    same(tuple(only.reads), (tape.inputs[0], number), "the numbers that x * w reads")
    same(list(tape.results), [only.makes], "the numbers of the results")


@check("6.1", 5)
def a_parameter_that_changes(hw, draw):
    tape, w = weighted(hw)
    hw.assign(w, hw.Tensor(10.0))
    close(tape.replay(np.array([1.0, 2.0]))[0], [10.0, 20.0], "x * w after w went from 3 to 10",
          suspects={"the number that w had when it was recorded is frozen": [3.0, 6.0]})  # fmt: skip


@check("6.1", 5)
def a_training_step(hw, draw):
    w, lr = hw.Tensor([[1.0]]), hw.Tensor(0.5)
    x = hw.Tensor([[1.0]])
    y = hw.Tensor([[0.0]])
    tape = hw.record(hw.regression(w, lr), x, y)
    close(w.data, [[0.5]], "w after the step that was recorded")
    close(tape.replay(np.array([[1.0]]), np.array([[1.0]]))[0], 0.25, "the loss of the replay, with y = 1")
    close(w.data, [[0.75]], "w after the replay", suspects={"what is assigned does not reach w": [[0.5]]})


@check("6.1", 5)
def fresh_random_numbers(hw, draw):
    source = hw.np.random.default_rng(0)
    tape = hw.record(hw.step_of([["return", ["mul", "in0", ["random", 1, 1]]]], {}, source), hw.Tensor([[1.0]]))
    numbers = np.random.default_rng(0).random(2)
    close(tape.replay(np.array([[1.0]]))[0], [[numbers[1]]], "the second number of a generator",
          suspects={"the random numbers of the recording are used again": [[numbers[0]]]})  # fmt: skip


@check("6.2", 10)
def other_numbers(hw, draw):
    tape, _ = weighted(hw)
    close(tape.replay(np.array([5.0, 7.0]))[0], [15.0, 21.0], "x * w for x = [5, 7], w = 3",
          suspects={"the data of the recording are used again": [3.0, 6.0]})  # fmt: skip


@check("6.2", 8)
def results_of_two_replays(hw, draw):
    w = hw.Tensor([1.0, 1.0])
    lines = [["assign", "w", ["add", "w", "in0"]], ["return", "w"]]
    tape = hw.record(hw.step_of(lines, {"w": w}), hw.Tensor([0.0, 0.0]))
    first, second = tape.replay_all([[np.array([1.0, 2.0])], [np.array([10.0, 10.0])]])
    close(second[0], [12.0, 13.0], "w after the second replay")
    close(first[0], [2.0, 3.0], "the result of the first replay, looked at after the second",
          suspects={"the second replay wrote into the array": [12.0, 13.0]})  # fmt: skip


@check("6.2", 7)
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


@check("6.3", 8)
def a_number_that_is_read(hw, draw):
    step = hw.step_of([["return", ["mul", "in0", ["item", "in0"]]]], {})
    raises("TapeError", "the error that is raised, a step that computes x * x.item()", hw.record, step, hw.Tensor(3.0))
    close(hw.Tensor(3.0).item(), 3.0, "item() when nothing is recorded")


@check("6.3", 6)
def a_tensor_made_of_data(hw, draw):
    step = hw.step_of([["return", ["mul", "in0", ["data", 4.0]]]], {})
    raises(
        "TapeError", "the error that is raised, a step that computes x * Tensor(4.0)", hw.record, step, hw.Tensor(3.0)
    )


@check("6.3", 6)
def an_error_that_is_caught(hw, draw):
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


@check("6.4", 8)
def dropped(hw, draw):
    lists = hw.dead_after(small(hw))
    same(all(isinstance(each, list | tuple) for each in lists), True, "dead_after returns a list of lists of numbers")
    got = [sorted(int(number) for number in each) for each in lists]
    same(got, [[], [1], [2]], "what is dropped after tanh, mul and add (x is 0, a 1, b 2, the result 3)")
    tape = small(hw)
    tape.results = [1]
    got = [sorted(int(number) for number in each) for each in hw.dead_after(tape)]
    same(got, [[], [], [2, 3]], "what is dropped where only a is returned", "3 is dropped, though nobody reads it")


@check("6.4", 6)
def an_idle_instruction(hw, draw):
    tape = small(hw)
    same(len(hw.without_idle(tape)), 3, "how many instructions stay where all are needed")
    tape.results = [1]
    same(len(hw.without_idle(tape)), 1, "how many stay where only a = tanh(x) is returned")


@check("6.4", 6)
def two_slots(hw, draw):
    got = hw.slots(small(hw))
    same(sorted(got), [1, 2, 3], "which numbers have a slot")
    same(got[1] != got[2], True, "a and b = a * a have different slots", "a is read while b is made")
    same(got[2] != got[3], True, "b and c = x + b have different slots", "b is read while c is made")
    same(len(set(got.values())), 2, "how many slots there are")
