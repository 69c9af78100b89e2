"""Ops that move elements without computing: their vjp moves the gradient the other way.

reshape, permute, broadcast_to and getitem return views where memory allows.
"""

from __future__ import annotations

from tinygrad_rnn.engine.graph import Op, Slice


class Reshape(Op):
    is_view = True
    hint = "both shapes must have the same number of elements"

    @staticmethod
    def forward(backend, x, *, shape):
        return backend.reshape(x, shape)

    @staticmethod
    def vjp(node, g):
        return g.reshape(node.input_shape(0))


class Permute(Op):
    is_view = True
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

    is_view = True
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

    is_view = True

    @staticmethod
    def forward(backend, x, *, index):
        return backend.getitem(x, index)

    @staticmethod
    def vjp(node, g):
        return Slice(node.attrs["index"], g)


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
        shape = parts[0].shape
        if any(part.shape != shape for part in parts):
            raise ValueError("shapes differ")
        kept = (*shape[:axis], 1, *shape[axis:])
        return backend.concat([backend.reshape(part, kept) for part in parts], axis)

    @staticmethod
    def vjp(node, g):
        before = (slice(None),) * node.attrs["axis"]
        return tuple(g[(*before, i)] if node.needs_grad(i) else None for i in range(len(node.parents)))


class Copy(Op):
    """A contiguous copy."""

    @staticmethod
    def forward(backend, x):
        return backend.copy(x)

    @staticmethod
    def vjp(node, g):
        return g
