"""Module and Parameter: what a layer is made of, and the containers of layers."""

from __future__ import annotations

import dis
import functools
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from tinygrad_rnn import backends, dtypes
from tinygrad_rnn.engine.axes import dtype_and_device
from tinygrad_rnn.engine.creation import leaf
from tinygrad_rnn.engine.modes import modes, scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, GraphError, InputError, StateError
from tinygrad_rnn.state import StateDict, converted, write

__all__ = ["LOOKED_AT", "PLAIN", "Module", "ModuleDict", "ModuleList", "Parameter", "Sequential"]


class Parameter(Tensor):
    """A leaf tensor that a module learns. It copies its data and requires grad.

    Results of ops on it are plain tensors. A module that gets it as an attribute names it, so that drawings show it.

    >>> from tinygrad_rnn import nn
    >>> nn.Parameter([1.0, 2.0]).requires_grad
    True
    """

    __slots__ = ()

    def __new__(cls, data: Any, requires_grad: bool = True) -> Self:
        return leaf(cls, data, requires_grad)

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        """Made in `__new__`."""

    def __repr__(self) -> str:
        return f"Parameter{super().__repr__().removeprefix('tensor')}"


#: What a module leaves out on purpose, and what to write instead.
INSTEAD = {
    "cuda": 'write module.to("cuda")',
    "cpu": 'write module.to("cpu")',
    "double": 'write module.to("float64")',
    "float": 'write module.to("float32")',
    "half": "there are float32 and float64",
    "requires_grad_": "set p.requires_grad = False for every p of module.parameters()",
    "register_buffer": "give the tensor to an attribute and name that in the class: buffer_names = ('mask',)",
    "register_parameter": "give an nn.Parameter to an attribute",
    "add_module": "give the module to an attribute",
    "named_children": "children() yields names and modules",
}


class Module:
    """Base of all layers: a function with parameters.

    Assign `Parameter`s and other modules to attributes, and write `forward`. No `super().__init__()` is needed.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         self.factor = nn.Parameter([2.0])
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> Scale()(tg.tensor([3.0])).item()
    6.0
    """

    #: Whether the module is learning: dropout is active then. `train` and `eval` set it.
    training: bool = True
    #: The attributes whose tensors are not learned, but move with the parameters and are saved: PyTorch's buffers.
    buffer_names: tuple[str, ...] = ()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; what calling the module runs."""
        raise NotImplementedError(f"{type(self).__name__} has no forward method: define one")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for recorder in modes.recorders:
            recorder.used(self)
        return self.forward(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(vars(self).get(name), Parameter) and value is not None and not isinstance(value, Parameter):
            given = "a plain tensor" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise GraphError(
                f"{type(self).__name__}.{name} is a Parameter; {given} in its place would never be trained. "
                f"Overwrite its values with .{name}.assign_(value), or put an nn.Parameter there"
            )
        object.__setattr__(self, name, value)
        if isinstance(value, Parameter):
            if value.name is None:  # a parameter shared from elsewhere keeps the name it has there
                value.named(name)
        elif isinstance(value, Module):
            self._name_parameters()

    def __getattr__(self, name: str) -> Any:  # where nothing of that name is found
        what = type(self)
        for kind in what.__mro__:
            if isinstance(found := vars(kind).get(name), property):
                return found.__get__(self)  # which failed: once more, for its own error
        advice = f": {INSTEAD[name]}" if name in INSTEAD else ""
        for base in what.__mro__[1:]:
            expected = _sets(vars(base)["__init__"]) if "__init__" in vars(base) else frozenset()
            if expected and not expected & vars(self).keys():
                advice = (
                    f": {base.__name__}.__init__, which sets up a {base.__name__}, was not called; call "
                    f"super().__init__(...) in {what.__name__}.__init__ first"
                )
                break
        raise AttributeError(f"{what.__name__!r} object has no attribute {name!r}{advice}", name=name, obj=self)

    def _warn_of_hidden_modules(self) -> None:
        """Warn once of modules in a plain list, which nothing here would train, save or move."""
        known = list(self.modules())
        for module in known:
            for name, value in list(vars(module).items()):
                if not isinstance(value, PLAIN) or name in vars(module).get("_warned_of", ()):
                    continue
                hidden = [each for each in _hidden_modules(value) if not any(each is one for one in known)]
                if hidden:
                    vars(module)["_warned_of"] = (*vars(module).get("_warned_of", ()), name)
                    what, container = type(module).__name__, "Dict" if isinstance(value, dict) else "List"
                    warnings.warn(
                        f"{what}.{name} is a plain {type(value).__name__} that holds modules, such as "
                        f"{type(hidden[0]).__name__}: their parameters are not found, so they are not trained, saved "
                        f"or moved; write self.{name} = nn.Module{container}(...)",
                        stacklevel=3,
                    )

    def _name_parameters(self) -> None:
        """Name every parameter after its path from here."""
        for path, parameter in self._each_parameter():
            parameter.named(path)

    # ---- what is inside ------------------------------------------------------------------------------------------

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules among the attributes, with their names, in the order they were assigned."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module (under the name "") and all modules inside, each once, with dotted paths."""
        seen: set[int] = set()
        waiting: list[tuple[str, Module]] = [(prefix, self)]
        while waiting:
            path, module = waiting.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            inside = [(f"{path}.{name}" if path else name, child) for name, child in module.children()]
            waiting.extend(reversed(inside))

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules inside, each once."""
        for _, module in self.named_modules():
            yield module

    def _all_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield parameters and buffers with dotted paths; a shared one, and those of a shared module, once per path."""
        waiting: list[tuple[str, Module, frozenset[int]]] = [("", self, frozenset())]
        while waiting:
            prefix, module, above = waiting.pop()
            above |= {id(module)}
            for name, value in vars(module).items():
                if isinstance(value, Parameter) or (name in module.buffer_names and isinstance(value, Tensor)):
                    yield prefix + name, value
            inside = [(f"{prefix}{name}.", child, above) for name, child in module.children() if id(child) not in above]
            waiting.extend(reversed(inside))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters with their dotted paths; a shared parameter comes once, under its first path.

        >>> from tinygrad_rnn import nn
        >>> [name for name, _ in nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).named_parameters()]
        ['0.weight', '0.bias', '2.weight', '2.bias']
        """
        self._warn_of_hidden_modules()
        yield from self._each_parameter()

    def _each_parameter(self) -> Iterator[tuple[str, Parameter]]:
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{path}.{name}" if path else name), value

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters, each once."""
        for _, parameter in self.named_parameters():
            yield parameter

    @scope("zero_grad")
    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for _, parameter in self._each_parameter():
            parameter.grad = None

    # ---- saving and loading --------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Tensor]:
        """Return the values of all parameters and buffers by path, sharing memory; `tg.save` writes them to a file.

        As in PyTorch a parameter or a module with several names comes under each of them. The file does not know on
        which device they were. What is returned is a dict that also knows which cells it is of, as does its file.
        """
        self._warn_of_hidden_modules()
        return StateDict({path: tensor.detach() for path, tensor in self._all_tensors()}, self._cells_inside())

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Overwrite parameters and buffers with the values of a `state_dict`, also one of PyTorch.

        Args:
            state: tensors or arrays by path, on any device, converted to the dtype of the tensor they replace.
                A shared parameter may come under any of its names; under several only with the same values.
            strict: refuse missing and unexpected keys, and numbers of another cell; without, load the keys that match.

        Raises:
            StateError: keys, shapes or values do not fit, or they are of another cell. Nothing was overwritten then.

        Some cells have parameters of the same names and shapes. Which it was a state knows that comes from `state_dict`
        or from `tg.load` of its file. A plain dict does not, nor one of PyTorch: it is taken, and computes something
        else, where one cell of a line stands for another,

        - rnn with another nonlinearity, such as irnn
        - peephole, niaf, noaf
        - nfg, cifg
        - coupled, gru with any reset and update
        - lstm97, lstm97_nog, rnn of sizes and a block_size that lead to as many rows

        >>> from tinygrad_rnn import nn
        >>> nn.Linear(2, 1).load_state_dict({"weight": [[1.0, 2.0]]})
        Traceback (most recent call last):
        tinygrad_rnn.errors.StateError: the state does not fit Linear:
          missing: bias
        pass strict=False to load only the keys that match, or build the module with the sizes of the state
        """
        tensors = dict(self._all_tensors())
        if isinstance(state, Module):
            raise StateError(f"load_state_dict takes a state, not a {type(state).__name__}; pass module.state_dict()")
        values, problems = converted(state, tensors, type(self).__name__, strict)
        other = _of_other_cells(state, self._cells_inside()) if strict else {}
        problems += [f"{path}: {said}" if path else said for path, said in other.items()]
        if problems:
            for path, module in self.named_modules():
                if path in other:
                    continue
                prefix = f"{path}." if path else ""
                own = {str(name).removeprefix(prefix): state[name] for name in state if str(name).startswith(prefix)}
                if said := module._recognised(own):
                    problems.append(f"{path}: {said}" if path else said)
            raise StateError(
                f"the state does not fit {type(self).__name__}:\n  " + "\n  ".join(problems) + "\npass strict=False "
                "to load only the keys that match, or build the module with the sizes of the state"
            )
        write(values, tensors)

    def _cells_inside(self) -> dict[str, str]:
        """Return which cells there are, by the paths of their modules."""
        return {path: said for path, module in self.named_modules() if (said := module._cell_text())}

    def _cell_text(self) -> str:
        """Return the cell whose parameters this module owns, and what its numbers depend on; "" where there is none."""
        return ""

    def _recognised(self, state: Mapping[str, Any]) -> str:
        """Return in words what another module a state that does not fit is of, if this module can tell."""
        return ""

    # ---- modes ---------------------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all inside to learning (dropout active), or to use; returns itself."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch this module and all inside to use: dropout passes everything; returns itself."""
        return self.train(False)

    def to(self, *where: Any, dtype: Any = None, device: str | None = None) -> Self:
        """Move all parameters and buffers to a dtype and/or device, given by position or keyword; returns itself.

        The parameters stay the same objects; buffers of whole numbers keep their dtype. Make the optimizer after a
        change of dtype: its moments keep theirs, while they follow the parameters to another device.

        Args:
            where: "float32", "float64", "cpu", "cuda", or one of each kind.

        Raises:
            DTypeError: the dtype is not float32 or float64.
            DeviceError: there is no such device here.

        >>> from tinygrad_rnn import nn
        >>> nn.Linear(2, 1).to("float64").weight.dtype
        dtype('float64')
        """
        dtype, device = dtype_and_device(where, dtype, device)
        if dtype is not None and not dtypes.is_float(dtypes.resolve(dtype)):
            raise DTypeError(f"parameters must be floats, not {dtypes.resolve(dtype)}; use float32 or float64")
        if device is not None:
            backends.get(device)  # raises also for a module without parameters
        for parameter in self.parameters():
            parameter._move(dtype, device)
        for module in self.modules():
            for name in module.buffer_names:
                buffer = vars(module).get(name)
                if isinstance(buffer, Tensor):  # its owner may use it elsewhere: not moved in place, as parameters are
                    own = dtype if dtypes.is_float(buffer.dtype) else None
                    setattr(module, name, buffer.to(dtype=own, device=device))
        return self

    # ---- how it prints -------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return the settings to show between the parentheses of the repr."""
        return ""

    def __repr__(self) -> str:
        inside = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.children()]
        lines = "".join(f"\n  {line}" for line in inside) + "\n" if inside else ""
        return f"{type(self).__name__}({self.extra_repr()}{lines})"


def _of_other_cells(state: Any, cells: Mapping[str, str]) -> dict[str, str]:
    """Return by path where a state that knows of which cells it is does not fit those of a module, in words."""
    known = state.cells if isinstance(state, StateDict) else {}
    return {
        path: f"it is the state of another cell, {known[path]}, and this is {cell}"
        for path, cell in cells.items()
        if known.get(path, cell) != cell
    }


def _hidden_modules(value: Any, depth: int = 2) -> Iterator[Module]:
    """Yield what modules there are among the first elements of a plain list, tuple, dict or set."""
    if not isinstance(value, PLAIN):
        return
    for part in itertools.islice(value.values() if isinstance(value, dict) else value, LOOKED_AT):
        if isinstance(part, Module):
            yield part
        elif depth > 1:
            yield from _hidden_modules(part, depth - 1)


PLAIN = list, tuple, dict, set, frozenset

#: How many elements of a plain container are looked at for modules: a list of all training data stays cheap.
LOOKED_AT = 8


@functools.cache
def _sets(initialiser: Callable[..., Any]) -> frozenset[str]:
    """Return the names of the attributes that an __init__ sets."""
    code = getattr(initialiser, "__code__", None)
    steps = dis.get_instructions(code) if code else ()
    return frozenset(step.argval for step in steps if step.opname == "STORE_ATTR")


class ModuleList(Module):
    """Modules in a list; its attributes are called "0", "1", ...

    >>> from tinygrad_rnn import nn
    >>> [layer.out_features for layer in nn.ModuleList([nn.Linear(2, 3), nn.Linear(3, 4)])]
    [3, 4]
    """

    def __init__(self, modules: Any = ()) -> None:
        for index, module in enumerate(modules):
            vars(self)[str(index)] = self._checked(module)
        self._name_parameters()  # once: with every append all names would be given again

    def append(self, module: Module) -> Self:
        """Add a module at the end; returns itself."""
        setattr(self, str(len(self)), self._checked(module))
        return self

    def _checked(self, module: Any) -> Module:
        if not isinstance(module, Module):
            raise InputError(
                f"{type(self).__name__}: {module!r} is no module; use one, such as nn.Tanh() for F.tanh, or write a "
                "Module whose forward calls the function"
            )
        return module

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self.children())

    def __getitem__(self, index: int) -> Module:
        return list(self)[index]


class ModuleDict(Module):
    """Modules by name, which are its attributes; it reads like a dict.

    Raises:
        InputError: a value is no module, or a name is no text, holds a dot, or is one that every module has.

    >>> from tinygrad_rnn import nn
    >>> heads = nn.ModuleDict({"mean": nn.Linear(3, 1), "spread": nn.Linear(3, 1)})
    >>> [name for name, _ in heads.named_parameters()]
    ['mean.weight', 'mean.bias', 'spread.weight', 'spread.bias']
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        try:
            given = dict(modules or {})
        except (TypeError, ValueError):
            raise InputError(f"{type(self).__name__} needs a dict of modules by name, not {modules!r}") from None
        for name, module in given.items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(name, str) or not name or "." in name or hasattr(type(self), name):
            raise InputError(f"{type(self).__name__}: {name!r} cannot be the name of a module; choose another text")
        if not isinstance(module, Module):
            raise InputError(f"{type(self).__name__}: {module!r} is no module; use one, such as nn.Tanh() for F.tanh")
        setattr(self, name, module)

    def __getitem__(self, name: str) -> Module:
        return dict(self.children())[name]

    def __contains__(self, name: object) -> bool:
        return name in dict(self.children())

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.children())

    def keys(self) -> list[str]:
        """Return the names, in the order they were added."""
        return list(self)

    def values(self) -> list[Module]:
        """Return the modules."""
        return [module for _, module in self.children()]

    def items(self) -> list[tuple[str, Module]]:
        """Return names and modules."""
        return list(self.children())


class Sequential(ModuleList):
    """Modules applied one after the other.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.Sequential(nn.Linear(2, 3), nn.Tanh())(tg.zeros(5, 2)).shape
    (5, 3)
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """Pass x through every module in turn."""
        for module in self:
            x = module(x)
        return x
