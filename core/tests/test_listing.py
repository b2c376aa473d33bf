"""Tests of the listing: what is installed, as plain data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from workstream._registry.docstrings import field_texts
from workstream._registry.host import Host

Install = Callable[..., Path]
Find = Callable[..., Host]


def test_the_listing_shows_everything_as_json(
    install_package: Install, find_packages: Find
) -> None:
    """Packages, versions, hooks, plugins, their fields, and what was left out."""
    install_package(
        "acme",
        '''
        import dataclasses
        import enum
        from workstream._secrets.references import SECURE, SecretRef


        class Size(enum.Enum):
            SMALL = 1


        class Trap(str):
            def __repr__(self):
                raise RuntimeError("run")


        @attrs.frozen(kw_only=True)
        class Send:
            """What to send.

            And more about it.

            Attributes:
                host: Where to,
                    by name.
                size (Size): How much: ``SMALL`` is enough.
                    It may be more.

                files: Which.

            Raises:
                ValueError: Never.
            """

            host: str
            files: tuple[str, ...] = ()
            size: "Size" = Size.SMALL
            tags: dict[str, str] = attrs.Factory(dict)
            extra: list[str] = attrs.Factory(lambda: ["x"])
            password: str = attrs.field(default="hunter2", metadata=SECURE)
            token: SecretRef | None = None
            _private: int = 3
            trap: Trap = Trap()
            long: str = "x" * 1000
            derived: int = attrs.field(init=False, default=1)


        @dataclasses.dataclass
        class Mirror:
            """Another place.

            Attributes:
                next: The one after it.
            """

            next: "Mirror | None" = None


        @dataclasses.dataclass
        class Fetch:
            host: str
            password: str = dataclasses.field(metadata=SECURE)
            tags: list[str] = dataclasses.field(default_factory=list)
            tries: int = 2
            mirrors: dict[str, list[Mirror]] = dataclasses.field(
                default_factory=dict[str, list[Mirror]]
            )
            derived: int = dataclasses.field(init=False, default=1)


        class Transfer(ActionPlugin[Send | Fetch | None, str | None]):
            """Move files
            about.

            At length.
            """

            name = "acme.transfer"
            requires_programs = ("tar",)

            async def execute(self, context, request, /):
                pass


        @hookimpl
        def workstream_plugins():
            return [Transfer(), named(Look, "acme.look"), named(Look, "look")]


        @hookimpl
        def workstream_vaults():
            return {"acme": print}
        ''',
        version="2.0",
    )
    install_package("broken", "raise OSError('gone')")

    listing = find_packages("acme", "broken").listing()
    as_json = listing.as_json()
    [core, package] = as_json["packages"]
    [transfer, look] = package["plugins"]
    [send, fetch] = transfer["requests"]

    assert json.loads(json.dumps(as_json)) == as_json
    assert core["vaults"] == ["lmdb", "memory"]
    assert package["package"] == "dist-acme"
    assert package["version"] == "2.0"
    assert package["entry_point"] == "acme"
    assert package["hooks"] == ["workstream_plugins", "workstream_vaults"]
    assert package["vaults"] == ["acme"]
    assert package["secret_resolvers"] == package["commands"] == []
    assert transfer["kind"] == "action"
    assert transfer["description"] == "Move files about."
    assert transfer["response"] == "str | None"
    assert (look["name"], look["kind"]) == ("acme.look", "check")
    assert (look["description"], look["response"]) == ("", "None")
    assert send["description"] == "What to send."
    assert fetch["description"] == ""

    def rows(request: dict[str, list[dict[str, object]]]) -> list[tuple[object, ...]]:
        return [tuple(field.values())[:-1] for field in request["fields"]]

    assert list(send["fields"][0]) == [
        *("name", "type", "required", "default", "secure", "description")
    ]
    assert {
        f["name"]: f["description"] for f in send["fields"] if f["description"]
    } == {
        "host": "Where to, by name.",
        "files": "Which.",
        "size": "How much: ``SMALL`` is enough. It may be more.",
    }
    assert (transfer["on_interrupt"], look["on_interrupt"]) == ("rerun", None)
    assert (transfer["requires_programs"], look["requires_programs"]) == (["tar"], [])
    # Of a type whose fields cannot be read nothing is told, and nothing fails.
    [mirror] = transfer["inner_types"]
    assert (mirror["type"], mirror["description"]) == ("Mirror", "Another place.")
    assert transfer["responses"] == []
    trap = "<Trap, whose repr raises RuntimeError('run')>"
    assert rows(send) == [
        ("host", "str", True, None, False),
        ("files", "tuple[str, ...]", False, "()", False),
        ("size", "Size", False, "Size.SMALL", False),
        ("tags", "dict[str, str]", False, "{}", False),
        ("extra", "list[str]", False, None, False),
        ("password", "str", False, "[secret hidden]", True),
        ("token", "SecretRef | None", False, "None", False),
        ("private", "int", False, "3", False),
        ("trap", "Trap", False, trap, False),
        ("long", "str", False, f"'{'x' * 199}...", False),
    ]
    assert rows(fetch) == [
        ("host", "str", True, None, False),
        ("password", "str", True, None, True),
        ("tags", "list[str]", False, "[]", False),
        ("tries", "int", False, "2", False),
        ("mirrors", "dict[str, list[Mirror]]", False, "{}", False),
    ]
    troubles = [each for each in as_json["left_out"] if not each["deliberate"]]
    assert [(each["package"], each["item"]) for each in troubles] == [
        ("dist-broken", ""),
        ("dist-acme", "plugin Look"),
    ]
    assert "OSError: gone" in troubles[0]["reason"]


def test_the_text_of_an_only_field_goes_on() -> None:
    """All lines of an entry are read, also where there is no other entry."""

    class Only:
        """A request.

        Attributes:
            host: Where the file goes; the name that
                the plan's sequence has.
        """

    text = "Where the file goes; the name that the plan's sequence has."
    assert field_texts(Only) == {"host": text}
