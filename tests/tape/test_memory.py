"""What a tape keeps alive: its instructions and the numbers of the program, and none of the arrays of the step."""

import gc
import tracemalloc

import numpy as np

import tinygrad_rnn as tg
from tests.bench.tape import LONG, computed, training_step
from tinygrad_rnn import tape


def test_a_tape_of_a_hundred_steps_is_smaller_than_what_it_computes():
    step, inputs = training_step("lstm", LONG)
    tape.record(step, *inputs).replay(*inputs)  # what is made once is made now
    gc.collect()
    tracemalloc.start()
    recorded = tape.record(step, *inputs)
    recorded.replay(*inputs)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(recorded) > 3000
    assert taken < computed(recorded) / 3


def test_a_replay_lets_go_of_what_nobody_reads_again():
    def step(x):
        for _ in range(50):
            x = x * 1.5
        return x.sum()

    x = tg.tensor(np.ones(1 << 18, "float32"))  # 1 MB
    recorded = tape.record(step, x)
    recorded.replay(x)
    tracemalloc.start()
    recorded.replay(x)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 * x.numpy().nbytes
