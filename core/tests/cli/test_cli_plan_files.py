"""Plan files that are wrong, each in its way, and those that are right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

GOOD = 'tier(Sequence(name="one", actions=[act("do", say="hello")]))'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "deploy.py has no function `plan`: write `def plan()"),
        ("def main(): ...\n", "deploy.py has no function `plan` (it has main)"),
        ("plan = 3\n", "`plan` is of type int, not a function"),
        ("class plan: ...\n", "`plan` is a class, not a function"),
        ("async def plan(): ...\n", "`plan` is written `async def`: write `def`"),
        ("def plan():\n    return 3\n", "returned an object of type int, not a Plan"),
        ("def plan():\n    3\n", "returned None, not a Plan: is a `return` missing?"),
        ("def plan(x: Nowhere): ...\n", "its annotations cannot be read"),
        (
            "import asyncio\ndef plan():\n    async def made(): ...\n    return made()\n",
            "`plan` is written `async def`",
        ),
    ],
)
def test_what_is_no_plan_function_is_told(
    call: Call, write_plan: WritePlan, text: str, message: str
) -> None:
    """A clear sentence for each way not to have a plan function; the status is 2."""
    result = call("run", write_plan(text, whole=True))

    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "import no_such_module_anywhere\n",
            [
                "cannot be imported",
                'deploy.py", line 1',
                "ModuleNotFoundError: No module named 'no_such_module_anywhere'",
            ],
        ),
        ("def plan(:\n", ["cannot be imported", 'deploy.py", line 1', "SyntaxError"]),
        ("raise SystemExit(3)\n", ["cannot be imported", "SystemExit: 3"]),
        (
            "def plan():\n    return helper()\n\n\ndef helper():\n    return 1 / 0\n",
            [
                "its plan function failed",
                "line 2, in plan",
                "line 6, in helper",
                "ZeroDivisionError: division by zero",
            ],
        ),
    ],
)
def test_errors_are_shown_with_the_users_own_lines(
    call: Call, write_plan: WritePlan, text: str, lines: list[str]
) -> None:
    """The traceback has the file and line of the user's code, and none of ours."""
    result = call("validate", write_plan(text, whole=True))

    assert result.exit_code == 2
    for line in lines:
        assert line in result.stderr
    assert "_plan_file.py" not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_that_is_not_there_is_named(call: Call, tmp_path: Path) -> None:
    """So is a directory in its place."""
    result = call("run", tmp_path / "gone.py")
    assert result.exit_code == 2
    assert "gone.py cannot be read: No such file or directory" in result.stderr

    result = call("run", tmp_path)
    assert result.exit_code == 2
    assert "cannot be read: Is a directory" in result.stderr


def test_helpers_beside_the_file_can_be_imported(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """At its top and in its functions; and the file itself leaves nothing behind."""
    (tmp_path / "cli_helper_one.py").write_text("NAME = 'one'\n")
    (tmp_path / "cli_helper_two.py").write_text("NAME = 'two'\n")
    path = write_plan(
        """
        from cli_helper_one import NAME
        from workstream import *
        from toy_plugin import Act, Do

        print("noise")

        def plan():
            import cli_helper_two
            print("noise")
            actions = [Act.action(Do(), name=cli_helper_two.NAME)]
            return Plan(name=NAME, blocks=[
                Block(name="b", sequences=[Sequence(name="s", actions=actions)]),
            ])
        """,
        whole=True,
    )

    result = call("validate", path, "--json")

    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["plan"]["name"] == "one"
    assert result.stderr == "noise\nnoise\n"
    assert not (tmp_path / "__pycache__" / "deploy.cpython-311.pyc").exists()
    for name in ("cli_helper_one", "cli_helper_two"):
        del sys.modules[name]


def test_dataclasses_and_annotations_work_in_plan_files(
    call: Call, write_plan: WritePlan
) -> None:
    """The module can be found by its name, as such decorators want."""
    path = write_plan(
        """
        from __future__ import annotations
        from dataclasses import dataclass
        from workstream import *
        from toy_plugin import Act, Do

        @dataclass
        class Host:
            name: str

        def plan(count: int = 2) -> Plan:
            hosts = [Host(f"web-{n}") for n in range(count)]
            return Plan(name="p", blocks=[Block(name="b", sequences=[
                Sequence(name=h.name, actions=[Act.action(Do(), name="a")]) for h in hosts
            ])])

        if __name__ == "__main__":
            raise SystemExit("run as a program")
        """,
        whole=True,
    )

    assert call("validate", path, "-p", "count=3").exit_code == 0


def test_validate_prints_a_plan_that_is_valid(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Secrets hidden, no store touched, nothing called."""
    plan = write_plan(
        'tier(Sequence(name="s", actions=[act("a", password="hunter22")]))'
    )

    result = call("validate", plan)

    assert result.exit_code == 0
    assert result.stdout.startswith("Deploy\n  Tier\n    s\n      a\n")
    assert "[secret hidden]" in result.stdout
    assert "hunter22" not in result.stdout
    assert not (tmp_path / "store").exists()


def test_validate_tells_all_faults(call: Call, write_plan: WritePlan) -> None:
    """Each with its path; an unknown plugin with those that are like it (V-1, V-15)."""
    plan = """
    tier(
        Sequence(name="", actions=[]),
        Sequence(name="s", actions=[Action(name="a", plugin="toy.atc")]),
        concurrency=-1,
    )
    """
    result = call("validate", write_plan(plan))

    assert result.exit_code == 2
    for text in ("[V-6]", "[V-9]", "[V-15]", "[V-21]", "did you mean 'toy.act'"):
        assert text in result.stderr
    result = call("validate", write_plan(plan), "--json")
    assert result.exit_code == 2
    data = json.loads(result.stdout)
    assert not data["valid"]
    assert {fault["rule"] for fault in data["faults"]} >= {"V-6", "V-9", "V-15", "V-21"}


def test_run_refuses_an_invalid_plan(call: Call, write_plan: WritePlan) -> None:
    """All faults are told, nothing is stored, and the status is 2."""
    result = call("run", write_plan('tier(Sequence(name="s", actions=[]))'))

    assert result.exit_code == 2
    assert "Deploy / Tier / s" in result.stderr
    assert call("list", "--json").stdout == "[]\n"


def test_bad_parameters_are_told_with_those_there_are(
    call: Call, write_plan: WritePlan
) -> None:
    """All at once, followed by the list that ``--params`` prints."""
    path = write_plan(
        """
        def plan(version: str, count: int = 2, hosts: tuple[str, ...] = ()):
            \"\"\"Deploy.

            Args:
                version: Which one.
            \"\"\"
        """,
        whole=True,
    )

    result = call("run", path, "-p", "count=x", "-p", "vers=1")

    assert result.exit_code == 2
    assert "-p vers: there is no such parameter; did you mean version?" in result.stderr
    assert "-p count: 'x' is not a valid integer" in result.stderr
    assert "-p version is missing: give -p version=TEXT" in result.stderr
    listing = call("validate", path, "--params").stdout
    assert listing.splitlines() == [
        "-p version=TEXT   Which one.  [required]",
        "-p count=INTEGER  [default: 2]",
        "-p hosts=TEXT     [default: (); again for another]",
    ]
    data = json.loads(call("validate", path, "--params", "--json").stdout)
    assert data[0] == {
        "name": "version",
        "usage": "-p version=TEXT",
        "required": True,
        "default": None,
        "description": "Which one.",
    }


def test_a_plan_may_be_json(call: Call, write_plan: WritePlan, tmp_path: Path) -> None:
    """What ``validate --json`` prints as the plan can be run."""
    made = json.loads(call("validate", write_plan(GOOD), "--json").stdout)["plan"]
    del made["scrubbed"]
    path = tmp_path / "deploy.json"
    path.write_text(json.dumps(made))

    result = call("run", path, "--json")

    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["name"] == "Deploy"
    refused = call("run", path, "-p", "x=1")
    assert refused.exit_code == 2
    assert "takes no parameters" in refused.stderr


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "this is not JSON"),
        (b"\xff\xfe", "is no text in UTF-8"),
        (b'{"format": 1, "name": "x"}', "this is not the JSON of a plan"),
        (b"[]", "this is not the JSON of a plan"),
    ],
)
def test_json_that_is_no_plan_is_told(
    call: Call, tmp_path: Path, data: bytes, message: str
) -> None:
    """With the file's name; the status is 2."""
    path = tmp_path / "deploy.json"
    path.write_bytes(data)

    result = call("run", path)

    assert result.exit_code == 2
    assert "deploy.json" in result.stderr
    assert message in result.stderr


@pytest.mark.parametrize("where", ["beside the plan", "in the current folder"])
@pytest.mark.slow
def test_files_beside_the_plan_hide_no_module(
    where: str, write_plan: WritePlan, tmp_path: Path, toy: Path
) -> None:
    """Modules of packages and of Python come before what lies beside the plan."""
    trap = "raise SystemExit('a file beside the plan was imported')\n"
    for name in ("secrets", "random", "json", "attrs", "trio", "rich", "toy_commands"):
        (tmp_path / f"{name}.py").write_text(trap)
    (toy / "toy_commands.py").write_text("NAME = 'from the package'\n")
    path = write_plan(
        """
        import secrets
        from toy_commands import NAME
        from workstream import *
        from toy_plugin import Act, Do

        def plan():
            import random
            actions = [Act.action(Do(), name=NAME)]
            return Plan(name=secrets.__name__, blocks=[
                Block(name=random.__name__, sequences=[Sequence(name="s", actions=actions)]),
            ])
        """,
        whole=True,
    )
    folder = tmp_path if where == "in the current folder" else toy

    done = subprocess.run(
        [sys.executable, "-m", "workstream", "validate", path, "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)["plan"]
    assert plan["name"] == "secrets"
    assert plan["blocks"][0]["sequences"][0]["actions"][0]["name"] == "from the package"


def test_a_helper_whose_name_is_taken_is_told(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Where its import fails, the error names the file and says what to do."""
    (tmp_path / "secrets.py").write_text("TOKEN = 'mine'\n")
    path = write_plan("from secrets import TOKEN\n", whole=True)

    result = call("validate", path)

    assert result.exit_code == 2
    assert "cannot import name 'TOKEN' from 'secrets'" in result.stderr
    assert (
        "secrets.py is not imported: secrets is a module of Python or of an installed"
        " package; give the file another name"
    ) in " ".join(result.stderr.split())
