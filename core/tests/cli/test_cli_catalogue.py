"""``workstream plugins --markdown``: a page of what is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Call = Callable[..., Result]

PLUGINS = '''
import attrs

from workstream import ActionPlugin, CheckPlugin, OnInterrupt, SECURE, hookimpl


@attrs.frozen
class Host:
    """A machine."""

    name: str


@attrs.frozen
class Ask:
    """What is asked.

    Attributes:
        word: Said as ``it | is``.
        host: Of whom.
        key: What opens it.
    """

    word: str = "`a|b`"
    key: str = attrs.field(default="hunter2", metadata=SECURE)
    host: Host = attrs.field(factory=lambda: Host("x"), kw_only=True)
    needed: int = attrs.field(kw_only=True)


@attrs.frozen
class Told:
    """What is told."""


class Act(ActionPlugin[Ask, Told]):
    """Act ``once``."""

    name = "toy.act"
    on_interrupt = OnInterrupt.FAIL
    requires_programs = ("tar", "gzip")

    async def execute(self, context, request, /):
        return Told()


class Look(CheckPlugin[Ask | None, str]):
    name = "toy.look"

    async def execute(self, context, request, /):
        return ""


@hookimpl
def workstream_plugins():
    return [Act(), Look()]
'''

SECTION = """\
## toy

| Plugin | Kind | What it does |
| --- | --- | --- |
| [`toy.act`](#toyact) | action | Act `once`. |
| [`toy.look`](#toylook) | check |  |

### `toy.act`

Act `once`.

- **Kind**: action
- **Request**: `Ask`
- **Response**: `Told`
- **After a crash in the middle**: `OnInterrupt.FAIL`: failed, and a person decides
- **In a dry run**: cannot predict
- **Needs the programs**: `tar`, `gzip`

**Request `Ask`**: What is asked.

| Field | Type | Default | Meaning |
| --- | --- | --- | --- |
| `needed` | `int` | *required* |  |
| `word` | `str` | ``'`a\\|b`'`` | Said as `it \\| is`. |
| `key` | `str` | `[secret hidden]` | What opens it. *It is hidden wherever it is shown.* |
| `host` | `Host` | *made anew* | Of whom. |

**Response `Told`**: What is told.

**Inside of these, `Host`**: A machine.

| Field | Type | Default | Meaning |
| --- | --- | --- | --- |
| `name` | `str` | *required* |  |

### `toy.look`

- **Kind**: check
- **Request**: `Ask`
- **Response**: `str`
- **After a crash in the middle**: checks change nothing, and are run again
- **In a dry run**: not asked

Told above: [`Ask`](#toyact), [`Host`](#toyact).
"""


@pytest.fixture
def plugins(toy: Path) -> Path:
    """The toy package, with plugins that say a lot about themselves, and little."""
    path = toy / "toy_plugin.py"
    path.write_text(PLUGINS)
    return path


@pytest.mark.usefixtures("plugins")
def test_each_plugin_is_told_as_it_tells_itself(call: Call) -> None:
    """Fields with what must be given first; bars and backticks do no harm."""
    result = call("plugins", "--markdown")

    assert result.exit_code == 0
    _, _, toy = result.stdout.partition("## toy")
    assert "## toy" + toy == SECTION
    assert "**Stores**: `lmdb:`, `memory:`" in result.stdout
    assert result.stderr == ""


def test_what_was_left_out_is_told_aside(call: Call, plugins: Path) -> None:
    """So that nobody publishes a page that lacks a package unseen."""
    plugins.write_text("raise RuntimeError('no')")

    result = call("plugins", "--markdown")

    assert result.exit_code == 0
    assert "RuntimeError: no" in result.stderr
    assert "RuntimeError" not in result.stdout


@pytest.mark.parametrize("other", ["--json", "--check"])
def test_it_goes_with_no_other_form(call: Call, other: str) -> None:
    """A page is neither JSON nor a judgement."""
    result = call("plugins", "--markdown", other)

    assert result.exit_code == 2
    assert "--markdown goes with no other option" in result.stderr
