"""Homework 6b: a tape.

A training step does the same operations on other numbers, again and again. A tape notes them once, while Python runs
the step, and does them again without Python's step: no graph, no objects, only a list of instructions on numbered
values. The hard part is to know what may change between two replays, and to refuse what a tape could not follow.

Write only between the marks: what is outside of them is not handed in. All numbers are float64 arrays of NumPy. The
tensors, and what a tape is, stand at the end of the file: read them first.
"""

from itertools import zip_longest

import numpy as np

### BEGIN YOURS
### END YOURS


class TapeError(Exception):
    """A step that cannot be recorded, or inputs that do not fit a tape."""


class Recorder:
    """Is told what happens while a step runs, and notes it on a tape.

    Attributes:
        tape: the tape that grows.
        numbers: a dict for you: which number a tensor has.
        problem: the TapeError with which something was refused; None as long as nothing was.
    """

    def __init__(self):
        self.tape, self.numbers, self.problem = Tape(), {}, None

    # ---- 6.1 Record

    def number_of(self, tensor):
        """Return the number that a tensor has on the tape.

        One that has no number yet was there before the step, such as a parameter. It gets the next number,
        `tape.new_number()`, and is noted in `tape.state`, a dict from the number to the tensor itself: what its value
        will be at a replay, nobody knows yet.
        """
        ### BEGIN SOLUTION 6.1a
        if tensor not in self.numbers:
            self.numbers[tensor] = self.tape.new_number()
            self.tape.state[self.numbers[tensor]] = tensor
        return self.numbers[tensor]
        ### END SOLUTION 6.1a

    def op(self, name, inputs, output, attrs):
        """Note an operation: append an Instruction to `tape.instructions`.

        name is a name in OPS, or "assign"; inputs are the tensors that it read, output the tensor that it made, None
        for "assign"; attrs is a dict of what else it was given. The output is new: it gets a new number, always.
        """
        ### BEGIN SOLUTION 6.1b
        reads = tuple(self.number_of(tensor) for tensor in inputs)
        makes = None
        if output is not None:
            makes = self.numbers[output] = self.tape.new_number()
        self.tape.instructions.append(Instruction(name, reads, makes, attrs))
        ### END SOLUTION 6.1b

    # ---- 6.3 Refuse

    def read(self, tensor):
        """Somebody asks for the numbers of a tensor, with item(), float(), bool() or numpy(): refuse it.

        What Python makes of them, a replay would not do again. Keep the TapeError in `self.problem`, and raise it.
        """
        ### BEGIN SOLUTION 6.3a
        self.problem = self.problem or TapeError("the step reads a tensor; return it, and read it after the step")
        raise self.problem
        ### END SOLUTION 6.3a

    def made(self, tensor):
        """Somebody makes a tensor of data, `Tensor(array)`, inside the step: refuse it.

        A replay would see the same data again. Keep the TapeError in `self.problem`, and raise it.
        """
        ### BEGIN SOLUTION 6.3b
        self.problem = self.problem or TapeError("the step makes a tensor of data; give it as an input")
        raise self.problem
        ### END SOLUTION 6.3b

    def finish(self, returned):
        """The step has returned: note the numbers of its results in `tape.results`, a list.

        returned is what the step returned: a tensor, or a list or tuple of tensors. For anything else raise TapeError.
        Raise `self.problem`, too, if something was refused and the step went on as if nothing had happened.
        """
        ### BEGIN SOLUTION 6.3c
        if self.problem is not None:
            raise self.problem
        returned = returned if isinstance(returned, (list, tuple)) else [returned]
        for each in returned:
            if not isinstance(each, Tensor):
                raise TapeError(f"the step returns {type(each).__name__}; it returns tensors")
            self.tape.results.append(self.number_of(each))
        ### END SOLUTION 6.3c


def record(step, *inputs):
    """Run a step once, with all that it does, and return its tape.

    inputs are tensors; step(*inputs) is the step. Note in `tape.inputs`, a list, the number of each input, and in
    `tape.shapes` its shape; inputs are not state. While the step runs `RECORDING` holds the recorder, and nothing after
    it: also if the step raises an error, which is passed on. One tensor given twice is a TapeError before the step runs:
    a replay would not know which of two arrays is meant. At last call `finish` of the recorder, which is of 6.3.
    """
    ### BEGIN SOLUTION 6.1c
    if len(set(inputs)) < len(inputs):
        raise TapeError("one tensor is given twice; give a copy of it")
    recorder = Recorder()
    tape = recorder.tape
    for tensor in inputs:
        recorder.numbers[tensor] = tape.new_number()
        tape.inputs.append(recorder.numbers[tensor])
        tape.shapes.append(tensor.data.shape)
    RECORDING.append(recorder)
    try:
        returned = step(*inputs)
    finally:
        RECORDING.pop()
    recorder.finish(returned)
    return tape
    ### END SOLUTION 6.1c


# ---- 6.2 Replay


def begin(tape, arrays):
    """Return a dict from number to array, with a value for every input and for all of `tape.state`.

    arrays are new data, one array for each input; another count or another shape is a TapeError. Nothing that the
    replay does may change them. State is what its tensors hold now, and what "assign" writes shall reach them.
    """
    ### BEGIN SOLUTION 6.2a
    if len(arrays) != len(tape.inputs):
        raise TapeError(f"the step has {len(tape.inputs)} inputs, and got {len(arrays)}")
    values = {}
    for number, shape, array in zip(tape.inputs, tape.shapes, arrays):
        if array.shape != shape:
            raise TapeError(f"an input was of shape {shape}, and is now of shape {array.shape}")
        values[number] = array.copy()
    for number, tensor in tape.state.items():
        values[number] = tensor.data
    return values
    ### END SOLUTION 6.2a


def perform(instruction, values):
    """Do one instruction on the values, a dict from number to array.

    OPS[name](*arrays, **attrs) returns a new array, the value of number `makes`. "assign" has two numbers to read: the
    numbers of the second are written into the array of the first, in place.
    """
    ### BEGIN SOLUTION 6.2b
    arrays = [values[number] for number in instruction.reads]
    if instruction.name == "assign":
        arrays[0][...] = arrays[1]
    else:
        values[instruction.makes] = OPS[instruction.name](*arrays, **instruction.attrs)
    ### END SOLUTION 6.2b


def end(tape, values):
    """Return the results, a list of arrays that belong to the caller: nothing that happens later changes them."""
    ### BEGIN SOLUTION 6.2c
    return [values[number].copy() for number in tape.results]
    ### END SOLUTION 6.2c


# ---- 6.4 Drop


def dead_after(tape):
    """Return for each instruction a list of the numbers that can be dropped after it: nobody will need them again.

    A value is dropped as early as possible, once, and also if nobody ever reads it. Inputs, state and results are never
    dropped.
    """
    ### BEGIN SOLUTION 6.4a
    needed = {*tape.inputs, *tape.state, *tape.results}
    dead = []
    for instruction in reversed(tape.instructions):
        touched = {*instruction.reads, instruction.makes} - {None}
        dead.append(sorted(touched - needed))
        needed |= touched
    return dead[::-1]
    ### END SOLUTION 6.4a


def without_idle(tape):
    """Return a list of the instructions that have to stay, in their order: the others change nothing that anybody sees.

    Somebody sees the results, state, and which random numbers come next. An assign to a state always stays, also where
    another one follows before anybody reads it.
    """
    ### BEGIN SOLUTION 6.4b
    needed, kept = {*tape.results, *tape.state}, []
    for instruction in reversed(tape.instructions):
        written = instruction.reads[0] if instruction.name == "assign" else instruction.makes
        if instruction.name == "random" or written in needed:
            needed |= set(instruction.reads)
            kept.append(instruction)
    return kept[::-1]
    ### END SOLUTION 6.4b


def slots(tape):
    """Return a dict from the number of each value that an instruction makes to a slot: 0, 1, 2, ...

    Slots are places in memory of a program that replays the tape. Two values may have the same one if the first can be
    dropped before the other is made: `tape.dead` says after which instruction. While it works, an instruction needs a
    place for what it makes beside all that it reads. Use as few slots as can be.
    """
    ### BEGIN SOLUTION 6.4c
    found, free, count = {}, [], 0
    for instruction, dead in zip(tape.instructions, tape.dead):
        if instruction.makes is not None:
            if not free:
                free.append(count)
                count += 1
            found[instruction.makes] = free.pop()
        free += [found[number] for number in dead]
    return found
    ### END SOLUTION 6.4c


# ---- What a tape is, and what runs it: nothing to write from here on, but to read

#: The recorder of the step that runs; empty where none is recorded.
RECORDING = []


class Tape:
    """A recorded step: instructions on numbered values.

    Attributes:
        inputs, shapes: the numbers of the inputs, and their shapes.
        state: by number, the tensors that the step found and did not make.
        instructions: what it did, in order.
        results: the numbers of what it returned.
        dead: for each instruction, the numbers that are dropped after it; empty until `drop` is called.
        peak: how many values a replay held at most.
    """

    def __init__(self):
        self.inputs, self.shapes, self.state, self.instructions, self.results, self.dead = [], [], {}, [], [], []
        self.count = self.peak = 0

    def new_number(self):
        self.count += 1
        return self.count - 1

    def replay(self, *arrays):
        """Do the step again on new data; return a list of what it returns, as arrays."""
        values = begin(self, arrays)
        self.peak = len(values)
        for instruction, dead in zip_longest(self.instructions, self.dead, fillvalue=()):
            perform(instruction, values)
            self.peak = max(self.peak, len(values))
            for number in dead:
                del values[number]
        return end(self, values)

    def replay_all(self, rounds, times=1):
        """Replay on each of several lists of arrays, so many times; return a list of what comes of each replay."""
        return [self.replay(*arrays) for arrays in rounds for _ in range(times)]

    def drop(self):
        """Forget what nobody needs: idle instructions once and for all, and values as soon as a replay can."""
        self.instructions = without_idle(self)
        self.dead = dead_after(self)

    def listing(self):
        """Return the tape as text, an instruction per line."""
        return "\n".join(map(str, self.instructions))


class Instruction:
    """One operation: its name, the numbers of what it reads, that of what it makes (None for "assign"), and attrs."""

    def __init__(self, name, reads, makes, attrs):
        self.name, self.reads, self.makes, self.attrs = name, tuple(reads), makes, attrs

    def __str__(self):
        made = "" if self.makes is None else f"%{self.makes} = "
        told = [f"%{number}" for number in self.reads] + [f"{name}={value}" for name, value in self.attrs.items()]
        return f"{made}{self.name}({', '.join(told)})"


def makes_array(operation):
    return lambda *arrays, **attrs: np.array(operation(*arrays, **attrs), dtype=np.float64)


#: What each operation does with arrays. All of them return new arrays.
OPS = {
    "constant": lambda value: value,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "matmul": lambda a, b: a @ b,
    "transpose": lambda a: a.T,
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0.0),
    "step": lambda a: a > 0,
    "sum": lambda a: a.sum(),
    "random": lambda source, shape: source.random(shape),
}
OPS = {name: makes_array(operation) for name, operation in OPS.items()}


def apply(name, *inputs, **attrs):
    """Do an operation on tensors, and tell who records."""
    inputs = [each if isinstance(each, Tensor) else apply("constant", value=each) for each in inputs]
    output = Tensor._of(OPS[name](*(each.data for each in inputs), **attrs))
    if RECORDING:
        RECORDING[-1].op(name, inputs, output, attrs)
    return output


def assign(target, value):
    """Write the numbers of a tensor into another one, in place."""
    target.data[...] = value.data
    if RECORDING:
        RECORDING[-1].op("assign", [target, value], None, {})


def random(source, shape):
    """Return a tensor of numbers between 0 and 1, drawn from a generator of NumPy."""
    return apply("random", source=source, shape=shape)


class Tensor:
    """An array whose operations can be recorded."""

    def __init__(self, data):
        self.data = np.array(data, dtype=np.float64)
        if RECORDING:
            RECORDING[-1].made(self)

    @classmethod
    def _of(cls, data):
        tensor = object.__new__(cls)
        tensor.data = data
        return tensor

    def __add__(self, other):
        return apply("add", self, other)

    def __sub__(self, other):
        return apply("sub", self, other)

    def __mul__(self, other):
        return apply("mul", self, other)

    def __matmul__(self, other):
        return apply("matmul", self, other)

    @property
    def T(self):
        return apply("transpose", self)

    def tanh(self):
        return apply("tanh", self)

    def relu(self):
        return apply("relu", self)

    def step(self):
        """Return 1 where the number is more than 0, else 0."""
        return apply("step", self)

    def sum(self):
        return apply("sum", self)

    def numpy(self):
        if RECORDING:
            RECORDING[-1].read(self)
        return self.data.copy()

    def item(self):
        return self.numpy().item()

    __float__ = item

    def __bool__(self):
        return bool(self.numpy())


# ---- Steps to try


def regression(w, lr):
    """Return a training step: it changes w (I, O) for inputs x (B, I), y (B, O), and returns the loss before."""

    def step(x, y):
        error = x @ w - y
        loss = (error * error).sum()
        assign(w, w - lr * (x.T @ error))
        return loss

    return step


def step_of(lines, tensors, source=None):
    """Return a step that does what lines tell; the checks make their steps in this way.

    A line is [name, expression]: the name gets the value. ["assign", name, expression] writes into a tensor, and
    ["return", expression, ...] is the last. An expression is a name, a number, or [op, expression, ...], where op is one
    of OPS, such as ["add", "a", 2.0], or one of LOOKS; ["random", rows, columns] draws. tensors are those that the step
    finds, by name; its inputs are called "in0", "in1", ...
    """

    def value(e, known):
        if isinstance(e, str):
            return known[e]
        if not isinstance(e, (list, tuple)):
            return e
        if e[0] == "random":
            return random(source, tuple(e[1:]))
        if e[0] == "quiet":
            try:
                return value(e[1], known)
            except TapeError:
                return 1.0
        operands = [value(each, known) for each in e[1:]]
        return LOOKS[e[0]](*operands) if e[0] in LOOKS else apply(e[0], *operands)

    def step(*inputs):
        known = {**tensors, **{f"in{place}": tensor for place, tensor in enumerate(inputs)}}
        for line in lines:
            if line[0] == "return":
                found = [value(each, known) for each in line[1:]]
                return found[0] if len(found) == 1 else found
            if line[0] == "assign":
                assign(known[line[1]], value(line[2], known))
            else:
                known[line[0]] = value(line[1], known)

    return step


#: What a tape cannot follow: ["item", e] is e.item(), ["if", e] decides by e, ["data", e] is Tensor(e).
LOOKS = {
    "item": lambda x: x.item(),
    "float": float,
    "numpy": lambda x: x.numpy().sum(),
    "if": lambda x: 1.0 if x else 2.0,
    "data": Tensor,
}
