"""The package without what an assignment asks for: a copy that a student's process gets instead of the package.

What is left out is there neither as source nor as bytecode. Modules that cannot be imported without it go, too, and an
`__init__` does not hand on what any of them defines.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from tinygrad_rnn.errors import InputError

__all__ = ["PACKAGE", "is_withheld", "package_without", "unknown_parts"]

PACKAGE = "tinygrad_rnn"
#: Left out of every copy: checks and how they are run, tutorials with their answers, and what starts those.
_ALWAYS = tuple(f"{PACKAGE}.{part}" for part in ("__main__", "cli", "homework", "tutorial"))
#: An import at the left margin; one that is indented is for types, or done when it is needed.
_IMPORT = re.compile(r"^(?:from [\w.]+ import (?:\([^)]*\)|.+)|import [\w.]+(?: as \w+)?$)", re.MULTILINE)
_ROOT = Path(__file__).parents[1]
_REST = """

_WITHHELD = frozenset({names})
_HANDED_ON = globals().get("__getattr__")


def __getattr__(name):
    if name in _WITHHELD:
        raise AttributeError(f"{{__name__}}.{{name}}: this homework is done without it")
    if _HANDED_ON is None:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
    return _HANDED_ON(name)
"""


def unknown_parts(without: Collection[str]) -> list[str]:
    """Return which of these are no modules of the package."""
    return [part for part in without if part not in _modules() or part == PACKAGE]


def is_withheld(name: str, without: tuple[str, ...]) -> bool:
    """Return whether a module, or a name in a module, is left out.

    Args:
        name: with dots, such as "tinygrad_rnn.nn.LSTM".
        without: the modules that an assignment leaves out.

    >>> is_withheld("tinygrad_rnn.nn.LSTM", ("tinygrad_rnn.nn.cells",))
    True
    """
    modules, names = _withheld(without)
    while name and name not in modules:
        name, _, last = name.rpartition(".")
        if last in names.get(name, ()):
            return True
    return bool(name)


@functools.cache
def package_without(without: tuple[str, ...]) -> Mapping[str, str]:
    """Return the files of the package that are left, by their path in the folder that the package lies in.

    Each part that was left out is a module that says so when it is imported.

    Args:
        without: the modules that an assignment leaves out; homework, the command line and the tutorials always are.

    Raises:
        InputError: one of them is no module of the package.
    """
    if unknown := unknown_parts(without):
        raise InputError(f"without: {unknown[0]} is no module of {PACKAGE}; write its name with dots")
    modules, names = _withheld(without)
    files = {}
    for name, path in _modules().items():
        place = path.relative_to(_ROOT.parent)
        if name not in modules:
            text = path.read_text(encoding="utf-8")
            files[place.as_posix()] = _rewritten(text, name, without) if names.get(name) else text
        elif name.rpartition(".")[0] not in modules:
            told = f'raise ImportError("{name}: this homework is done without it")\n'
            files[f"{name.replace('.', '/')}.py"] = told
    return files


@functools.cache
def _modules() -> Mapping[str, Path]:
    """Return the files of all modules, by name; those of assignments are none."""
    found = {}
    for path in sorted(_ROOT.rglob("*.py")):
        parts = path.relative_to(_ROOT.parent).with_suffix("").parts
        if "assignments" not in parts and "scripts" not in parts:
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def _imports() -> Mapping[str, list[tuple[str, str]]]:
    """Return what each module imports when it is imported: with dots, and the name that it gets there."""
    found = {}
    for name, path in _modules().items():
        # Not the whole file: to parse them all takes a second.
        told = ast.parse("\n".join(_IMPORT.findall(path.read_text(encoding="utf-8"))))
        found[name] = [
            (f"{node.module}.{alias.name}", alias.asname or alias.name)
            for node in told.body if isinstance(node, ast.ImportFrom) for alias in node.names
        ] + [
            (alias.name, alias.asname or alias.name.split(".")[0])
            for node in told.body if isinstance(node, ast.Import) for alias in node.names
        ]  # fmt: skip
    return found


@functools.cache
def _withheld(without: tuple[str, ...]) -> tuple[frozenset[str], Mapping[str, frozenset[str]]]:
    """Return the modules that are left out, and by package the names that it does not hand on."""
    start = (*_ALWAYS, *without)
    modules = {name for name in _modules() if any(f"{name}.".startswith(f"{part}.") for part in start)}
    names: dict[str, frozenset[str]] = {}
    size = -1
    while size != len(modules) + sum(map(len, names.values())):
        size = len(modules) + sum(map(len, names.values()))
        for name, imported in _imports().items():
            lost = {alias for target, alias in imported if _is_lost(target, modules, names)}
            if name in modules or not lost:
                continue
            path = _modules()[name]
            if path.name == "__init__.py" and lost.isdisjoint(_used(path)):
                names[name] = frozenset(lost)
            else:  # it uses what is gone
                modules |= {each for each in _modules() if f"{each}.".startswith(f"{name}.")}
    for name in modules:
        package, _, part = name.rpartition(".")
        if package not in modules:
            names[package] = names.get(package, frozenset()) | {part}
    return frozenset(modules), names


def _used(path: Path) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}


def _is_lost(target: str, modules: set[str], names: Mapping[str, frozenset[str]]) -> bool:
    package, _, name = target.rpartition(".")
    return target in modules or package in modules or name in names.get(package, ())


def _rewritten(text: str, name: str, without: tuple[str, ...]) -> str:
    """Return the text of an `__init__` that hands on what is left."""
    lost, tree = _withheld(without)[1][name], ast.parse(text)
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            node.names = [each for each in node.names if (each.asname or each.name) not in lost]
            if not node.names:
                continue
        if (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "__all__"
            and isinstance(node.value, ast.List)
        ):
            node.value.elts = [each for each in node.value.elts if ast.literal_eval(each) not in lost]
        body.append(node)
    tree.body = body
    return ast.unparse(tree) + _REST.format(names=sorted(lost))
