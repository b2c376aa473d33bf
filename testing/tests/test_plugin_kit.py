"""``check_plugin``: plugins that conform pass, and planted faults are found by name."""

from __future__ import annotations

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

from workstream import (
    SECURE,
    ActionPlugin,
    CheckPlugin,
    Context,
    OnInterrupt,
    PluginError,
    SecretRef,
)
from workstream.plugins import NOT_DONE, NotDone, RetryPolicy
from workstream.testing import ConformanceError, Finding, PluginReport, check_plugin

Body = Callable[["Place", Context, "Put"], Awaitable[Any]]


@attrs.frozen
class Put:
    """Asks for a line to be put into a file.

    Attributes:
        path: The file.
        line: The line.
        login: Who wants it.
        fail: Whether to fail with this text.
    """

    path: str
    line: str = "a line"
    login: SecretRef | None = None
    fail: str = ""


@attrs.frozen
class Lines:
    """How many lines there are then."""

    count: int = 0


class Place(ActionPlugin[Put, Lines]):
    """Puts a line into a file, once."""

    name = "acme.place"

    def __init__(self, body: Body | None = None) -> None:
        self.body = body

    def validate(self, request: Put, /) -> None:
        """Refuse a relative path."""
        if not request.path.startswith("/"):
            message = "path must be absolute"
            raise ValueError(message)

    async def execute(self, context: Context, request: Put, /) -> Lines:
        """Put it there, unless it is there."""
        await trio.lowlevel.checkpoint()
        if request.fail:
            raise PluginError(request.fail)
        if self.body is not None:
            return await self.body(self, context, request)  # type: ignore[no-any-return]
        lines = _lines(request)
        if request.line not in lines:
            _append(request)
        await trio.lowlevel.checkpoint()
        return Lines(len(_lines(request)))


def _lines(request: Put) -> list[str]:
    path = Path(request.path)
    return path.read_text().splitlines() if path.exists() else []


def _append(request: Put) -> None:
    with Path(request.path).open("a") as file:
        file.write(f"{request.line}\n")


def _start(script: str) -> None:
    subprocess.run(["sh", "-c", script], check=True)


class Look(CheckPlugin[Put, Lines]):
    """Looks how many lines there are."""

    name = "acme.look"

    def __init__(self, body: Callable[[Put], object] = lambda request: None) -> None:
        self.body = body

    async def execute(self, context: Context, request: Put, /) -> Lines:
        """Count them."""
        await trio.lowlevel.checkpoint()
        self.body(request)
        return Lines(len(_lines(request)))


class Folder:
    """A file that a plugin writes, and what is done with it between two calls."""

    def __init__(self, path: Path) -> None:
        self.file = path / "lines.txt"
        self.request = Put(str(self.file), login=SecretRef("env:NO_SUCH_VARIABLE"))

    def reset(self) -> None:
        """Remove it."""
        self.file.unlink(missing_ok=True)

    def look(self) -> str:
        """What it holds."""
        return self.file.read_text() if self.file.exists() else ""

    def check(self, plugin: Any, **options: Any) -> PluginReport:
        """Check a plugin on it."""
        requests = options.pop("requests", [self.request])
        usual: dict[str, Any] = {"reset": self.reset, "look": self.look, "steps": 3}
        return check_plugin(plugin, requests, **{**usual, **options})

    def findings(self, plugin: Any, **options: Any) -> dict[str, str]:
        """What is found wrong with a plugin: texts by name."""
        with pytest.raises(ConformanceError) as caught:
            self.check(plugin, **options)
        assert str(caught.value).count("\n") >= len(caught.value.findings)
        return {finding.name: finding.text for finding in caught.value.findings}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A file of the test's own."""
    return Folder(tmp_path)


class TestGoodPlugins:
    """Nothing is found wrong with what does as it must."""

    def test_an_action_conforms(self, folder: Folder) -> None:
        """It is called often, and the report says what was looked at and what not."""
        report = folder.check(
            Place(),
            refused=[Put("relative")],
            failing=[Put("/x", fail="no such host", login=SecretRef("env:X"))],
        )

        assert report.plugin == "acme.place"
        assert report.attempts >= 8
        assert {"interrupted", "secrets", "validate"} <= set(report.checked)
        assert set(report.not_checked) == {"timeout", "side-effects", "preview"}
        assert "plugin acme.place: 17 things are right" in str(report)
        assert "not looked at: timeout: give slow=" in str(report)

    def test_a_check_conforms(self, folder: Folder) -> None:
        """A check is run twice, and its timeout is seen where a request is slow."""

        async def wait(request: Put) -> None:
            await trio.sleep(3600)

        class Patient(Look):
            """Waits for the line."""

            async def execute(self, context: Context, request: Put, /) -> Lines:
                """Wait, if that is asked for."""
                if request.line == "never":
                    await wait(request)
                return await super().execute(context, request)

        report = folder.check(Patient(), slow=Put("/x", "never"))

        assert {"timeout", "side-effects", "cancellation"} <= set(report.checked)
        assert report.not_checked == {"preview": "it is a check"}

    def test_reconcile_may_say_that_nobody_knows(self, folder: Folder) -> None:
        """An action that is not run again, and says why, has ended as it should (R-7)."""

        class Careful(Place):
            """Puts a line into a file, and never twice."""

            on_interrupt = OnInterrupt.RECONCILE

            async def reconcile(
                self, context: Context, request: Put, /
            ) -> Lines | NotDone:
                """Say what is known."""
                if not _lines(request):
                    return NOT_DONE
                message = "interrupted: look whether the line is there"
                raise PluginError(message, permanent=True)

        async def twice(plugin: Place, context: Context, request: Put) -> Lines:
            _append(request)
            await trio.lowlevel.checkpoint()
            return Lines(1)

        assert "interrupted" in folder.check(Careful(twice)).checked

    def test_what_is_not_run_again_is_not_compared(self, folder: Folder) -> None:
        """With ``OnInterrupt.FAIL`` an interrupted attempt is the end (R-7)."""

        class Once(Place):
            """Puts a line into a file, once and never again."""

            on_interrupt = OnInterrupt.FAIL

        assert "interrupted" in folder.check(Once()).not_checked


async def swallow(plugin: Place, context: Context, request: Put) -> Lines:
    """A plugin that takes its cancellation for an answer."""
    try:
        await trio.sleep(0.05)
    except BaseException:
        return Lines(0)
    return Lines(0)


async def go_on(plugin: Place, context: Context, request: Put) -> Lines:
    """A plugin that cannot be cancelled for a while."""
    with trio.CancelScope(shield=True):
        await trio.sleep(0.5)
    return Lines(0)


async def leave_a_process(plugin: Place, context: Context, request: Put) -> Lines:
    """A plugin that starts a process and forgets it."""
    _start("setsid sleep 5 &")
    await trio.lowlevel.checkpoint()
    return Lines(0)


async def leave_a_task(plugin: Place, context: Context, request: Put) -> Lines:
    """A plugin that starts a task that nobody waits for."""
    trio.lowlevel.spawn_system_task(trio.sleep_forever, name="forgotten")
    return Lines(0)


async def leave_a_thread(plugin: Place, context: Context, request: Put) -> Lines:
    """A plugin that abandons its thread."""
    with trio.move_on_after(0.01):
        await trio.to_thread.run_sync(
            lambda: subprocess.run(["sleep", "0.6"], check=True), abandon_on_cancel=True
        )
    return Lines(0)


async def append(plugin: Place, context: Context, request: Put) -> Lines:
    """A plugin that does its work once more whenever it is called."""
    _append(request)
    await trio.lowlevel.checkpoint()
    return Lines(len(_lines(request)))


async def refuse_to_repeat(plugin: Place, context: Context, request: Put) -> Lines:
    """A plugin that fails on what it has done before."""
    if _lines(request):
        message = "exists already"
        raise PluginError(message, permanent=True)
    _append(request)
    await trio.lowlevel.checkpoint()
    return Lines(1)


async def leak(plugin: Place, context: Context, request: Put) -> Lines:
    """A plugin that shows a login in a way that the engine does not look for."""
    assert request.login is not None
    login = f"user:{request.login.reveal()}".encode()
    context.report(f"login 0x{login.hex()}")
    return Lines(0)


async def log(plugin: Place, context: Context, request: Put) -> Lines:
    """A plugin that logs what it is given."""
    assert request.login is not None
    logging.getLogger("acme").debug("login %s", request.login.reveal())
    return Lines(0)


async def forget(plugin: Place, context: Context, request: Put) -> None:
    """A plugin that forgets its return."""


class TestPlantedFaults:
    """Each fault is reported by its name, with what to do."""

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("body", "name", "text"),
        [
            (swallow, "cancellation", "it swallows trio.Cancelled"),
            (go_on, "cancellation", "seconds after it was cancelled"),
            (leave_a_process, "left-behind", "a process: sleep 5"),
            (leave_a_task, "left-behind", "a task: forgotten"),
            (leave_a_thread, "left-behind", "a thread that goes on"),
            (append, "interrupted", "and run again, leaves something else"),
            (refuse_to_repeat, "interrupted", "fails: exists already"),
            (leak, "secrets", "can be read in a report (in hexadecimal)"),
            (log, "secrets", "can be read in a log record"),
            (forget, "response", "returned None"),
        ],
    )
    def test_what_it_does(
        self, body: Body, name: str, text: str, folder: Folder
    ) -> None:
        """A call that does wrong, undisturbed or interrupted."""
        found = folder.findings(Place(body), within=0.2)

        assert list(found) == [name]
        assert text in found[name]

    @pytest.mark.slow
    def test_a_deaf_plugin_is_given_up(self, folder: Folder) -> None:
        """What never ends is found all the same, and the check itself ends."""

        async def deaf(plugin: Place, context: Context, request: Put) -> Lines:
            end = time.monotonic() + 3
            while time.monotonic() < end:
                with suppress(trio.Cancelled):
                    await trio.sleep(0.01)
            return Lines(0)

        async def blocking(plugin: Place, context: Context, request: Put) -> Lines:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
            return Lines(0)

        found = folder.findings(Place(deaf), limit=0.1, within=0.1)
        assert "goes on 0.1 seconds after it was cancelled" in found["cancellation"]
        found = folder.findings(Place(blocking), limit=0.1, within=0.1)
        assert "goes on 0.1 seconds after it was cancelled" in found["cancellation"]

    def test_a_check_that_changes_something(self, folder: Folder) -> None:
        """It is seen in what it leaves, or by its failing the second time (REG-8)."""
        found = folder.findings(Look(_append))
        assert "'' became 'a line\\n'" in found["side-effects"]

        def once(request: Put) -> None:
            Path(request.path).open("x").close()

        found = folder.findings(Look(once), look=None)
        assert "fails when it is run again: FileExistsError" in found["side-effects"]

    def test_validate_is_tried_both_ways(self, folder: Folder) -> None:
        """It accepts what works, refuses what does not, and raises what it should."""

        class Broken(Place):
            """Looks at what is not there."""

            def validate(self, request: Put, /) -> None:
                """Fail on one request."""
                if request.line == "broken":
                    raise KeyError(request.line)
                if request.line == "mute":
                    raise ValueError
                super().validate(request)

        with pytest.raises(ConformanceError) as caught:
            folder.check(
                Broken(),
                requests=[Put("relative"), folder.request],
                refused=[Put("/x"), Put("/x", "broken"), Put("/x", "mute")],
            )

        texts = [f.text for f in caught.value.findings if f.name == "validate"]
        assert [text.partition(":")[0] for text in texts] == [
            "validate() refuses request 1",
            "validate() accepts refused request 1, Put(path='/x')",
            "validate() fails on refused request 2 with KeyError",
            "validate() refuses refused request 3 without a word",
        ]

    def test_failing_requests_fail_with_a_reason(self, folder: Folder) -> None:
        """One that succeeds is a finding, and so is one that fails without a word."""
        with pytest.raises(ConformanceError) as caught:
            folder.check(Place(), failing=[folder.request, Put("/x", fail=" ")])

        assert [str(finding) for finding in caught.value.findings] == [
            "outcome: failing request 1 succeeds: Lines(count=1)",
            "outcome: failing request 2 fails without a word: say what is wrong",
        ]

    def test_timeouts_are_kept(self, folder: Folder) -> None:
        """A slow request that is not slow, or fails, says nothing about timeouts."""

        async def fail(plugin: Place, context: Context, request: Put) -> Lines:
            if request.line == "slow":
                message = "no such host"
                raise PluginError(message)
            return Lines(0)

        slow = Put("/x", "slow")
        found = folder.findings(Place(), slow=folder.request)
        assert "ends within 0.2 seconds" in found["outcome"]
        found = folder.findings(Place(fail), slow=slow)
        assert "fails before it is timed out: no such host" in found["outcome"]

    def test_what_it_is(self, folder: Folder) -> None:
        """Names, types, marks, policies and docstrings are told together (REG-2)."""

        @attrs.frozen
        class Undocumented:
            password: str

        class Wrong(ActionPlugin[Undocumented, list]):  # type: ignore[type-arg]
            name = "wrong"
            retry = RetryPolicy(initial_interval=0)
            on_interrupt = OnInterrupt.RECONCILE

        found = folder.findings(Wrong(), requests=[Undocumented("x")])

        assert list(found) == [
            "name",
            "methods",
            "types",
            "retry",
            "on-interrupt",
            "marks",
        ]

    def test_faults_of_registration_hide_no_others(self, folder: Folder) -> None:
        """Unless it cannot be called at all, what it does is looked at, too."""

        @attrs.frozen
        class Ask:
            token: str
            host: str = attrs.field(default="", eq=False)

        class Silent(ActionPlugin[Ask, None]):
            name = "acme.silent"

            async def execute(self, context: Context, request: Ask, /) -> None:
                _start("sleep 5 &")

        found = folder.findings(Silent(), requests=[Ask("x")])

        assert list(found) == ["marks", "docs", "left-behind"]
        assert "Ask has no docstring" in found["docs"]

    def test_requests_must_survive(self, folder: Folder) -> None:
        """A request that the store or JSON changes, or of another type (V-23)."""

        @attrs.frozen(eq=False)
        class Unequal:
            """A request without comparison."""

        class Takes(ActionPlugin[Unequal, None]):
            """Takes one."""

            name = "acme.takes"

            async def execute(self, context: Context, request: Unequal, /) -> None:
                """Do nothing."""

        found = folder.findings(Takes(), requests=[Unequal()])
        assert "does not survive" in found["request"]
        found = folder.findings(Place(), requests=[Lines()])
        assert "request 1 is a Lines: acme.place takes Put" in found["request"]

    def test_an_init_that_fails(self, folder: Folder) -> None:
        """Nothing else can be looked at then (REG-6)."""

        class Unready(Place):
            """Is never ready."""

            async def init(self) -> None:
                """Fail."""
                message = "no such service"
                raise ConnectionError(message)

        found = folder.findings(Unready())
        assert found == {"init": "init() fails: ConnectionError: no such service"}

    def test_secure_texts_are_looked_for(self, folder: Folder) -> None:
        """What a SECURE field holds must not be shown, in whatever form."""

        @attrs.frozen
        class Login:
            """A login."""

            password: str = attrs.field(metadata=SECURE)

        @attrs.frozen
        class Said:
            """What was said."""

            text: str

        class Talks(ActionPlugin[Login, Said]):
            """Says too much."""

            name = "acme.talks"

            async def execute(self, context: Context, request: Login, /) -> Said:
                """Say it backwards."""
                return Said(request.password[::-1])

        found = folder.findings(Talks(), requests=[Login("correct horse")])
        assert found == {
            "secrets": (
                "a secret of request 1 can be read in the stored plan, as it is shown "
                "(backwards)"
            )
        }


class TestUse:
    """How it is called."""

    def test_known_findings_can_be_ignored(self, folder: Folder) -> None:
        """An ignored name is not told, and stands in the report."""
        report = folder.check(Place(append), ignore={"interrupted"})
        assert report.not_checked["interrupted"] == "it is ignored"

    def test_findings_are_told_one_by_one(self) -> None:
        """A finding is a name and a sentence."""
        error = ConformanceError("acme.x", (Finding("docs", "none"),))
        assert str(error) == "1 thing found wrong with plugin acme.x:\n  docs: none"

    def test_secrets_may_be_given(self, folder: Folder) -> None:
        """Where a made up text would not do, a reference stands for what is said."""
        told: list[str] = []

        async def reveal(plugin: Place, context: Context, request: Put) -> Lines:
            assert request.login is not None
            told.append(request.login.reveal())
            return Lines(0)

        secrets = {"env:NO_SUCH_VARIABLE": "open sesame"}
        folder.check(Place(reveal), secrets=secrets)
        assert set(told) == {"open sesame"}

    @pytest.mark.parametrize(
        ("arguments", "error", "text"),
        [
            ((Place, [Put("/x")]), TypeError, "give an instance, "),
            ((Place(), ()), ValueError, "requests is empty"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, arguments: tuple[Any, Any], error: type[Exception], text: str
    ) -> None:
        """A class is no plugin, and nothing can be seen without a request."""
        with pytest.raises(error, match=text):
            check_plugin(*arguments)

    def test_unknown_names_are_refused(self, folder: Folder) -> None:
        """A name to ignore must be one that a finding can bear."""
        with pytest.raises(ValueError, match="the names are name, methods, types"):
            folder.check(Place(), ignore={"secret"})
