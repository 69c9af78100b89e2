"""Module and Parameter: what a layer is made of, and the containers of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from tinygrad_rnn import backends, dtypes
from tinygrad_rnn.engine.arguments import dtype_and_device
from tinygrad_rnn.engine.creation import leaf, tensor
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, GraphError, InputError, StateError


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

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; what calling the module runs."""
        raise NotImplementedError(f"{type(self).__name__} has no forward method: define one")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(vars(self).get(name), Parameter) and isinstance(value, Tensor) and type(value) is Tensor:
            raise GraphError(
                f"{type(self).__name__}.{name} is a Parameter; a plain tensor in its place would never be trained. "
                f"Overwrite its values with .{name}.assign_(value), or wrap the tensor in nn.Parameter"
            )
        object.__setattr__(self, name, value)
        if isinstance(value, Parameter):
            if value.name is None:  # a parameter shared from elsewhere keeps the name it has there
                value.named(name)
        elif isinstance(value, Module):
            self._name_parameters()

    def _name_parameters(self) -> None:
        """Name every parameter after its path from here."""
        for path, parameter in self.named_parameters():
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

    def _all_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter with its dotted path; a shared one comes once per path."""
        for path, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter):
                    yield (f"{path}.{name}" if path else name), value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters with their dotted paths; a shared parameter comes once, under its first path.

        >>> from tinygrad_rnn import nn
        >>> [name for name, _ in nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).named_parameters()]
        ['0.weight', '0.bias', '2.weight', '2.bias']
        """
        seen: set[int] = set()
        for path, parameter in self._all_parameters():
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield path, parameter

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters, each once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    # ---- saving and loading --------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Tensor]:
        """Return the values of all parameters by path, sharing memory; `tg.save` writes them to a file.

        The file does not know on which device they were.
        """
        return {path: parameter.detach() for path, parameter in self._all_parameters()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Overwrite the parameters with the values of a `state_dict`, also one of PyTorch.

        Args:
            state: tensors or arrays by path, on any device, converted to the dtype of the parameter they replace.
            strict: refuse missing and unexpected keys; without, load the keys that match.

        Raises:
            StateError: keys or shapes do not fit. Nothing was overwritten then.

        >>> from tinygrad_rnn import nn
        >>> nn.Linear(2, 1).load_state_dict({"weight": [[1.0, 2.0]]})
        Traceback (most recent call last):
        tinygrad_rnn.errors.StateError: the state does not fit Linear:
          missing: bias
        pass strict=False to load only the keys that match, or build the module with the sizes of the state
        """
        parameters = dict(self._all_parameters())
        values = {path: _with_shape(state[path]) for path in parameters if path in state}
        problems = []
        if strict and (missing := [path for path in parameters if path not in state]):
            problems.append(f"missing: {', '.join(missing)}")
        if strict and (unexpected := [str(path) for path in state if path not in parameters]):
            problems.append(f"unexpected: {', '.join(unexpected)}")
        for path, value in values.items():
            if value.shape != parameters[path].shape:
                problems.append(f"{path}: has shape {value.shape} in the state, {parameters[path].shape} here")
        if problems:
            raise StateError(
                f"the state does not fit {type(self).__name__}:\n  " + "\n  ".join(problems) + "\npass strict=False "
                "to load only the keys that match, or build the module with the sizes of the state"
            )
        for path, value in values.items():
            parameter = parameters[path]
            parameter.assign_(tensor(value, parameter.dtype, parameter.device))

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
        """Move all parameters to a dtype and/or device, given by position or keyword; returns itself.

        The parameters stay the same objects. Make the optimizer after a change of dtype: its moments keep theirs, while
        they follow the parameters to another device.

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
        return self

    # ---- how it prints -------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return the settings to show between the parentheses of the repr."""
        return ""

    def __repr__(self) -> str:
        inside = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.children()]
        lines = "".join(f"\n  {line}" for line in inside) + "\n" if inside else ""
        return f"{type(self).__name__}({self.extra_repr()}{lines})"


def _with_shape(value: Any) -> Tensor | np.ndarray:
    """Return a value of a state as a tensor or an array."""
    return value if isinstance(value, Tensor) else np.asarray(value)


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
