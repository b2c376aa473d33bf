"""Stores in odd places and shapes: what the doctor and the other commands make of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from quickly import one_in

Call = Callable[..., Result]
Start = Callable[..., Any]
WritePlan = Callable[..., Path]
Findings = Callable[[Result, str], dict[str, tuple[str, str]]]

GOOD = 'tier(Sequence(name="one", actions=[act("do")]))'


def test_the_doctor_finds_a_store_that_is_open_to_others(
    call: Call, write_plan: WritePlan, tmp_path: Path, findings: Findings
) -> None:
    """The remedy is a command that mends it."""
    call("run", write_plan(GOOD))
    (tmp_path / "store").chmod(0o755)

    message, remedy = findings(call("doctor", "--json"), "problem")["store"]

    assert "plans can hold secrets" in message
    assert remedy == f"chmod 700 {tmp_path / 'store'}"
    os.chmod(tmp_path / "store", 0o700)
    assert call("doctor").exit_code == 0


@pytest.mark.parametrize(
    ("setting", "value", "message", "remedy"),
    [
        ("LITTLE_ROOM", 2**80, "only ", "make room there"),
        ("_NEARLY_FULL", 0.0, "the store is nearly full", "workstream prune"),
    ],
)
def test_the_doctor_finds_too_little_room(
    call: Call,
    write_plan: WritePlan,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    value: float,
    message: str,
    remedy: str,
    findings: Findings,
) -> None:
    """On the disk, and in the store, where both are said to be larger than they are."""
    call("run", write_plan(GOOD))
    monkeypatch.setattr(f"workstream._cli.commands.doctor.{setting}", value)

    told, advice = findings(call("doctor", "--json"), "problem")["store"]

    assert told.startswith(message)
    assert advice.startswith(remedy)


@pytest.mark.parametrize("spoiled", ["newer", "foreign", "no head"])
def test_the_doctor_finds_a_store_that_does_not_open(
    call: Call, tmp_path: Path, spoiled: str, findings: Findings
) -> None:
    """Whatever is wrong with it, the rest is looked at."""
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    if spoiled == "foreign":
        (store / "photos").mkdir()
    else:
        version = 7 if spoiled == "newer" else 1
        (store / "workstream").write_text(f"workstream store, version {version}\n")
        (store / "data.mdb").write_bytes(b"\1" * 8192)

    result = call("doctor", "--json")

    assert result.exit_code == 1, result.output
    assert set(findings(result, "problem")) == {"store"}
    assert "plugins" in findings(result, "ok")


@pytest.mark.parametrize("sound", [0, 16], ids=["all of it", "behind its head"])
def test_the_doctor_finds_a_page_that_is_spoilt(
    call: Call, write_plan: WritePlan, tmp_path: Path, findings: Findings, sound: int
) -> None:
    """And is not killed by it; nothing is copied from there, and a backup is the way out."""
    call("run", write_plan(GOOD))
    assert call("backup", tmp_path / "copy").exit_code == 0
    store = tmp_path / "spoilt"
    shutil.copytree(tmp_path / "copy", store)
    with (store / "data.mdb").open("r+b") as file:
        file.seek(2 * 4096 + sound)
        file.write(b"\xff" * (4096 - sound))

    result = call("doctor", "--json", "--store", store)

    assert result.exit_code == 1, result.output
    message, remedy = findings(result, "problem")["store"]
    assert "page 2 of its data file is spoilt; restore it from a backup" in message
    assert "workstream restore BACKUP" in remedy
    assert "plugins" in findings(result, "ok")
    for words in (
        ["backup", tmp_path / "another", "--store", store],
        ["restore", store, "--store", tmp_path / "another"],
    ):
        refused = call(*words)
        assert refused.exit_code == 2
        assert "page 2 of its data file is spoilt" in refused.stderr
    assert not (tmp_path / "another").exists()


@pytest.mark.parametrize(
    "name",
    one_in(5, [b"a b'c\"d", b"new\nline", b"\xff\xfe", b"-dash", b"\x1b[31mred"]),
)
def test_a_store_has_any_name(
    call: Call, write_plan: WritePlan, tmp_path: Path, name: bytes
) -> None:
    """Every command works there, and what is printed has no control characters."""
    store = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    copy = Path(os.fsdecode(os.fsencode(tmp_path) + b"/copy of " + name))
    new = store.with_name("new")
    output = ""
    for words in (
        ["run", write_plan(GOOD), "--store", store],
        *(["list", "--store", store], ["doctor", "--store", store]),
        *(["backup", copy, "--store", store], ["restore", copy, "--store", new]),
        ["prune", "--older-than", "0s", "--store", store],
    ):
        result = call(*words)
        assert result.exit_code == 0, result.output
        output += result.output
    assert "\x1b" not in output
    assert "1 plan removed" in output


@pytest.mark.parametrize("link", ["to nothing", "to itself", "to a store"])
def test_a_store_may_be_a_link(
    call: Call, write_plan: WritePlan, tmp_path: Path, link: str
) -> None:
    """To a store, it is that store; to nothing, it says so and makes none."""
    store, real = tmp_path / "link", tmp_path / "real"
    store.symlink_to(store if link == "to itself" else real)
    if link == "to a store":
        assert call("run", write_plan(GOOD), "--store", real).exit_code == 0
        assert call("list", "--store", store).exit_code == 0
        inside = call("backup", store / "copy", "--store", real)
        assert "it is in the store itself" in inside.stderr
        inside = call("restore", real, "--store", store / "new")
        assert f"it is in {real} itself" in inside.stderr
        return
    for words in (["run", write_plan(GOOD)], ["list"]):
        refused = call(*words, "--store", store)
        assert refused.exit_code == 2
        assert "it is a link to what is not there" in refused.stderr
    assert not real.exists()


def test_a_pipe_in_place_of_the_marker_is_not_read(
    call: Call, tmp_path: Path, findings: Findings
) -> None:
    """That would take for ever."""
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    os.mkfifo(store / "workstream")
    result = call("doctor", "--json")
    assert "is not what a workstream store begins" in str(findings(result, "problem"))
