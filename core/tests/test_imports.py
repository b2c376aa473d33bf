"""Imports point one way, and importing the engine stays cheap.

The table below is the house: rooms from the ground up. A module imports from rooms
below its own, and from its own as long as no two modules there need each other to be
imported at all.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "core" / "src" / "workstream"

ROOMS: dict[str, tuple[str, ...]] = {
    "values": ("_values", "retries"),
    "flow": ("_flow",),
    "secrets": ("_secrets",),
    "plan": ("_plan",),
    "protocols": ("_protocols",),
    "authoring": ("_authoring",),
    "registry": ("_registry", "hookspecs"),
    "validation": ("_validation",),
    "interpreter": ("_interpreter",),
    "attempts": ("_attempts",),
    "codec": ("_codec",),
    "vaults": ("_vaults",),
    "store": ("_store",),
    "observers": ("_observers",),
    "show": ("_show",),
    "report": ("_report",),
    "runtime": ("_runtime",),
    "preview": ("_preview",),
    "engine": ("_engine",),
    "command line": ("_cli", "__main__"),
    "built in": ("_builtin",),
}
"""Each room's packages and public modules. Order is what the house stands on."""

UPWARDS = {("_registry.host", "_builtin")}
"""What the core brings comes through the host like any package, loaded when they are."""

FACES = (
    "__init__",
    "errors",
    "plugins",
    "results",
    "show",
    "vaults",
    "testing",
    "testing.__init__",
    "testing.strategies",
)
"""They gather what others define, from any room; nothing imports them."""

LIBRARIES: dict[str, tuple[str, ...]] = {
    "trio": (
        "authoring",
        "vaults",
        "store",
        "observers",
        "runtime",
        "preview",
        "engine",
        "command line",
    ),
    "lmdb": ("vaults",),
    "cattrs": ("codec",),
    "msgpack": ("values",),
    "re2": ("authoring",),
    "pluggy": ("registry",),
    "platformdirs": ("store", "command line"),
    "click": ("registry", "command line"),
    "rich": ("command line",),
    # A run has one event loop, and it is the runtime's business which.
    "anyio": (),
    "asyncio": (),
}
"""Which rooms may import a library, be it only inside a function."""

LINES, MODULES = 500, 12
"""The most lines of a module, and the most modules of a folder beside ``__init__``."""


@attrs.frozen
class Import:
    """One import in a module's source.

    Attributes:
        module: What is imported.
        line: Where.
        typing_only: Whether only type checkers see it.
        later: Whether it waits until a function is called.
    """

    module: str
    line: int
    typing_only: bool
    later: bool


def modules() -> dict[str, Path]:
    """The engine's modules by name, those of subpackages dotted."""
    return {
        ".".join(path.relative_to(ENGINE).with_suffix("").parts): path
        for path in sorted(ENGINE.rglob("*.py"))
    }


def room_of(module: str) -> str | None:
    """The room that lists the module, or the subpackage it is in."""
    for room, names in ROOMS.items():
        if module.split(".")[0] in names:
            return room
    return None


def statements(
    body: Iterable[ast.AST], *, only: bool = False, later: bool = False
) -> Iterator[tuple[ast.AST, bool, bool]]:
    """All statements, however deep, with ``typing_only`` and ``later`` of each.

    Expressions are left out, which are most of a tree: no import is in one.
    """
    for node in body:
        yield node, only, later
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from statements(node.body, only=only, later=True)
        elif isinstance(node, ast.If):
            for_types = only or "TYPE_CHECKING" in ast.unparse(node.test)
            yield from statements(node.body, only=for_types, later=later)
            yield from statements(node.orelse, only=only, later=later)
        else:
            inner = [
                each
                for part in ("body", "orelse", "finalbody", "handlers", "cases")
                for each in getattr(node, part, ())
            ]
            yield from statements(inner, only=only, later=later)


@functools.cache
def imports(module: str, path: Path) -> tuple[Import, ...]:
    """What a module imports, wherever in its source; relative names made absolute."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    made: list[Import] = []
    package = ["workstream", *module.split(".")[:-1]]
    for node, only, later in statements(tree.body):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            # ``from . import x`` imports the module x; ``from .x import y`` does too.
            names = [
                f"{origin}.{alias.name}" if node.module is None else origin
                for alias in node.names
            ]
        else:
            continue
        for name in dict.fromkeys(names):
            made.append(Import(name, node.lineno, only, later))
    return tuple(made)


def engine_imports(module: str, path: Path) -> Iterator[Import]:
    """The engine's own modules that a module imports, without the package's name."""
    for found in imports(module, path):
        if found.module.split(".")[0] == "workstream":
            name = found.module.removeprefix("workstream").lstrip(".")
            yield attrs.evolve(found, module=name)


def run(program: str, *arguments: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


ONE_ACTION = """
from workstream import Block, Plan, Sequence
from workstream_command import Run, RunCommand

def plan() -> Plan:
    actions = [RunCommand.action(Run(("true",)), name="Nothing")]
    sequences = [Sequence(name="One", actions=actions)]
    return Plan(name="One action", blocks=[Block(name="Block", sequences=sequences)])
"""
ANSWER = """
import sys
from workstream.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sys.modules)
"""
"""The command line, and at last the modules that it has loaded."""


def test_each_module_has_a_room() -> None:
    """A module belongs to a room, so that a reader knows what it may know."""
    homeless = [
        module for module in modules() if module not in FACES and not room_of(module)
    ]

    assert not homeless, f"give each a room in ROOMS: {', '.join(homeless)}"


def test_each_room_is_lived_in() -> None:
    """The table names only modules that there are."""
    gone = [
        name
        for names in ROOMS.values()
        for name in names
        if not any(module.split(".")[0] == name for module in modules())
    ]

    assert not gone, f"take these out of ROOMS: {', '.join(gone)}"


def test_modules_and_folders_are_small() -> None:
    """Whoever opens one can take it in: a longer module has two ideas in it."""
    found = [
        path
        for source in (ENGINE, ROOT / "testing" / "src" / "_workstream_testing")
        for path in source.rglob("*.py")
    ]
    large = {
        str(path.relative_to(ROOT)): lines
        for path in found
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LINES
    }
    folders = Counter(
        str(path.parent.relative_to(ROOT)) for path in found if path.stem != "__init__"
    )
    large |= {name: count for name, count in folders.items() if count > MODULES}

    assert large == {}, "split these, or take out what has a twin elsewhere"


def test_imports_point_down() -> None:
    """No module imports from a room above its own, nor one of the public faces."""
    order = list(ROOMS)
    wrong: list[str] = []
    for module, path in modules().items():
        room = room_of(module)
        if room is None:
            continue
        for found in engine_imports(module, path):
            name = found.module
            target = room_of(name)
            where = f"{module}.py:{found.line} ({room})"
            if name in ("", *FACES):
                wrong.append(f"{where} imports a public face")
            elif target is None or (module, name) in UPWARDS:
                continue
            elif order.index(target) > order.index(room):
                wrong.append(f"{where} imports {name} ({target})")

    assert not wrong, "\n".join(wrong)


def test_no_two_modules_need_each_other() -> None:
    """What modules import as they are imported forms no circle."""
    known = modules()
    graph = {
        module: {
            found.module
            for found in engine_imports(module, path)
            if found.module in known and not (found.later or found.typing_only)
        }
        for module, path in known.items()
        if module not in FACES
    }
    while leaves := [module for module, needs in graph.items() if not needs]:
        for module in leaves:
            del graph[module]
        for needs in graph.values():
            needs.difference_update(leaves)

    assert not graph, f"these need each other: {graph}"


def test_libraries_stay_in_their_rooms() -> None:
    """The interpreter, and all below it, know no event loop; one room knows a store."""
    wrong = [
        f"{module}.py:{found.line} ({room_of(module)}) imports {found.module}"
        for module, path in modules().items()
        if module not in FACES
        for found in imports(module, path)
        if (library := found.module.split(".")[0]) in LIBRARIES
        and not found.typing_only
        and room_of(module) not in LIBRARIES[library]
    ]

    assert not wrong, "\n".join(wrong)


def test_importing_the_engine_is_cheap() -> None:
    """``import workstream`` loads no event loop, no store, no terminal, no harness."""
    loaded = run("import sys, workstream; print(*sys.modules)").split()
    heavy = ["trio", "lmdb", "cattrs", "rich", "click", "re2", "_workstream_testing"]

    assert set(heavy) & set(loaded) == set()


LEFT_OUT = {
    "--help": "trio rich attrs cattrs lmdb msgpack pluggy json workstream_command",
    "list": "trio rich cattrs pluggy asyncio ssl json workstream._plan.plan"
    " workstream._codec.codec workstream._engine.engine workstream_command",
    "list --json": "trio rich pluggy asyncio ssl workstream._engine.engine"
    " workstream_command",
    "show": "trio asyncio ssl rich pluggy workstream._engine.engine workstream_command",
    "run": "opentelemetry workstream._observers rich workstream_files workstream_postgres psycopg workstream._preview.dry_run workstream._cli.commands.look",
}
"""What a command has no use for: a user would wait for each of them (see ``-X importtime``)."""


@pytest.mark.slow
@pytest.mark.parametrize("command", LEFT_OUT)
def test_a_command_imports_what_it_uses(command: str, tmp_path: Path) -> None:
    """The list is of modules and not of times, so that it fails for one reason only."""
    plan = tmp_path / "deploy.py"
    plan.write_text(ONE_ACTION)
    store = f"--store={tmp_path / 'store'}"
    run(ANSWER, "run", store, str(plan))
    arguments = {"--help": (), "run": (store, str(plan))}.get(command, (store,))
    loaded = run(ANSWER, *command.split(), *arguments).splitlines()[-1].split()

    assert sorted(set(LEFT_OUT[command].split()) & set(loaded)) == []


def test_the_interpreter_needs_no_event_loop() -> None:
    """Interpreter and recovery import where neither trio nor a store can be imported."""
    program = """
import sys
for name in ("trio", "asyncio", "anyio", "lmdb", "cattrs", "rich", "click"):
    sys.modules[name] = None
import workstream._interpreter.interpreter, workstream._interpreter.recovery, workstream._validation.validation
print("imported")
"""

    assert run(program) == "imported\n"


def test_pytest_does_not_load_the_engine() -> None:
    """The pytest plugin, loaded in every user's test run, imports no engine."""
    loaded = run("import sys, _workstream_testing.pytest_plugin; print(*sys.modules)")

    assert not {"workstream", "trio", "lmdb"} & set(loaded.split())


@pytest.mark.slow
def test_only_the_testing_face_knows_the_harness() -> None:
    """The harness is reached through ``workstream.testing``, by all but its own tests."""
    face = ENGINE / "testing"
    folders = (ROOT / "core", ROOT / "docs", *ROOT.glob("plugins-contrib/*/*/"))
    wrong = [
        f"{path.relative_to(ROOT)}:{found.line}"
        for folder in folders
        for path in folder.rglob("*.py")
        if path.parent != face
        for found in imports(path.stem, path)
        if found.module.split(".")[0] == "_workstream_testing"
    ]

    assert not wrong, f"import workstream.testing instead: {', '.join(wrong)}"
