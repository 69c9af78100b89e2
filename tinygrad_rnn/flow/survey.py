"""A look over a graph before it is measured, listed or drawn: its nodes in order, their names, steps and roles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tinygrad_rnn.engine import ops
from tinygrad_rnn.engine.graph import Edge, Node, Scope, step_of
from tinygrad_rnn.errors import GraphError

#: Ops that move elements and compute nothing: what leaves a parameter through them is still that parameter.
MOVEMENT = frozenset(
    (ops.BroadcastTo, ops.Cast, ops.Concat, ops.Copy, ops.GetItem, ops.Permute, ops.PutSlices, ops.Reshape, ops.Split,
     ops.Stack, ops.Unbind)
)  # fmt: skip

#: What the states of a cell are called.
STATE_KINDS = ("h", "c")


class Survey:
    """The graph that leads to one node.

    Attributes:
        nodes: all nodes but Python numbers, each after its parents, in an order that is the same in every run.
        position: where in that order a node is.
        children: the nodes that read a node, once per input.
        step: the time step of a node, or None; data read in one step only belongs to that step.
        paths: what a node is called, with where it lies: "t3/forget_gate/f"; no two alike.
        names: the same as an identifier: "t3_forget_gate_f"; no two alike.
        sources: for parameters and what only moves their elements: the parameters behind it.
        batch_free: nodes computed from parameters alone, such as b_ih + b_hh: like these they have no batch axis.
        anchors: nodes with a named output, and the root: what is left when the ops in between are folded away.
    """

    def __init__(self, root: Node, purpose: str = "draw") -> None:
        self.root = root
        self.nodes = _in_order(root, purpose)
        self.position = {node: i for i, node in enumerate(self.nodes)}
        self.children: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for parent, _ in edges_of(node):
                self.children[parent].append(node)
        self._place: dict[Node, Scope] = {node: self._placed(node) for node in self.nodes}
        self.step = {node: step_of(self._place[node]) for node in self.nodes}
        self.steps = tuple(sorted({step for step in self.step.values() if step is not None}))
        self.sources: dict[Node, tuple[Node, ...]] = {}
        for node in self.nodes:
            self._find_sources(node)
        self.batch_free = self._without_batch()
        self.leaf_names = _leaf_names(self.nodes)
        self.paths: dict[Node, str] = {}
        self.names: dict[Node, str] = {}
        self._name_all()
        self.anchors = {n for n in self.nodes if n is root or (n.op is not None and label_of(n) is not None)}

    def _placed(self, node: Node) -> Scope:
        """A leaf has no scope of its own; one that holds data lies where the only step that reads it does."""
        if node.op is not None or node.requires_grad:
            return node.scope
        places = {_until_step(child.scope) for child in self.children[node]}
        return places.pop() if len(places) == 1 else node.scope

    def _find_sources(self, node: Node) -> None:
        if not node.requires_grad:
            return
        if node.op is None:
            self.sources[node] = (node,)
        elif node.op in MOVEMENT:
            parents = [parent for parent, _ in edges_of(node) if parent.requires_grad]
            if all(parent in self.sources for parent in parents):
                self.sources[node] = tuple(dict.fromkeys(s for parent in parents for s in self.sources[parent]))

    def _without_batch(self) -> set[Node]:
        found: set[Node] = set()
        for node in self.nodes:
            if node.requires_grad and all(parent in found for parent, _ in edges_of(node)):
                found.add(node)
        return found if self.root not in found else set(self.sources)  # no data at all: nothing to tell them apart by

    def _name_all(self) -> None:
        shared = _common_prefix([before_step(self._place[n]) for n in self.nodes if self.step[n] is not None])
        counts: dict[str, int] = {}
        taken: set[str] = set()
        for node in self.nodes:
            place, step = self._place[node], self.step[node]
            parts = _words(place)
            if step is not None:
                before = before_step(place)
                parts = [f"t{step}", *_words(before[len(shared) :]), *_words(place[len(before) + 1 :])]
            path = "/".join([*parts, self._last_name(node)])
            name = re.sub(r"\W+", "_", path, flags=re.ASCII)
            count = counts.get(name, 0) + 1
            while name + (suffix := f"_{count}" if count > 1 else "") in taken:
                count += 1
            counts[name] = count
            taken.add(name + suffix)
            self.paths[node], self.names[node] = path + suffix, name + suffix

    def _last_name(self, node: Node) -> str:
        if node in self.leaf_names:
            return self.leaf_names[node]
        if node.op is None:
            return "leaf" if node.requires_grad else "data"
        return label_of(node) or ("loss" if node is self.root else node.op.name)

    def direct_anchors(self, node: Node) -> list[Node]:
        """Return the anchors and data that reach a node without passing another anchor, in the order of the graph."""
        found: set[Node] = set()
        seen = {node}
        waiting = [node]
        while waiting:
            reader = waiting.pop()
            through = stacked_part(reader)
            for parent, _ in [through] if through else edges_of(reader):
                if parent in seen:
                    continue
                seen.add(parent)
                if parent in self.anchors or not parent.requires_grad:
                    found.add(parent)
                elif parent.op is not None:
                    waiting.append(parent)
        return sorted(found, key=self.position.__getitem__)


def edges_of(node: Node) -> Iterator[Edge]:
    """Yield the inputs of a node that are not Python numbers."""
    for edge in node.parents or ():
        if not edge[0].constant:
            yield edge


def stacked_part(node: Node) -> Edge | None:
    """Return x_t for a node that reads `stack([x_0, x_1, ...])[t]`, as layers upon layers do; else None."""
    if node.op is ops.GetItem:
        ((parent, _),) = node._edges()
        index = node.attrs["index"]
        if parent.op is ops.Stack and parent.attrs["axis"] == 0 and index and isinstance(index[0], int):
            return parent._edges()[index[0]]
    return None


def label_of(node: Node) -> str | None:
    """Return what `named` called a node; its outputs' names side by side if several have one."""
    names = [node.name_of(index) for index in range(len(node.outputs))]
    return ", ".join(name for name in names if name) or None


def before_step(place: Scope) -> Scope:
    """Return the scopes around the innermost "t"."""
    for i in range(len(place) - 1, -1, -1):
        if place[i][0] == "t":
            return place[:i]
    return place


def lane_of(place: Scope) -> Scope:
    """Return what the steps of one layer and direction have in common."""
    before = before_step(place)
    return (*before, *[part for part in place[len(before) + 1 :] if part[0] in ("layer", "reverse")])


def layer_of(place: Scope) -> int:
    """Return the number of the layer a scope lies in; 0 if it says nothing of layers."""
    return next((index or 0 for name, index in reversed(place) if name == "layer"), 0)


def _until_step(place: Scope) -> Scope:
    before = before_step(place)
    return place[: len(before) + 1] if len(before) < len(place) else ()


def _in_order(root: Node, purpose: str) -> list[Node]:
    """Return the nodes behind a root: ops by age, each leaf just before the first op that reads it."""
    computed: list[Node] = []
    seen = {root}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.parents is None:
            raise GraphError(
                f"the graph behind {node.describe()} was freed by backward(), so there is nothing left to {purpose}; "
                f"{purpose} before backward(), or call backward(retain_graph=True)"
            )
        if node.op is not None:
            computed.append(node)
        for parent, _ in edges_of(node):
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    ordered: list[Node] = []
    placed: set[Node] = set()
    for node in sorted(computed, key=lambda node: node.serial):
        for parent, _ in edges_of(node):
            if parent.op is None and parent not in placed:
                placed.add(parent)
                ordered.append(parent)
        ordered.append(node)
    return ordered or [root]


def _leaf_names(nodes: list[Node]) -> dict[Node, str]:
    """Return the names of named leaves, without the module's prefix ("lstm.weight_hh_l0") where that is unambiguous."""
    full = {node: label_of(node) for node in nodes if node.op is None}
    last = [name.rpartition(".")[2] for name in full.values() if name]
    return {
        node: name if last.count(name.rpartition(".")[2]) > 1 else name.rpartition(".")[2]
        for node, name in full.items()
        if name
    }


def _words(parts: Scope) -> list[str]:
    return [name if index is None else f"{name}{index}" for name, index in parts]


def _common_prefix(scopes: list[Scope]) -> Scope:
    shared = scopes[0] if scopes else ()
    for scope in scopes:
        while scope[: len(shared)] != shared:
            shared = shared[:-1]
    return shared
