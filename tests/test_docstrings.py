"""A public docstring names the errors that its function raises.

Looked at are the functions, methods and constructors (a constructor is described by its class) without an underscore
before their name, or before their class's, and in each the `raise` statements of its own body: what a call inside
raises is described there. Nothing counts that nobody sees: what is caught around it, the raising again of what was
caught, and NotImplementedError, which asks a subclass for a method.

Left out are three rooms: `cli`, whose errors no caller catches, since `main` prints them as sentences;
`backends/cuda`, whose errors the engine explains in words of its own, or that only our own kernels can cause; and
`homework/assignments`, which is no code to call but files for students, with checks that fail by raising an error.
"""

import ast
import builtins
import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn import errors

PACKAGE = Path(tg.__file__).parent
LEFT_OUT = ("cli", "backends/cuda", "homework/assignments")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Function | ast.ClassDef | ast.Lambda


def modules() -> dict[str, ast.Module]:
    """Return the package's modules as trees, by their path, without the rooms that are left out."""
    paths = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
    return {
        name: ast.parse(path.read_text(encoding="utf-8"))
        for name, path in paths.items()
        if not name.startswith(tuple(room + "/" for room in LEFT_OUT))
    }


def made_by(trees: dict[str, ast.Module]) -> dict[str, str]:
    """Return what the package's functions return, by their name, as their annotation has it."""
    return {
        node.name: ast.unparse(node.returns)
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, Function) and node.returns is not None
    }


def public(body: list[ast.stmt], owner: ast.ClassDef | None = None) -> Iterator[tuple[str, Function, str]]:
    """Yield the public functions of a module or class: the name, the function, and the docstring that is shown."""
    shown: dict[str, str] = {}  # of a property: the setter has none of its own
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public(node.body, node)
        elif isinstance(node, Function) and (node.name == "__init__" or not node.name.startswith("_")):
            doc = ast.get_docstring(node) or shown.get(node.name, "")
            if owner is not None and node.name == "__init__":
                doc = (ast.get_docstring(owner) or "") + "\n" + doc
            shown[node.name] = doc
            yield (f"{owner.name}.{node.name}" if owner else node.name), node, doc


def kind_of(name: str) -> type:
    """Return the class of an error of the package's, or of Python's, by its name."""
    found: type = getattr(errors, name, getattr(builtins, name, object))
    return found


def caught_by(node: ast.Try) -> tuple[type, ...]:
    """Return the kinds of errors that do not leave the body of a `try`."""
    kinds = [part for handler in node.handlers for part in getattr(handler.type, "elts", [handler.type])]
    return tuple(kind_of(kind.id) for kind in kinds if isinstance(kind, ast.Name))


def raised(body: list[ast.stmt], makers: dict[str, str]) -> set[str]:
    """Return the names of the errors that leave some statements, but for those of the functions that they define."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Scope):
            continue
        if isinstance(node, ast.Try):
            caught = caught_by(node)
            found |= {name for name in raised(node.body, makers) if not issubclass(kind_of(name), caught)}
            waiting += [*node.handlers, *node.orelse, *node.finalbody]
            continue
        waiting += ast.iter_child_nodes(node)
        if not isinstance(node, ast.Raise):
            continue
        made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        name = made.id if isinstance(made, ast.Name) else made.attr if isinstance(made, ast.Attribute) else ""
        if name[:1].isupper():
            found.add(name)
        elif name and isinstance(node.exc, ast.Call):  # a function that words the error
            found.add(makers.get(name, f"what {name}() returns, which its annotation must say"))
    return found - {"NotImplementedError", "Exception"}  # the latter is what was caught, in other words


def unnamed(trees: dict[str, ast.Module]) -> list[str]:
    """Return, a line each, the errors that a function raises and the prose of its docstring does not name."""
    makers = made_by(trees)
    lines = []
    for path, tree in trees.items():
        for name, function, doc in public(tree.body):
            prose = "".join(part for part in doctest.DocTestParser().parse(doc) if isinstance(part, str))
            for error in sorted(raised(function.body, makers)):
                if not re.search(rf"\b{re.escape(error)}\b", prose):
                    lines.append(f"{path}:{function.lineno} {name} raises {error}")
    return lines


def test_docstrings_name_the_errors_that_are_raised() -> None:
    lines = unnamed(modules())
    assert not lines, "errors that the docstring does not name:\n" + "\n".join(lines)


def test_an_error_is_missed_wherever_it_comes_from() -> None:
    source = '''
def worded() -> ShapeError: ...
def told():
    """Do it; InputError unless it can be done."""
    raise InputError("")
def shown_only():
    """Do it.

    >>> shown_only()
    Traceback (most recent call last):
    InputError
    """
    raise InputError
def by_a_helper():
    """Do it."""
    raise worded()
def again():
    """Do it."""
    try:
        inner()
    except ValueError as error:
        raise type(error)("more") from None
    except KeyError as error:
        raise error
    raise NotImplementedError
def caught():
    """Do it."""
    try:
        raise StateError("")
    except (OSError, TinygradError):
        raise KeyError("") from None
def _private():
    raise InputError
class Thing:
    """Some thing."""
    def __init__(self):
        raise errors.DTypeError("")
    @property
    def size(self):
        """The size."""
    @size.setter
    def size(self, size):
        def later():
            raise KeyError
        raise GraphError("")
'''
    assert [line.partition(" ")[2] for line in unnamed({"a.py": ast.parse(source)})] == [
        "shown_only raises InputError",
        "by_a_helper raises ShapeError",
        "caught raises KeyError",
        "Thing.__init__ raises DTypeError",
        "Thing.size raises GraphError",
    ]
