"""Templates: what they give, and how they fail."""

from __future__ import annotations

import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from workstream import (
    Block,
    Plan,
    PluginError,
    Registry,
    SecretRef,
    Sequence,
    open_workstream,
)
from workstream.vaults import MemoryVault
from workstream_files import RenderTemplate, TemplateRequest, WriteFile, WriteRequest

if TYPE_CHECKING:
    from conftest import Perform


def test_values_take_the_place_of_names(folder: Path, perform: Perform) -> None:
    """Loops, conditions and filters work; line ends and what HTML would escape stay."""
    request = TemplateRequest(
        path=str(folder / "a"),
        template="{% for host in hosts %}server {{ host.name | upper }} <{{ port }}>;\n{% endfor %}end\n",
        values={"hosts": [{"name": "web-1"}, {"name": "web-2"}], "port": 80},
    )

    change = perform(RenderTemplate(), request)

    assert change.details == ("created: 42 bytes, mode 0644",)
    assert (folder / "a").read_text() == "server WEB-1 <80>;\nserver WEB-2 <80>;\nend\n"
    assert not perform(RenderTemplate(), request).changed


def test_secrets_are_names_too(folder: Path, perform: Perform) -> None:
    """A template that is given secrets makes a file for its owner's eyes only."""
    secret = SecretRef("env:TOKEN").resolved("abracadabra")
    request = TemplateRequest(
        path=str(folder / "a"), template="{{ token }}", secrets={"token": secret}
    )

    change = perform(RenderTemplate(), request)

    assert change.details == ("created: 11 bytes, mode 0600",)
    assert (folder / "a").read_text() == "abracadabra"


@pytest.mark.slow
def test_a_template_in_a_file_may_include_its_neighbours(
    folder: Path, perform: Perform
) -> None:
    """Names are below the template's own directory, and never above it."""
    (folder / "main.j2").write_text("{% include 'part.j2' %}!\n")
    (folder / "part.j2").write_text("hello {{ name }}")
    (folder / "greedy.j2").write_text("{% include '../secret' %}")
    (folder.parent / "secret").write_text("secret")

    def request(name: str) -> TemplateRequest:
        return TemplateRequest(
            path=str(folder / "a"), source=str(folder / name), values={"name": "you"}
        )

    perform(RenderTemplate(), request("main.j2"))
    assert (folder / "a").read_text() == "hello you!\n"
    with pytest.raises(PluginError, match="does not exist, or may not be read"):
        perform(RenderTemplate(), request("greedy.j2"))
    with pytest.raises(PluginError, match=r"folder/none\.j2 does not exist"):
        perform(RenderTemplate(), request("none.j2"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["template", "source"])
def test_names_without_a_value_are_named(
    kind: str, folder: Path, perform: Perform
) -> None:
    """A hole in a file is an error that names all holes, and the old file stays."""
    text = "{{ host }} {{ prot }} {% if debug %}on{% endif %}"
    (folder / "t.j2").write_text(text)
    (folder / "a").write_text("old")
    where: dict[str, Any] = {"source": str(folder / "t.j2")}
    if kind == "template":
        where = {"template": text}
    request = TemplateRequest(path=str(folder / "a"), values={"host": "web-1"}, **where)

    with pytest.raises(PluginError) as caught:
        perform(RenderTemplate(), request)

    assert "'prot' is undefined; without a value" in caught.value.message
    assert caught.value.message.endswith("in values or secrets: debug, prot")
    assert caught.value.permanent
    assert (folder / "a").read_text() == "old"
    assert sorted(os.listdir(folder)) == ["a", "t.j2"]


def test_a_missing_field_of_a_value_is_named(folder: Path, perform: Perform) -> None:
    """Not only the outermost name must be there."""
    request = TemplateRequest(
        path=str(folder / "a"), template="{{ host.port }}", values={"host": {}}
    )

    with pytest.raises(PluginError, match="'dict object' has no attribute 'port'"):
        perform(RenderTemplate(), request)


def test_names_may_be_optional_on_purpose(folder: Path, perform: Perform) -> None:
    """``is defined`` and ``default`` say that a name may lack a value."""
    request = TemplateRequest(
        path=str(folder / "a"),
        template="{{ port | default(80) }}{% if host is defined %}!{% endif %}",
    )

    perform(RenderTemplate(), request)

    assert (folder / "a").read_text() == "80"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__'"),
        ("{{ 1 / 0 }}", "ZeroDivisionError: division by zero"),
        (
            "{% for i in range(999999999) %}x{% endfor %}",
            "OverflowError: Range too big",
        ),
        ("{% include 'x' %}", "no loader|does not exist"),
        ("{{ 'a' * n }}", "^the template needs more than 2 GiB of memory$"),
        (
            "{% for i in range(99) %}{{ 'a' * 999999 }}{% endfor %}",
            "^the template gives more than 67,108,864 characters$",
        ),
    ],
)
def test_templates_can_do_no_harm(
    template: str, complaint: str, folder: Path, perform: Perform
) -> None:
    """A template cannot run Python, nor for ever; what goes wrong in it is an error."""
    request = TemplateRequest(
        path=str(folder / "a"), template=template, values={"n": 10**10}
    )

    with pytest.raises(PluginError, match=complaint):
        perform(RenderTemplate(), request)

    assert os.listdir(folder) == []


def children() -> set[str]:
    """The ids of this process' children, of those too that have ended unseen."""
    tasks = Path("/proc/self/task").iterdir()
    return {each for task in tasks for each in (task / "children").read_text().split()}


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in r %}{% for b in r %}{% for c in r %}{% endfor %}{% endfor %}"
        "{% endfor %}",
        "{{ 10 ** (10 ** 10) }}",
    ],
    ids=["loops", "number"],
)
@pytest.mark.slow
def test_a_template_without_end_is_killed_at_its_timeout(
    template: str, folder: Path
) -> None:
    """The attempt ends, the others run meanwhile, and no process is left (A-4)."""
    others = children()  # of tests before this one, such as servers that many use
    endless = TemplateRequest(
        path=str(folder / "a"), template=template, values={"r": list(range(99_999))}
    )
    beside = WriteRequest(path=str(folder / "b"), content="written meanwhile")
    stuck = RenderTemplate.action(endless, name="Stuck", timeout=1)
    plan = Plan(
        name="Plan",
        blocks=[
            Block(
                name="Block",
                concurrency=2,
                sequences=[
                    Sequence(name="One", actions=[stuck]),
                    Sequence(
                        name="Two", actions=[WriteFile.action(beside, name="Beside")]
                    ),
                ],
            )
        ],
    )

    async def main() -> Plan:
        registry = Registry([RenderTemplate(), WriteFile()])
        with trio.fail_after(60):
            async with open_workstream(MemoryVault(), registry=registry) as ws:
                return await ws.run(plan)

    result = trio.run(main)

    one, two = result.blocks[0].sequences
    assert str(one.actions[0].attempts[0].error) == (
        "plugin execution timed out: the template was still being rendered"
    )
    assert two.actions[0].attempts[0].error is None
    assert os.listdir(folder) == ["b"]
    assert children() <= others


def test_values_of_other_classes_are_rendered(folder: Path, perform: Perform) -> None:
    """Texts and numbers of classes of their own count as texts and numbers."""

    class Port(IntEnum):
        HTTP = 80

    class Name(str):
        __slots__ = ()

    request = TemplateRequest(
        path=str(folder / "a"),
        template="{{ name }}:{{ ports[0] + 1 }} {{ table[7] }} {{ none }} {{ yes }}",
        values={
            "name": Name("web"),
            "ports": (Port.HTTP,),
            "table": {7: 1.5},
            "none": None,
            "yes": True,
        },
    )

    perform(RenderTemplate(), request)

    assert (folder / "a").read_text() == "web:81 1.5 None True"


def test_a_packed_program_has_no_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no interpreter to render them in, which is said before a plan runs (REG-6)."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)

    with pytest.raises(PluginError, match="brings no Python interpreter"):
        trio.run(RenderTemplate().init)


@pytest.mark.slow
def test_a_source_that_is_no_template_is_an_error(
    folder: Path, perform: Perform
) -> None:
    """What cannot be found at submit, as it is in a file, names the file and the line."""
    (folder / "t.j2").write_text("one\n{% if %}\n")
    (folder / "u.j2").write_bytes(b"\xff\xfe")

    for name, complaint in (("t.j2", r"t\.j2, line 2: "), ("u.j2", "is not UTF-8")):
        request = TemplateRequest(path=str(folder / "a"), source=str(folder / name))
        with pytest.raises(PluginError, match=complaint):
            perform(RenderTemplate(), request)
