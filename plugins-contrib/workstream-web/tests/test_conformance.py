"""What an installed package brings: its command, and every file of its pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workstream_web import workstream_commands

if TYPE_CHECKING:
    from conftest import Site


def test_the_hook_brings_the_command() -> None:
    """By its name, with a line of help."""
    [command] = workstream_commands()

    assert command.name == "ui"
    assert command.get_short_help_str()


def test_every_file_of_the_pages_is_there(shown: Site) -> None:
    """Whatever the pages name is served, as what it is; nothing is from elsewhere."""
    for path in ("/", "/plans/last"):
        status, headers, page = shown.ask(path)
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        named = re.findall(r'(?:src|href)="([^"]+)"', page.decode())
        assert len(named) >= 5
        for name in named:
            status, headers, content = shown.ask(name)
            kind = {"js": "javascript", "css": "css"}.get(name.rpartition(".")[2])
            assert status == 200
            assert (kind or "html") in headers["content-type"]
            assert content
