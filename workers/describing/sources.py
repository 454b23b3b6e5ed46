"""What only the source text knows: what is written under a field, and who calls a decision."""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_PACKAGES: Final = ("orderstore", "projections", "workers")
_DOMAIN: Final = "orderstore.domain"


@cache
def said_of_fields(of: type) -> Mapping[str, str]:
    """What is written under the fields of a class, by name."""
    source = inspect.getsource(of)
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for statement, following in zip(tree.body, tree.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = one_line(text)
            case _:
                continue
    return found


@cache
def types_of_fields(of: type) -> Mapping[str, str]:
    """The types of a class's fields as they are written, without the module's short name."""
    (tree,) = ast.parse(inspect.getsource(of)).body
    assert isinstance(tree, ast.ClassDef)
    written = {
        statement.target.id: re.sub(r"\be\.", "", ast.unparse(statement.annotation))
        for statement in tree.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }
    return {one.name: written[one.name] for one in fields(of) if one.name in written}


def said(of: object) -> str:
    """What a class or function says of itself, in one line."""
    return one_line(inspect.getdoc(of) or "")


def one_line(text: str) -> str:
    """The same words without line breaks."""
    return " ".join(text.split())


@cache
def callers() -> Mapping[str, tuple[str, ...]]:
    """By decision (`module.name`), the modules outside of the domain that name it."""
    found: dict[str, set[str]] = {}
    for package in _PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            inside = path.relative_to(ROOT).as_posix()
            if inside.startswith(("orderstore/domain/", "workers/describing/")):
                continue
            text = path.read_text(encoding="utf-8")
            for module, name in set(_named(ast.parse(text))) if _DOMAIN in text else ():
                found.setdefault(_home(module, name), set()).add(inside)
    return {decision: tuple(sorted(modules)) for decision, modules in found.items()}


@cache
def _home(module: str, name: str) -> str:
    """Where it is written, whichever module offers it."""
    thing = getattr(import_module(f"{_DOMAIN}.{module}"), name, None)
    home = thing.__module__ if inspect.isfunction(thing) else module
    return f"{home.removeprefix(f'{_DOMAIN}.')}.{name}"


def _named(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each name of a module of the domain that is imported or used."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module == _DOMAIN:
                modules |= {name.asname or name.name: name.name for name in names}
            case ast.ImportFrom(module=str(module), names=names) if module.startswith(f"{_DOMAIN}."):
                yield from ((module.removeprefix(f"{_DOMAIN}."), name.name) for name in names)
            case _:
                continue
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in modules:
                yield modules[name], attribute
            case _:
                continue
