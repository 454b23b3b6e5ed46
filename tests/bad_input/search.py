"""Finds every place of the code in which something from outside is decoded, by the calls that decode and the types of DynamoDB.

It sees more than decoders: what it finds and is none is excused in `registry.py`, with the reason. So a new decoder is broken into, or
somebody says why not.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("orderstore", "projections", "workers")
# Calls by their last name, whoever they belong to.
CALLS: Final = frozenset(
    {
        "loads",
        "decompress",
        "decompressobj",
        "stream_reader",
        "b64decode",
        "urlsafe_b64decode",
        "fromisoformat",
        "fromhex",
        "model_validate",
        "model_validate_json",
        "convert",
        "parsedate_to_datetime",
        "construct_event",
        "load_der_public_key",
        "DictReader",
        "reader",
        "GzipFile",
    }
)
KINDS: Final = frozenset({"S", "N", "B", "M", "L", "BOOL"})
"""Of a DynamoDB attribute: `item["x"]["S"]`."""
ROWS: Final = frozenset({"row", "item"})
"""As rows of the service tables are called: `row["x"]`."""
MADE_HERE: Final = frozenset({"dumps", "b64encode", "urlsafe_b64encode", "encode", "hexdigest"})
"""`.decode()` of what one of these has made decodes nothing from outside."""


def found() -> dict[str, list[int]]:
    """Each function, as `module:Class.function`, with the lines that decode in it."""
    places: dict[str, list[int]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for name, line in _in_module(ast.parse(path.read_text(encoding="utf-8"))):
                places.setdefault(f"{module}:{name}", []).append(line)
    return places


def _in_module(tree: ast.Module) -> Iterator[tuple[str, int]]:
    def walk(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            inner = names
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                # What is defined inside a function belongs to it.
                is_inside = bool(names) and names[-1][:1].islower()
                inner = names if is_inside else (*names, child.name)
            if _decodes(child):
                yield ".".join(names) or "(module)", child.lineno  # type: ignore[attr-defined]  # expressions have lines
            yield from walk(child, inner)

    yield from walk(tree, ())


def _decodes(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="decode", value=made)):
            return not _is_made_here(made)
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return name in CALLS
        case ast.Subscript(value=ast.Subscript(), slice=ast.Constant(value=str(kind)), ctx=ast.Load()):
            return kind in KINDS
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str()), ctx=ast.Load()):
            return name in ROWS
        case _:
            return False


def _is_made_here(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=name, value=inner)):
            return name in MADE_HERE or _is_made_here(inner)
        case _:
            return False
