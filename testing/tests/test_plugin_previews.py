"""``check_plugin`` on previews: planted faults are found by name."""

from __future__ import annotations

import itertools
import logging
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from quickly import one_in

from workstream import ActionPlugin, CheckPlugin, Context, PluginError, SecretRef
from workstream.plugins import Preview, PreviewContext
from workstream.testing import ConformanceError, PluginReport, check_plugin

Body = Callable[["Mark"], Awaitable[Any]]


@attrs.frozen
class Mark:
    """Asks for a file to be there.

    Attributes:
        path: The file.
        login: Who wants it.
    """

    path: str
    login: SecretRef | None = None


class Touch(ActionPlugin[Mark, None]):
    """Makes a file."""

    name = "acme.touch"

    def __init__(self, body: Body | None = None) -> None:
        self.body = body

    async def execute(self, context: Context, request: Mark, /) -> None:
        """Make it."""
        await trio.lowlevel.checkpoint()
        _touch(request.path)

    async def preview(self, context: PreviewContext, request: Mark, /) -> Preview:
        """Say whether it would be made."""
        assert context.path
        assert context.deadline is None
        await trio.lowlevel.checkpoint()
        if self.body is not None:
            return await self.body(request)  # type: ignore[no-any-return]
        if _is_there(request.path):
            return Preview("it is there", changes=False)
        return Preview("made", changes=True)


def _touch(path: str) -> None:
    Path(path).touch()


def _is_there(path: str) -> bool:
    return Path(path).exists()


def _start(script: str) -> None:
    subprocess.run(["sh", "-c", script], check=True)


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., PluginReport]:
    """Checks a plugin on a file of the test's own."""
    file = tmp_path / "file"

    def check(plugin: Any, **options: Any) -> PluginReport:
        usual: dict[str, Any] = {"steps": 3, **options}
        return check_plugin(
            plugin,
            [Mark(str(file), SecretRef("env:NO_SUCH_VARIABLE"))],
            reset=lambda: file.unlink(missing_ok=True),
            look=lambda: sorted(path.name for path in tmp_path.iterdir()),
            **usual,
        )

    return check


def test_a_good_preview_passes(check: Callable[..., PluginReport]) -> None:
    """It is looked at, and so told."""
    assert "preview" in check(Touch()).checked


async def is_text(request: Mark) -> str:
    """A preview that is no Preview."""
    return "made"


async def fails(request: Mark) -> Preview:
    """A preview that its author has never called."""
    return Preview("", changes=True)


async def refuses(request: Mark) -> Preview:
    """A preview that says the action would fail, which it does not."""
    message = "there is no such folder"
    raise PluginError(message)


async def writes(request: Mark) -> Preview:
    """A preview that leaves something behind."""
    Path(request.path).with_name("draft").touch()
    return Preview("made", changes=True)


async def lies(request: Mark) -> Preview:
    """A preview that says nothing would change."""
    return Preview("all is well", changes=False)


counter = itertools.count()


async def wavers(request: Mark) -> Preview:
    """A preview that says another thing each time."""
    return Preview(f"made ({next(counter)})", changes=True)


async def never_ends(request: Mark) -> Preview:
    """A preview that waits for what does not come."""
    await trio.sleep_forever()
    raise AssertionError


async def tells_all(request: Mark) -> Preview:
    """A preview that shows a login, encoded."""
    assert request.login is not None
    login = request.login.reveal().encode().hex()
    return Preview("made", changes=True, details=(f"Authorization: {login}",))


async def logs(request: Mark) -> Preview:
    """A preview that logs what it is given."""
    assert request.login is not None
    logging.getLogger("acme").debug("login %s", request.login.reveal())
    return Preview("made", changes=True)


async def swallows(request: Mark) -> Preview:
    """A preview that takes its cancellation for an answer."""
    try:
        await trio.sleep(0.05)
    except BaseException:
        return Preview("made", changes=True)
    return Preview("made", changes=True)


async def goes_on(request: Mark) -> Preview:
    """A preview that cannot be cancelled for a while."""
    with trio.CancelScope(shield=True):
        await trio.sleep(0.5)
    return Preview("made", changes=True)


async def forgets_a_process(request: Mark) -> Preview:
    """A preview that starts something."""
    _start("setsid sleep 5 &")
    return Preview("made", changes=True)


@pytest.mark.parametrize(
    ("body", "name", "text"),
    one_in(
        4,
        [
            (is_text, "preview", "is str: return a Preview"),
            (fails, "preview", "fails, although the request succeeds: TypeError"),
            (refuses, "preview", "PluginError: there is no such folder"),
            (writes, "preview", "it only looks"),
            (lies, "preview", "says that nothing would change, and then it changes"),
            (wavers, "preview", "says something else the second time"),
            (tells_all, "secrets", "can be read in its preview (in hexadecimal)"),
            (logs, "secrets", "can be read in a log record"),
            (swallows, "cancellation", "it swallows trio.Cancelled"),
            (goes_on, "cancellation", "seconds after it was cancelled"),
            (forgets_a_process, "left-behind", "a process: sleep 5"),
        ],
    ),
)
def test_planted_faults_are_found(
    body: Body, name: str, text: str, check: Callable[..., PluginReport]
) -> None:
    """Each by its name, and said of the preview."""
    with pytest.raises(ConformanceError) as caught:
        check(Touch(body), within=0.2)

    found = [f for f in caught.value.findings if text in f.text]
    assert {finding.name for finding in caught.value.findings} == {name}
    assert found
    assert "the preview of request 1" in found[0].text


def test_one_that_does_not_end(check: Callable[..., PluginReport]) -> None:
    """Within the time that a request may take."""
    with pytest.raises(ConformanceError, match=r"takes more than 0\.2 seconds"):
        check(Touch(never_ends), limit=0.2)


@pytest.mark.slow
def test_one_that_is_deaf_is_given_up(check: Callable[..., PluginReport]) -> None:
    """And the check itself ends."""

    async def deaf(request: Mark) -> Preview:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            with suppress(trio.Cancelled):
                await trio.sleep(0.01)
        return Preview("made", changes=True)

    with pytest.raises(ConformanceError, match="the preview of request 1 goes on"):
        check(Touch(deaf), limit=0.1, within=0.1)


def test_what_cannot_be_registered_is_told() -> None:
    """A preview that is no coroutine, and a mark that is none."""

    class Wrong(Touch):
        """Previews at once."""

        def preview(self, context: Any, request: Any, /) -> Any:
            """Say it."""
            return Preview("made", changes=True)

    class Vague(CheckPlugin[Mark, None]):
        """Looks at a file."""

        name = "acme.vague"
        safe_in_preview: Any = "sometimes"

        async def execute(self, context: Context, request: Mark, /) -> None:
            """Look."""

    with pytest.raises(ConformanceError, match="methods: its preview is not a"):
        check_plugin(Wrong(), [Mark("/x")])
    with pytest.raises(ConformanceError, match="preview: its safe_in_preview is"):
        check_plugin(Vague(), [Mark("/x")])
