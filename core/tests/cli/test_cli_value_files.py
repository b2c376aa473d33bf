"""Values of parameters that stand in files: ``-p hosts=@web.txt``."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from workstream._cli.parameters import PlanCommand

Call = Callable[..., Result]
WritePlan = Callable[..., Path]


def taking(annotation: Any) -> PlanCommand:
    """A plan function with one parameter, ``it``, of this type."""

    def function(it: Any) -> Any:
        return it

    function.__annotations__["it"] = annotation
    return PlanCommand(function)


@pytest.mark.parametrize(
    ("name", "text", "annotation", "value"),
    [
        ("web.txt", "# all\na\n\n  b  # two\nc#d\n", list[str], ["a", "b", "c#d"]),
        ("web", "\ufeff1\r\n2\r\n", list[int], [1, 2]),
        ("web.json", '["a", 2, true, ""]', list[str], ["a", "2", "true", ""]),
        ("web.JSON", "[1, 2]", tuple[int, ...], (1, 2)),
        ("web.json", '"a"', list[str], ["a"]),
        ("web.yaml", "- a\n- no\n- 010\n", list[str], ["a", "no", "010"]),
        ("web.yml", "[1, 2]", set[int], {1, 2}),
        ("one.txt", "2.1\n", str, "2.1"),
        ("one.json", "3", int, 3),
    ],
)
def test_a_file_holds_values(
    tmp_path: Path, name: str, text: str, annotation: Any, value: object
) -> None:
    """One a line, or as its suffix says; converted as any other text."""
    (tmp_path / name).write_text(text)

    values, faults = taking(annotation).values([f"it=@{tmp_path / name}"])

    assert faults == []
    assert values == {"it": value}


def test_files_and_texts_may_be_mixed(tmp_path: Path) -> None:
    """In the order in which they are given; ``@@`` begins a text."""
    (tmp_path / "web.txt").write_text("b\nc\n")
    command = taking(list[str])

    values, faults = command.values(["it=a", f"it=@{tmp_path / 'web.txt'}", "it=@@d"])

    assert (values, faults) == ({"it": ["a", "b", "c", "@d"]}, [])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("gone.txt", None, "cannot be read: No such file or directory"),
        ("empty.txt", "# nothing\n\n", "holds no value"),
        ("empty.json", "[]", "holds no value"),
        ("bad.json", "[1,", "is no JSON: "),
        ("bad.yaml", "a: [", "is no YAML: "),
        ("object.json", '[1, {"a": 2}]', "holds an object at [1]: write a list of"),
        ("null.json", "null", "holds null as a whole"),
        ("nested.yaml", "- [a]\n", "holds a list at [0]"),
        ("bytes.txt", b"\xff\xfe", "is no text in UTF-8"),
    ],
)
def test_a_file_without_values_is_told_with_its_parameter(
    tmp_path: Path, name: str, text: str | bytes | None, says: str
) -> None:
    """What is wrong, and in which file."""
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    values, [fault] = taking(list[str]).values([f"it=@{path}"])

    assert values == {}
    assert fault.startswith(f"-p it: '{path}' ")
    assert says in fault


def test_one_parameter_takes_one_value(tmp_path: Path) -> None:
    """A file with several is refused for it, as several texts are."""
    (tmp_path / "two.txt").write_text("a\nb\n")

    _, faults = taking(str).values([f"it=@{tmp_path / 'two.txt'}"])

    assert faults == ["-p it: it takes one value, not 2"]


def test_yaml_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what to do without."""
    (tmp_path / "web.yaml").write_text("- a\n")
    monkeypatch.setitem(sys.modules, "yaml", None)

    _, [fault] = taking(list[str]).values([f"it=@{tmp_path / 'web.yaml'}"])

    assert "install workstream-engine[yaml], or write the list as JSON" in fault


def test_the_plan_remembers_the_file_and_its_digest(tmp_path: Path) -> None:
    """So it can be told later which hosts were meant (RT-5)."""
    path = tmp_path / "web.txt"
    path.write_text("a\n")
    command = taking(list[str])
    command.values([f"it=@{path}", "it=b"])
    path.write_text("changed\n")

    digest = hashlib.sha256(b"a\n").hexdigest()
    assert command.shown([f"it=@{path}", "it=b"]) == (
        ("it", f"@{path} sha256:{digest}"),
        ("it", "b"),
    )


def test_missing_secrets_are_told_before_anything_is_stored(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """All at once; ``--no-preflight`` begins all the same (PV-8)."""
    file = write_plan("""
    tier(Sequence(name="s", actions=[
        act("one", token=SecretRef("env:NO_SUCH_1")),
        act("two", token=SecretRef("env:NO_SUCH_2")),
    ]))
    """)

    refused = call("run", file)
    begun = call("run", file, "--no-preflight")

    assert refused.exit_code == 2
    assert "NO_SUCH_1" in refused.stderr
    assert "NO_SUCH_2" in refused.stderr
    assert begun.exit_code == 1
    assert begun.output.count("NO_SUCH_2") == 0
    assert len([*call("list").stdout.splitlines()]) == 2


@pytest.mark.slow
def test_a_busy_lock_is_told_before_anything_is_stored(
    call: Call,
    write_plan: WritePlan,
    start: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """It names the plan that holds it; ``--wait`` waits for it (LK-1)."""
    gate = tmp_path / "gate"
    body = """
    Plan(name="Deploy", locks=("web",), blocks=[Block(name="Tier", sequences=[
        Sequence(name="s", actions=[act("hold", hold=%r)])])])
    """
    file = write_plan(body % str(gate))
    holder = start("run", file)
    holder.wait_for("called")

    refused = call("run", file)
    waiting = start("run", "--wait", file)
    waiting.wait_for("waiting: ")
    gate.touch()

    assert refused.exit_code == 2
    assert "the lock 'web' is held by plan 'Deploy'" in " ".join(refused.stderr.split())
    assert holder.end() == 0
    assert waiting.end() == 0
    assert len(call("list").stdout.splitlines()) == 3


@pytest.mark.slow
def test_ctrl_c_gives_the_waiting_up(
    call: Call, write_plan: WritePlan, start: Callable[..., Any], tmp_path: Path
) -> None:
    """The plan is stopped, and was never started."""
    import signal

    gate = tmp_path / "gate"
    body = """
    Plan(name="Deploy", locks=("web",), blocks=[Block(name="Tier", sequences=[
        Sequence(name="s", actions=[act("hold", hold=%r)])])])
    """
    file = write_plan(body % str(gate))
    holder = start("run", file)
    holder.wait_for("called")
    waiting = start("run", "--wait", file)
    waiting.wait_for("waiting: ")

    waiting.signal(signal.SIGINT)

    assert waiting.end() == 4
    gate.touch()
    assert holder.end() == 0
