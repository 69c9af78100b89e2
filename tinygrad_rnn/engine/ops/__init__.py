"""The table of primitive ops, one class each: a forward rule on arrays beside a vjp rule on tensors."""

# The engine says `ops.Tanh`. Every public class written in these files is an op: a list of them would say it again.
from tinygrad_rnn.engine.ops.elementwise import *  # noqa: F403
from tinygrad_rnn.engine.ops.indexing import *  # noqa: F403
from tinygrad_rnn.engine.ops.linear import *  # noqa: F403
from tinygrad_rnn.engine.ops.movement import *  # noqa: F403
from tinygrad_rnn.engine.ops.reduce import *  # noqa: F403
