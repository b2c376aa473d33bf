"""Templates: what they give, and how they fail."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from workstream import PluginError, SecretRef
from workstream_files import RenderTemplate, TemplateRequest

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
    ],
)
def test_templates_can_do_no_harm(
    template: str, complaint: str, folder: Path, perform: Perform
) -> None:
    """A template cannot run Python, nor for ever; what goes wrong in it is an error."""
    request = TemplateRequest(path=str(folder / "a"), template=template)

    with pytest.raises(PluginError, match=complaint):
        perform(RenderTemplate(), request)

    assert os.listdir(folder) == []


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
