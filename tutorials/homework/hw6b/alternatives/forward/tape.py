"""Another right solution: numbers by id, loops that go forward, and no sets of what is needed."""

import numpy as np
from tape import OPS, RECORDING, Instruction, TapeError, Tensor

### BEGIN YOURS
import math


def uses(instruction):
    """Return the numbers that an instruction has to do with."""
    return list(instruction.reads) + ([] if instruction.makes is None else [instruction.makes])


def same_shape(array, shape):
    return (
        array.ndim == len(shape) and all(a == b for a, b in zip(array.shape, shape)) and array.size == math.prod(shape)
    )


### END YOURS


class Recorder:
    def number_of(self, tensor):
        ### BEGIN SOLUTION 6.1a
        number = self.numbers.get(id(tensor), -1)
        if number < 0:
            number = self.tape.new_number()
            self.numbers[id(tensor)] = number
            self.tape.state[number] = tensor
        return number
        ### END SOLUTION 6.1a

    def op(self, name, inputs, output, attrs):
        ### BEGIN SOLUTION 6.1b
        reads = []
        for each in inputs:
            reads.append(self.number_of(each))
        if output is None:
            self.tape.instructions.append(Instruction(name, reads, None, attrs))
            return
        self.numbers[id(output)] = number = self.tape.new_number()
        self.tape.instructions.append(Instruction(name, reads, number, dict(attrs)))
        ### END SOLUTION 6.1b

    def read(self, tensor):
        ### BEGIN SOLUTION 6.3a
        self.problem = TapeError(f"numbers of a tensor of shape {tensor.data.shape} are read")
        raise self.problem
        ### END SOLUTION 6.3a

    def made(self, tensor):
        ### BEGIN SOLUTION 6.3b
        error = TapeError(f"a tensor of shape {tensor.data.shape} is made of data")
        self.problem = error
        raise error
        ### END SOLUTION 6.3b

    def finish(self, returned):
        ### BEGIN SOLUTION 6.3c
        if isinstance(returned, Tensor):
            returned = (returned,)
        if self.problem or not isinstance(returned, (tuple, list)):
            raise self.problem or TapeError("the result is no tensor")
        if not all(isinstance(each, Tensor) for each in returned):
            raise TapeError("not all results are tensors")
        self.tape.results = [self.number_of(each) for each in returned]
        ### END SOLUTION 6.3c


def record(step, *inputs):
    ### BEGIN SOLUTION 6.1c
    for place, tensor in enumerate(inputs):
        for other in inputs[:place]:
            if other is tensor:
                raise TapeError("twice the same tensor")
    recorder = Recorder()
    for tensor in inputs:
        number = recorder.number_of(tensor)
        del recorder.tape.state[number]
        recorder.tape.inputs += [number]
        recorder.tape.shapes += [tensor.data.shape]
    RECORDING.append(recorder)
    try:
        result = step(*inputs)
    except BaseException:
        RECORDING.remove(recorder)
        raise
    RECORDING.remove(recorder)
    recorder.finish(result)
    return recorder.tape
    ### END SOLUTION 6.1c


def begin(tape, arrays):
    ### BEGIN SOLUTION 6.2a
    arrays = list(arrays)
    if len(tape.inputs) != len(arrays):
        raise TapeError("wrong number of inputs")
    if not all(same_shape(array, shape) for array, shape in zip(arrays, tape.shapes)):
        raise TapeError("wrong shape")
    values = {number: np.array(array, copy=True) for number, array in zip(tape.inputs, arrays)}
    values.update((number, tensor.data) for number, tensor in tape.state.items())
    return values
    ### END SOLUTION 6.2a


def perform(instruction, values):
    ### BEGIN SOLUTION 6.2b
    if instruction.name == "assign":
        target, source = instruction.reads
        np.copyto(values[target], values[source])
        return
    operation = OPS[instruction.name]
    values[instruction.makes] = operation(*(values[number] for number in instruction.reads), **instruction.attrs)
    ### END SOLUTION 6.2b


def end(tape, values):
    ### BEGIN SOLUTION 6.2c
    results = []
    for number in tape.results:
        results.append(np.array(values[number]))
    return results
    ### END SOLUTION 6.2c


def dead_after(tape):
    ### BEGIN SOLUTION 6.4a
    last = {}
    for place, instruction in enumerate(tape.instructions):
        for number in uses(instruction):
            last[number] = place
    dead = [[] for _ in tape.instructions]
    for number, place in last.items():
        if number not in tape.inputs and number not in tape.state and number not in tape.results:
            dead[place].append(number)
    return dead
    ### END SOLUTION 6.4a


def without_idle(tape):
    ### BEGIN SOLUTION 6.4b
    # Once more, until nothing goes: whose value nobody reads later, and nobody else sees.
    kept = list(tape.instructions)
    while True:
        for place, each in enumerate(kept):
            written = each.reads[0] if each.name == "assign" else each.makes
            read_later = any(written in other.reads for other in kept[place + 1 :])
            if each.name != "random" and not read_later and written not in tape.results and written not in tape.state:
                del kept[place]
                break
        else:
            return kept
    ### END SOLUTION 6.4b


def slots(tape):
    ### BEGIN SOLUTION 6.4c
    held, found = [], {}
    for instruction, dead in zip(tape.instructions, tape.dead):
        if instruction.makes is not None:
            taken = [found[number] for number in held]
            found[instruction.makes] = min(set(range(len(taken) + 1)) - set(taken))
            held.append(instruction.makes)
        held = [number for number in held if number not in dead]
    return found
    ### END SOLUTION 6.4c
