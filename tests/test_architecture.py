"""The folders show the architecture, and imports run one way."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
OURS = ("orderstore", "projections", "workers", "deploy", "tests")
LINES_MAX = 300
COMPOSERS = (
    "workers.api",
    "workers.core",
    "workers.live",
    "workers.subscriptions",
    "workers.sweepers",
    "workers.wiring",
    "workers.cli",
    "workers.mendable",
    "workers.demo",
    "workers.commands",
)
# Adapters that may name the AWS library: everything else is written to AnyIO and to ports.
AWS_LIBRARIES = ("aiobotocore", "botocore", "boto3", "types_aiobotocore_")

# The one part of projecting that knows the stream: the subscriber itself.
PROJECTOR = "projections.projecting.projector"


def _read_side(*names: str) -> tuple[str, ...]:
    return tuple(f"projections.{name}" for name in names)


# What the parts of the read side may not know of each other. A rebuild reaches nothing that could speak to the world (D06).
UNKNOWN_ON_THE_READ_SIDE = {
    "projections.stream": (
        "orderstore",
        *_read_side(
            *(
                "view_store",
                "views",
                "projecting",
                "comparing",
                "publishing",
                "answers",
                "parked_orders",
                "rebuild",
                "http",
            )
        ),
    ),
    "projections.views": _read_side(
        *(
            "view_store",
            "projecting",
            "comparing",
            "publishing",
            "answers",
            "parked_orders",
            "rebuild",
            "http",
            "stream",
        )
    ),
    "projections.view_store": _read_side(
        *("projecting", "comparing", "publishing", "answers", "parked_orders", "rebuild", "http", "stream")
    ),
    "projections.projecting": _read_side(
        *("stream", "comparing", "publishing", "answers", "parked_orders", "rebuild", "http", "commits")
    ),
    "projections.comparing": _read_side(
        *("stream", "publishing", "answers", "parked_orders", "rebuild", "http", "commits")
    ),
    "projections.publishing": _read_side(
        *("view_store", "views", "projecting", "comparing", "answers", "parked_orders", "rebuild", "http")
    ),
    "projections.answers": _read_side("projecting", "comparing", "publishing", "parked_orders", "rebuild", "http"),
    "projections.live": _read_side("projecting", "comparing", "publishing", "parked_orders", "rebuild", "http"),
    "projections.rebuild": (
        *_read_side("stream", "publishing", "answers", "parked_orders", "http", "commits"),
        "orderstore.orders",
        "orderstore.transact",
        "orderstore.privacy",
    ),
}

# Files past 300 lines, each with its reason.
LONG_FILES: dict[str, str] = {}


def modules() -> list[tuple[str, Path]]:
    found = []
    for package in OURS[:-1]:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found.append((name, path))
    return found


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    return tuple(_imports_of(path))


def _imports_of(path: Path) -> Iterator[str]:
    for node in _statements(ast.parse(path.read_text()).body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement, however deep; no import hides in an expression."""
    for statement in body:
        yield statement
        for part in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, part, []))
        for part in ("handlers", "cases"):
            for branch in getattr(statement, part, []):
                yield from _statements(branch.body)


def starts_with(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def forbidden(module: str) -> tuple[str, ...]:
    """What a module may not import, by where it lies."""
    if starts_with(module, *COMPOSERS):
        return ("deploy", "tests")
    if starts_with(module, "orderstore.domain"):
        return tuple(name for name in OURS if name != "orderstore")
    if starts_with(module, "orderstore.store"):
        return (
            "orderstore.domain",
            "orderstore.codec",
            "orderstore.orders",
            "projections",
            "workers",
            "deploy",
            "tests",
        )
    if starts_with(module, "orderstore"):
        return ("projections", "workers", "deploy", "tests")
    for package, unknown in UNKNOWN_ON_THE_READ_SIDE.items():
        if starts_with(module, package) and module != PROJECTOR:
            return (*unknown, "workers", "deploy", "tests")
    if starts_with(module, "projections"):
        return ("workers", "deploy", "tests")
    if starts_with(module, "workers.runtime"):
        return ("orderstore", "projections", "deploy", "tests")
    if starts_with(module, "workers"):
        return ("projections", "deploy", "tests")
    assert starts_with(module, "deploy")
    return ("orderstore", "projections", "workers", "tests")


def test_imports_run_one_way() -> None:
    """A module imports only what its place in the picture lets it know."""  # E011, E023, D04
    crossings = [
        f"{module} imports {name}"
        for module, path in modules()
        for name in imports_of(path)
        if starts_with(name, *forbidden(module))
    ]

    assert crossings == []


def test_a_rebuild_reaches_nothing_that_speaks_to_the_world() -> None:
    """Nor does anything that it imports, however far: no topic, queue, mail, provider, nor the stream that would tell others."""  # D06
    paths = dict(modules())
    reached: set[str] = set()
    waiting = [module for module in paths if starts_with(module, "projections.rebuild")]
    while waiting:
        module = waiting.pop()
        if module in paths and module not in reached:
            reached.add(module)
            parents = [module.rpartition(".")[0]] if "." in module else []
            waiting += [*imports_of(paths[module]), *parents]

    speaking = (
        "workers",
        *(name for name in UNKNOWN_ON_THE_READ_SIDE["projections.rebuild"] if name.startswith("projections")),
    )
    assert [module for module in sorted(reached) if starts_with(module, *speaking)] == []
    assert "projections.projecting.catching_up" in reached


def test_the_domain_needs_nothing_but_the_standard_library() -> None:
    """The order is pure: no library, and nothing of ours but itself."""
    import sys

    for module, path in modules():
        if starts_with(module, "orderstore.domain"):
            for name in imports_of(path):
                assert name.split(".")[0] in sys.stdlib_module_names or starts_with(name, "orderstore.domain"), module


def test_runtime_code_knows_no_event_loop() -> None:
    """asyncio is named by the composers and the adapters only, so that the rest runs on virtual time."""
    named = [
        module
        for module, path in modules()
        if "asyncio" in set(imports_of(path)) and not starts_with(module, *COMPOSERS, "deploy")
    ]

    assert named == []


def test_a_worker_imports_no_other_worker() -> None:
    """Departments share the runtime and the envelope, nothing else."""  # D04, E023
    departments = ("payment", "inventory", "shipping", "billing", "notification", "archive", "webhooks", "intake")
    for module, path in modules():
        parts = module.split(".")
        if parts[0] == "workers" and len(parts) > 1 and parts[1] in departments:
            others = [f"workers.{name}" for name in departments if name != parts[1]]
            assert [name for name in imports_of(path) if starts_with(name, *others)] == [], module


def test_only_the_settings_read_the_environment() -> None:
    """One module reads environment variables; everything else is given values."""
    readers = [
        module
        for module, path in modules()
        if not starts_with(module, "deploy")
        and any(name in path.read_text() for name in ("os.environ", "os.getenv", "getenv("))
    ]

    assert readers == ["workers.settings"]


def test_files_stay_short_enough_to_read() -> None:
    """Past 300 lines a file wants its reason, or its seam."""
    lines = {module: len(path.read_text().splitlines()) for module, path in modules()}

    assert {module: length for module, length in lines.items() if length > LINES_MAX and module not in LONG_FILES} == {}


def test_every_folder_of_code_says_what_it_is() -> None:
    """Each package begins with a sentence for the stranger."""
    for package in OURS[:-1]:
        for folder in {path.parent for path in (ROOT / package).rglob("*.py")}:
            introduction = folder / "__init__.py"
            assert introduction.exists(), folder
            assert ast.get_docstring(ast.parse(introduction.read_text())), folder
