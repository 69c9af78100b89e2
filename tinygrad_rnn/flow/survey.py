"""A look over a graph before it is measured, listed or drawn: its nodes in order, their names, steps and roles.

What is found out is kept as plain facts by position, so that a report keeps neither nodes nor arrays alive, and still
works after backward() has freed the graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

from tinygrad_rnn.engine.modes import step_of
from tinygrad_rnn.engine.protocol import Edge, Scope, Vertex
from tinygrad_rnn.errors import GraphError

#: Ops that move elements and compute nothing: what leaves a parameter through them is still that parameter.
MOVEMENT = frozenset(
    ("broadcast_to", "cast", "concat", "copy", "getitem", "put_slices", "reshape", "split", "stack", "to", "transpose",
     "unbind")
)  # fmt: skip

#: What states are called in a graph in which nothing has a role.
USUAL_STATES = ("h", "c")


#: One input of a node that is no Python number: which input it is, the position of the node it comes from, and which
#: output of that node.
Input = tuple[int, int, int]


class Facts(NamedTuple):
    """What is kept of one node."""

    op: str | None  # None: a leaf
    scope: Scope
    names: Mapping[int, str] | None  # of its outputs
    roles: Mapping[int, str] | None
    outputs: int
    shape: tuple[int, ...]  # of the first output
    dtype: Any  # of the first output
    value: Any  # of the first output if it is a single number, else None
    requires_grad: bool
    attrs: Mapping[str, Any] | None  # of a movement op
    inputs: Sequence[Input]
    constants: tuple[tuple[int, float], ...]  # inputs that are Python numbers: (place, value)

    @property
    def label(self) -> str | None:
        """What `named` called it; its outputs' names side by side if several have one."""
        return _label(self.names, self.outputs)


_ROLES = Facts._fields.index("roles")


def look_over(root: Vertex, purpose: str = "draw") -> tuple[Survey, dict[Vertex, int]]:
    """Return what is to know about the graph behind a node, and its nodes in order, each with its position.

    Raises:
        GraphError: backward() has freed the graph.
    """
    seen = {root}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.parents is None:
            raise GraphError(
                f"the graph behind {node.describe()} was freed by backward(), so there is nothing left to {purpose}; "
                f"{purpose} before backward(), or call backward(retain_graph=True)"
            )
        for parent, _ in node.parents:
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    position: dict[Vertex, int] = {}
    facts: list[tuple[Any, ...]] = []
    for node in sorted([node for node in seen if node.op_name is not None], key=attrgetter("serial")):
        inputs: list[Input] = []
        constants: tuple[tuple[int, float], ...] = ()
        for place, (parent, output) in enumerate(node.parents or ()):
            at = position.get(parent)
            if at is None:  # a leaf that is met for the first time
                if parent.constant:
                    constants = (*constants, (place, parent.values().item()))
                    continue
                at = position[parent] = len(facts)
                facts.append((*_facts(parent), (), ()))
            inputs.append((place, at, output))
        position[node] = len(facts)
        facts.append((*_facts(node), inputs, constants))
    if root.op_name is None:
        position[root] = 0
        facts.append((*_facts(root), (), ()))
    return Survey(facts), position


def _facts(node: Vertex) -> tuple[Any, ...]:
    """Return the first half of these facts."""
    op, names, outputs = node.op_name, node.names, node.outputs
    first = outputs[0]
    return (
        op,
        node.scope,
        names and dict(names),
        node.roles,
        len(outputs),
        first.shape,
        first.dtype,
        node.values().item() if first.size == 1 else None,
        node.requires_grad,
        node.attrs if op in MOVEMENT else None,
    )


class Survey:
    """The graph that leads to one node, the root: what is known of every node, by its position in `entries`.

    Python numbers are no entries. Each node comes after its parents, ops by age and leaves just before the first op
    that reads them, in an order that is the same in every run; the root is the last.
    """

    def __init__(self, facts: list[tuple[Any, ...]]) -> None:
        self._facts = facts  # of entries; plain tuples are made in a third of the time, and a walk is short
        self.root = len(facts) - 1

    @cached_property
    def entries(self) -> list[Facts]:
        """What is kept of every node."""
        return [Facts(*facts) for facts in self._facts]

    # ---- time --------------------------------------------------------------------------------------------------

    @cached_property
    def _places(self) -> list[Scope]:
        """Where nodes lie. A leaf has no scope of its own; data read in one step only belongs to that step."""
        places = [entry.scope for entry in self.entries]
        readers: dict[int, set[Scope]] = {}
        for entry in self.entries:
            for _, parent, _ in entry.inputs:
                if self.entries[parent].op is None and not self.entries[parent].requires_grad:
                    readers.setdefault(parent, set()).add(_until_step(entry.scope))
        for leaf, found in readers.items():
            if len(found) == 1:
                places[leaf] = found.pop()
        return places

    @cached_property
    def step(self) -> list[int | None]:
        """The time step of every node, or None; data read in one step only belongs to that step."""
        steps = {place: step_of(place) for place in set(self._places)}
        return [steps[place] for place in self._places]

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """All time steps, in ascending order."""
        return tuple(sorted({step for step in self.step if step is not None}))

    # ---- roles -------------------------------------------------------------------------------------------------

    @cached_property
    def _has_roles(self) -> bool:
        return any(facts[_ROLES] for facts in self._facts)  # entries would take longer than the walk to the states

    def holds_state(self, node: Vertex) -> bool:
        """Return whether an output of a node of this graph holds the state of a step."""
        if not node.names or node.op_name is None or step_of(node.scope) is None:
            return False
        roles = node.roles or {}
        return any(is_state(name, roles.get(index), self._has_roles) for index, name in node.names.items())

    def squashed_by(self, i: int) -> list[str]:
        """Return the kinds of states of its own step and lane that an op without other inputs reads as they are."""
        entry = self.entries[i]
        if self.step[i] is None or self.role(i) == "gate":
            return []
        return [
            kind
            for _, parent, output in entry.inputs
            if self.step[parent] == self.step[i] and lane_of(self.entries[parent].scope) == lane_of(entry.scope)
            for index, kind in self.states_of(parent)
            if index == output
        ]

    def states_of(self, i: int) -> Iterator[tuple[int, str]]:
        """Yield the outputs of a node that hold a state, with the names of these."""
        entry = self.entries[i]
        if entry.names and entry.op is not None:
            roles = entry.roles or {}
            for index, name in entry.names.items():
                if is_state(name, roles.get(index), self._has_roles):
                    yield index, name

    def role(self, i: int) -> str | None:
        """Return "state" or "gate", or None.

        Where nothing in the graph has a role, whatever has a name in a step and is no state is taken for a gate.
        """
        entry = self.entries[i]
        if any(self.states_of(i)):
            return "state"
        if self._has_roles:
            return "gate" if entry.roles and "gate" in entry.roles.values() else None
        return "gate" if entry.op is not None and entry.label and self.step[i] is not None else None

    # ---- parameters --------------------------------------------------------------------------------------------

    @cached_property
    def sources(self) -> dict[int, tuple[int, ...]]:
        """For parameters and what only moves their elements: the parameters behind it."""
        found: dict[int, tuple[int, ...]] = {}
        for i, entry in enumerate(self.entries):
            if entry.requires_grad and entry.op is None:
                found[i] = (i,)
            elif entry.requires_grad and entry.op in MOVEMENT:
                parents = [p for _, p, _ in entry.inputs if self.entries[p].requires_grad]
                if all(parent in found for parent in parents):
                    found[i] = tuple(dict.fromkeys(leaf for parent in parents for leaf in found[parent]))
        return found

    @cached_property
    def batch_free(self) -> set[int]:
        """Nodes computed from parameters alone, such as b_ih + b_hh: like these they have no batch axis.

        States always have one, also where they are computed from nothing but an initial state that requires grad.
        """
        found: set[int] = set()
        for i, entry in enumerate(self.entries):
            free = entry.requires_grad and all(parent in found for _, parent, _ in entry.inputs)
            if free and not any(self.states_of(i)):
                found.add(i)
        return set(self.sources) if self.root in found else found  # no data at all: nothing to tell them apart by

    # ---- names -------------------------------------------------------------------------------------------------

    @cached_property
    def leaf_names(self) -> dict[int, str]:
        """The names of named leaves, without the module's prefix ("lstm.weight_hh_l0") where that is unambiguous."""
        full = {i: entry.label for i, entry in enumerate(self.entries) if entry.op is None}
        last = [name.rpartition(".")[2] for name in full.values() if name]
        return {
            i: name if last.count(name.rpartition(".")[2]) > 1 else name.rpartition(".")[2]
            for i, name in full.items()
            if name
        }

    @cached_property
    def paths(self) -> list[str]:
        """What a node is called, with where it lies: "t3/forget_gate/f"; no two alike."""
        return [path for path, _ in self._named]

    @cached_property
    def names(self) -> list[str]:
        """The same as an identifier: "t3_forget_gate_f"; no two alike."""
        return [name for _, name in self._named]

    @cached_property
    def _named(self) -> list[tuple[str, str]]:
        shared = _common_prefix([before_step(place) for place in {p for p in self._places if step_of(p) is not None}])
        prefixes = {place: _words_of(place, shared) for place in set(self._places)}
        counts: dict[str, int] = {}
        taken: set[str] = set()
        named = []
        for i, place in enumerate(self._places):
            path = "/".join([*prefixes[place], self._last_name(i)])
            name = re.sub(r"\W+", "_", path, flags=re.ASCII)
            count = counts.get(name, 0) + 1
            while name + (suffix := f"_{count}" if count > 1 else "") in taken:
                count += 1
            counts[name] = count
            taken.add(name + suffix)
            named.append((path + suffix, name + suffix))
        return named

    def _last_name(self, i: int) -> str:
        entry = self.entries[i]
        if i in self.leaf_names:
            return self.leaf_names[i]
        if entry.op is None:
            return "leaf" if entry.requires_grad else "data"
        return entry.label or ("loss" if i == self.root else entry.op)

    # ---- anchors: what is left when the ops in between are folded away -----------------------------------------

    @cached_property
    def anchors(self) -> set[int]:
        """Nodes with a named output, the root, and hubs."""
        named = {i for i, entry in enumerate(self.entries) if entry.op is not None and entry.label}
        return named | self._hubs(named) | {self.root}

    def _hubs(self, named: set[int]) -> set[int]:
        """Return the nodes outside time through which many steps lead to many steps.

        One layer's whole output, multiplied at once, is read step by step by the layer above. Were these folded away,
        every step above would be linked to every step below.
        """
        behind: list[frozenset[int | None]] = []  # the steps of the named nodes that lead here, of two or more any two
        for entry in self.entries:
            found: frozenset[int | None] = frozenset()
            for _, parent, _ in entry.inputs:
                found |= frozenset((self.step[parent],)) if parent in named else behind[parent]
            behind.append(found if len(found) < 3 else frozenset(sorted(found, key=str)[:2]))
        readers: dict[int, set[int]] = {}
        for i, entry in enumerate(self.entries):
            through = self.stacked_part(i)
            step = self.step[i]
            if step is not None:
                for _, parent, _ in (through,) if through else entry.inputs:
                    readers.setdefault(parent, set()).add(step)
        return {
            i for i, steps in readers.items()
            if self.step[i] is None and i not in named and len(steps) > 1 and len(behind[i]) > 1
        }  # fmt: skip

    @cached_property
    def leading(self) -> set[int]:
        """Nodes from which a gradient reaches an anchor, which may be the node itself."""
        found: set[int] = set()
        for i, entry in enumerate(self.entries):
            if i in self.anchors or (entry.requires_grad and any(parent in found for _, parent, _ in entry.inputs)):
                found.add(i)
        return found

    def direct_anchors(self, i: int) -> list[int]:
        """Return the anchors and data that reach a node without passing another anchor, in the order of the graph."""
        return [
            at for at in self.reach[i]
            if at != i and (at in self.anchors or not self.entries[at].requires_grad)
        ]  # fmt: skip

    @cached_property
    def reach(self) -> dict[int, list[int]]:
        """For each anchor what leads to it without passing another: these, what lies between, and itself, in order."""
        return {anchor: self._reach(anchor) for anchor in self.anchors}

    def _reach(self, i: int) -> list[int]:
        found = {i}
        waiting = [i]
        while waiting:
            reader = waiting.pop()
            through = self.stacked_part(reader)
            for _, parent, _ in (through,) if through else self.entries[reader].inputs:
                if parent not in found:
                    found.add(parent)
                    if parent not in self.anchors and self.entries[parent].requires_grad:
                        waiting.append(parent)
        return sorted(found)

    def stacked_part(self, i: int) -> Input | None:
        """Return x_t for a node that reads `stack([x_0, x_1, ...])[t]`, as layers upon layers do; else None."""
        entry = self.entries[i]
        if entry.op != "getitem" or entry.attrs is None:
            return None
        ((_, stacked, _),) = entry.inputs
        whole, index = self.entries[stacked], entry.attrs["index"]
        if whole.op != "stack" or whole.attrs is None or whole.attrs["axis"] != 0:
            return None
        if len(whole.inputs) < whole.shape[0] or not index or not isinstance(index[0], int):
            return None
        return whole.inputs[index[0]]


def edges_of(node: Vertex) -> Iterator[Edge]:
    """Yield the inputs of a node that are not Python numbers."""
    for edge in node.parents or ():
        if not edge[0].constant:
            yield edge


def label_of(node: Vertex) -> str | None:
    """Return what `named` called a node; its outputs' names side by side if several have one."""
    return _label(node.names, len(node.outputs))


def _label(names: Mapping[int, str] | None, outputs: int) -> str | None:
    if names is None:
        return None
    return ", ".join(names[index] for index in range(outputs) if names.get(index)) or None


def is_state(name: str, role: str | None, has_roles: bool) -> bool:
    """Return whether an output is a state, given whether anything in its graph has a role."""
    return role == "state" if has_roles else name in USUAL_STATES


def in_order(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the names of states as they come, but "h" first, which is what cells show of themselves."""
    return tuple(sorted(dict.fromkeys(kinds), key=lambda kind: kind != "h"))


# ---- scopes ---------------------------------------------------------------------------------------------------------


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


def direction_of(scope: Scope, taken: Sequence[int] = ()) -> str:
    """Return "forward" or "reverse": what the scope says, else the order in which the steps were taken."""
    return "reverse" if ("reverse", None) in scope or (taken and taken[0] > taken[-1]) else "forward"


def innermost(place: Scope) -> str | None:
    """Return the innermost scope inside the step that has a name of its own, such as "forget_gate"."""
    inside = place[len(before_step(place)) + 1 :]
    return next((word for word, index in reversed(inside) if index is None and word != "reverse"), None)


def layer_of(place: Scope) -> int:
    """Return the number of the layer a scope lies in; 0 if it says nothing of layers."""
    return next((index or 0 for name, index in reversed(place) if name == "layer"), 0)


def _until_step(place: Scope) -> Scope:
    before = before_step(place)
    return place[: len(before) + 1] if len(before) < len(place) else ()


def _words_of(place: Scope, shared: Scope) -> list[str]:
    """Return the words of a name that say where a node lies, the step first."""
    step = step_of(place)
    if step is None:
        return _words(place)
    before = before_step(place)
    return [f"t{step}", *_words(before[len(shared) :]), *_words(place[len(before) + 1 :])]


def _words(parts: Scope) -> list[str]:
    return [name if index is None else f"{name}{index}" for name, index in parts]


def _common_prefix(scopes: list[Scope]) -> Scope:
    shared = scopes[0] if scopes else ()
    for scope in scopes:
        while scope[: len(shared)] != shared:
            shared = shared[:-1]
    return shared
