"""Ops that move elements without computing: their vjp moves the gradient the other way.

reshape, permute, broadcast_to and getitem return views where memory allows.
"""

from __future__ import annotations

from tinygrad_rnn import backends
from tinygrad_rnn.engine.graph import Op, Slice


class Reshape(Op):
    may_share = True
    hint = "both shapes must have the same number of elements"

    @staticmethod
    def forward(backend, x, *, shape):
        return backend.reshape(x, shape)

    @staticmethod
    def vjp(node, g):
        return g.reshape(node.input_shape(0))


class Permute(Op):
    may_share = True
    name = "transpose"

    @staticmethod
    def forward(backend, x, *, axes):
        return backend.permute(x, axes)

    @staticmethod
    def vjp(node, g):
        axes = node.attrs["axes"]
        return g.permute(tuple(axes.index(i) for i in range(len(axes))))


class BroadcastTo(Op):
    """The engine sums the message over the repeated axes."""

    may_share = True
    name = "broadcast_to"
    hint = "an axis can be repeated when its size is 1, or added on the left"

    @staticmethod
    def forward(backend, x, *, shape):
        return backend.broadcast_to(x, shape)

    @staticmethod
    def vjp(node, g):
        return g


class GetItem(Op):
    """Basic indexing. The message is the slice alone; reading x[t] T times costs O(T), not O(T^2)."""

    may_share = True

    @staticmethod
    def forward(backend, x, *, index):
        return backend.getitem(x, index)

    @staticmethod
    def vjp(node, g):
        return Slice(node.attrs["index"], g)


class Split(Op):
    """Consecutive pieces along an axis, as the outputs of one node."""

    may_share = True

    @staticmethod
    def forward(backend, x, *, sizes, axis):
        before, start, pieces = (slice(None),) * axis, 0, []
        for size in sizes:
            pieces.append(backend.getitem(x, (*before, slice(start, start + size))))
            start += size
        return tuple(pieces)

    @staticmethod
    def vjp(node, *grads):
        first, *others = _with_zeros(node, grads)
        return first._concat(others, node.attrs["axis"])


class Unbind(Op):
    """The slices along an axis, without that axis, as the outputs of one node: a sequence taken apart into steps."""

    may_share = True

    @staticmethod
    def forward(backend, x, *, axis):
        before = (slice(None),) * axis
        return tuple([backend.getitem(x, (*before, i)) for i in range(x.shape[axis])])

    @staticmethod
    def vjp(node, *grads):
        first, *others = _with_zeros(node, grads)
        return first._stack(others, node.attrs["axis"])


def _with_zeros(node, grads):
    """Return the gradients of a node's outputs with zeros for those that were not used."""
    some = next(g for g in grads if g is not None)
    return [some._zeros(node.outputs[i].shape) if g is None else g for i, g in enumerate(grads)]


class PutSlices(Op):
    """Zeros of a shape with every input added at its own basic index: the transpose of reading slices."""

    name = "put_slices"

    @staticmethod
    def forward(backend, *parts, shape, indices):
        return backend.put_slices(shape, indices, parts)

    @staticmethod
    def vjp(node, g):
        return tuple(g[index] if node.needs_grad(i) else None for i, index in enumerate(node.attrs["indices"]))


class Concat(Op):
    hint = "all sizes but the one along the joined axis must be equal"

    @staticmethod
    def forward(backend, *parts, axis):
        return backend.concat(parts, axis)

    @staticmethod
    def vjp(node, g):
        axis, start, messages = node.attrs["axis"], 0, []
        for i in range(len(node.parents)):
            stop = start + node.input_shape(i)[axis]
            messages.append(g[(slice(None),) * axis + (slice(start, stop),)] if node.needs_grad(i) else None)
            start = stop
        return messages


class Stack(Op):
    hint = "all shapes must be equal"

    @staticmethod
    def forward(backend, *parts, axis):
        """Return the parts side by side along a new axis; ValueError unless they have one shape."""
        shape = parts[0].shape
        if any(part.shape != shape for part in parts):
            raise ValueError("shapes differ")
        kept = (*shape[:axis], 1, *shape[axis:])
        return backend.concat([backend.reshape(part, kept) for part in parts], axis)

    @staticmethod
    def vjp(node, g):
        return g.unbind(node.attrs["axis"])


class Copy(Op):
    """A contiguous copy."""

    @staticmethod
    def forward(backend, x):
        return backend.copy(x)

    @staticmethod
    def vjp(node, g):
        return g


class To(Op):
    """The same elements on another device: the one op whose output is not where its input is (see `apply`)."""

    @staticmethod
    def forward(backend, x, *, device):
        return backends.get(device).from_numpy(backend.to_numpy(x))

    @staticmethod
    def vjp(node, g):
        return g.to(node.input_device(0))
