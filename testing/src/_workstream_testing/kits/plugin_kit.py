"""``check_plugin``: whether a plugin does what every plugin must, all of it at once.

Free of pytest. The plugin is looked at, then called for real, by a real engine on trio:
once undisturbed, and then cancelled at one step after another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import attrs

from workstream._attempts.outcomes import TIMED_OUT
from workstream._plan.text import value_text
from workstream._protocols.plugin import (
    ActionPlugin,
    AnyPlugin,
    can_preview,
    can_reconcile,
    request_types,
    response_types,
)
from workstream._protocols.preview import Preview
from workstream._registry.registration import not_a_plugin
from workstream._secrets.filling import resolve
from workstream._secrets.lookups import Immediate
from workstream._values.annotations import type_text
from workstream._values.state import OnInterrupt, Status

from ..problems import says_all
from .plugin_attempts import LAST, carry_out, registry_of, spread, step_text
from .plugin_findings import NAMES, ConformanceError, Finding, PluginReport, changed
from .plugin_looks import documented, left_out, registered, request_looks, validation
from .plugin_previews import ask
from .secret_search import AnyScheme, SecretSource, shown
from .watched_calls import Attempted

__tracebackhide__ = says_all

SHORT = 0.2
"""Seconds after which a slow request is timed out."""
FATAL = {"name", "methods", "types"}
"""What keeps a plugin from being called at all."""


def check_plugin(
    plugin: AnyPlugin,
    requests: Sequence[Any],
    *,
    refused: Sequence[Any] = (),
    failing: Sequence[Any] = (),
    slow: Any = None,
    reset: Callable[[], object] | None = None,
    look: Callable[[], object] | None = None,
    secrets: Mapping[str, str] | None = None,
    steps: int = 5,
    within: float = 5.0,
    limit: float = 60.0,
    ignore: Collection[str] = (),
) -> PluginReport:
    """See that a plugin does what every plugin must.

    ::

        def test_copy_conforms(tmp_path):
            check_plugin(
                Copy(),
                [CopyRequest(source="a", target=str(tmp_path / "b"))],
                refused=[CopyRequest(source="", target="")],
                failing=[CopyRequest(source="/no/such/file", target="b")],
                reset=lambda: (tmp_path / "b").unlink(missing_ok=True),
                look=lambda: sorted(p.name for p in tmp_path.iterdir()),
            )

    It is called for real, and many times: undisturbed, and cancelled at one step after
    another and run again. Give it requests that do no harm, and ``reset`` if what it
    does can be done only once.

    Args:
        plugin: The plugin, ready to be registered.
        requests: Requests that succeed, soon. If it handles secrets, let one hold some:
            ``SecretRef`` fields are resolved to texts that are then looked for.
        refused: Requests that ``validate`` must refuse.
        failing: Requests that are valid, and fail when they are carried out.
        slow: A request that would take more than a second; without one, timeouts are
            not looked at.
        reset: Brings the world back to where the requests succeed; called before each.
        look: What the plugin changes, as a value that can be compared: after an
            interruption it must end the same, and a check must not change it.
        secrets: What references stand for, by the reference, where a made up text
            would not do.
        steps: At how many of its steps a request is interrupted: spread over all of
            them, and right before its outcome is stored.
        within: Seconds in which it must end once it was cancelled.
        limit: Seconds that a request may take.
        ignore: Names of findings that are known, and not told again.

    Returns:
        What was looked at, and what could not be.

    Raises:
        ConformanceError: It lists everything that is wrong.
        TypeError: It is no plugin.
        ValueError: No request was given, or something else makes no sense.
    """
    nothing = not_a_plugin(plugin)
    if nothing is not None:
        raise TypeError(nothing)
    unknown = sorted(set(ignore) - set(NAMES))
    if unknown:
        message = f"ignore={unknown}: the names are {', '.join(NAMES)}"
        raise ValueError(message)
    if not requests:
        message = "requests is empty: give at least one request that succeeds"
        raise ValueError(message)
    check = _Check(
        plugin=plugin,
        reset=reset,
        look=look,
        source=SecretSource(secrets or {}),
        steps=steps,
        within=within,
        limit=limit,
    )
    check.run(requests, refused, failing, slow)
    found = tuple(
        finding
        for name in NAMES
        if name not in ignore
        for finding in check.findings
        if finding.name == name
    )
    if found:
        raise ConformanceError(plugin.name, found)
    not_checked = {**check.not_checked, **dict.fromkeys(ignore, "it is ignored")}
    checked = tuple(name for name in NAMES if name not in not_checked)
    return PluginReport(plugin.name, checked, not_checked, check.attempts)


@attrs.define
class _Check:
    """The check of one plugin, and what it has found so far."""

    plugin: AnyPlugin
    reset: Callable[[], object] | None
    look: Callable[[], object] | None
    source: SecretSource
    steps: int
    within: float
    limit: float
    findings: list[Finding] = attrs.Factory(list[Finding])
    not_checked: dict[str, str] = attrs.Factory(dict[str, str])
    attempts: int = 0
    _told: set[tuple[str, str]] = attrs.Factory(set[tuple[str, str]])
    _deaf: bool = False
    _values: set[str] = attrs.Factory(set[str])
    _resolvers: dict[str, Callable[[str], str]] = attrs.Factory(
        dict[str, Callable[[str], str]]
    )

    def run(
        self,
        requests: Sequence[Any],
        refused: Sequence[Any],
        failing: Sequence[Any],
        slow: Any,
    ) -> None:
        """Look at everything."""
        self.findings += registered(self.plugin)
        if FATAL & {finding.name for finding in self.findings}:
            return
        self.findings += documented(self.plugin)
        if not self._init():
            return
        good = [(f"request {n}", r) for n, r in enumerate(requests, start=1)]
        bad = [(f"failing request {n}", r) for n, r in enumerate(failing, start=1)]
        last = [] if slow is None else [("the slow request", slow)]
        usable = [
            (which, request)
            for which, request in [*good, *bad, *last]
            if self._is_usable(which, request)
        ]
        self.findings += validation(self.plugin, usable, refused)
        for which, request in usable:
            if self._deaf:
                self.not_checked.update(
                    dict.fromkeys(("timeout", "interrupted"), "it had to be given up")
                )
                return
            if (which, request) in good:
                self._succeeds(which, request)
            elif (which, request) in bad:
                self._fails(which, request)
            else:
                self._is_slow(which, request)
        fails = self._mode() is OnInterrupt.FAIL
        self.not_checked |= left_out(
            self.plugin, slow=slow, secrets=bool(self._values), fails=fails
        )

    def _mode(self) -> OnInterrupt:
        if isinstance(self.plugin, ActionPlugin):
            return self.plugin.on_interrupt
        return OnInterrupt.RERUN

    def _add(self, name: str, text: str, *, once: str = "") -> None:
        """Note a finding, unless the like of it was told already."""
        key = (name, once or text)
        if key not in self._told:
            self._told.add(key)
            self.findings.append(Finding(name, text))

    # --- before it is called ----------------------------------------------------------

    def _init(self) -> bool:
        import trio

        async def init() -> None:
            with trio.fail_after(self.limit):
                await self.plugin.init()

        try:
            trio.run(init)
        except Exception as error:
            self._add("init", f"init() fails: {type(error).__name__}: {error}")
            return False
        return True

    def _is_usable(self, which: str, request: Any) -> bool:
        registry = registry_of(self.plugin, {})
        found = list(request_looks(self.plugin, request, which, registry))
        self.findings += found
        if type(request) not in request_types(self.plugin):
            return False
        _, values = resolve(request, AnyScheme(self.source))
        self._values |= values
        for reference in self.source.made:
            scheme = reference.partition(":")[0]
            self._resolvers[scheme] = Immediate(self.source.resolver(scheme))
        return True

    # --- calls ------------------------------------------------------------------------

    def _call(
        self,
        which: str,
        request: Any,
        *,
        timeout: float | None = None,
        interrupt: int | float | None = None,
        recover: bool = False,
    ) -> Attempted:
        if self.reset is not None:
            self.reset()
        seen = carry_out(
            self.plugin,
            request,
            self._resolvers,
            timeout=self.limit if timeout is None else timeout,
            within=self.within,
            interrupt=interrupt,
            recover=recover,
        )
        self.attempts += max(seen.calls, 1)
        when = (
            "" if interrupt is None else f" when it is cancelled{step_text(interrupt)}"
        )
        self._general(which, seen, when)
        return seen

    def _general(self, which: str, seen: Attempted, when: str) -> None:
        """What holds for calls of all kinds: they hear, leave nothing, tell nothing."""
        if seen.deaf:
            self._deaf = True
            text = (
                f"{which} goes on {self.within:g} seconds after it was cancelled: "
                "never catch trio.Cancelled, or BaseException, without raising it again; "
                "call nothing that blocks outside of a thread"
            )
            self._add("cancellation", text, once=which)
        for what in seen.left:
            text = f"{which} leaves {what}{when}"
            self._add("left-behind", text, once=f"{which} {what.partition(':')[0]}")
        for where in shown(seen.texts, self._values):
            text = f"a secret of {which} can be read in {where}"
            self._add("secrets", text, once=f"{which} {where}")

    def _succeeds(self, which: str, request: Any) -> None:
        foreseen = self._preview(which, request) if can_preview(self.plugin) else None
        if self._deaf:
            return
        before = self._looked_after_reset()
        seen = self._call(which, request)
        if seen.deaf or not self._completed(which, seen):
            return
        end = self._looked()
        self._response(which, seen)
        if self.plugin.is_check:
            self._no_side_effects(which, request, before, end)
        elif foreseen is not None and foreseen.changes is False and before != end:
            text = (
                f"the preview of {which} says that nothing would change, and then it "
                f"changes {changed(before, end)}"
            )
            self._add("preview", text)
        self._interruptions(which, request, seen.steps, end)

    def _completed(self, which: str, seen: Attempted) -> bool:
        action = seen.action
        if seen.problem is not None or action is None:
            self._add("outcome", f"{which} cannot be carried out: {seen.problem}")
            return False
        if action.state.status is Status.COMPLETED:
            return True
        if seen.returned and seen.error is None:
            self._add("response", f"{which}: {action.error}")
        else:
            self._add("outcome", f"{which} fails: {action.error}")
        return False

    def _response(self, which: str, seen: Attempted) -> None:
        action = seen.action
        assert action is not None
        given, stored = seen.response, action.response
        if type(given) not in response_types(self.plugin):
            wanted = type_text(self.plugin.response_type)
            text = f"{which} returns {type_text(type(given))}, which is not {wanted}"
            self._add("response", text)
        elif type(stored) is not type(given) or stored != given:
            text = (
                f"the response of {which} does not survive the store: "
                f"{value_text(given)} comes back as {value_text(stored)}"
            )
            self._add("response", text)

    def _no_side_effects(
        self, which: str, request: Any, before: object, after: object
    ) -> None:
        if before != after:
            text = f"{which} changes {changed(before, after)}: a check only looks"
            self._add("side-effects", text)
        reset, self.reset = self.reset, None
        try:
            again = self._call(which, request)
        finally:
            self.reset = reset
        if again.action is not None and again.action.error is not None:
            text = (
                f"{which} passes at first, and fails when it is run again: "
                f"{again.action.error}"
            )
            self._add("side-effects", text)
        elif before == after and self._looked() != after:
            text = f"{which} changes {changed(after, self._looked())} the second time"
            self._add("side-effects", text)

    def _preview(self, which: str, request: Any) -> Preview | None:
        """Ask twice, then cancelled at its steps; the first answer (PV-5)."""
        name = f"the preview of {which}"
        before = self._looked_after_reset()
        seen = self._ask(name, request)
        again = None if self._deaf else self._ask(name, request)
        if again is None or not self._answered(name, seen):
            return None
        if self._looked() != before:
            text = f"{name} changes {changed(before, self._looked())}: it only looks"
            self._add("preview", text)
        if again.response != seen.response:
            text = (
                f"{name} says something else the second time, though nothing has "
                f"changed: {value_text(seen.response)} became "
                f"{value_text(again.response)}"
            )
            self._add("preview", text)
        for step in spread(seen.steps, self.steps):
            stopped = self._ask(name, request, interrupt=step)
            if stopped.deaf:
                break
            self._obeyed(name, step, stopped)
        return cast("Preview", seen.response)

    def _ask(
        self, name: str, request: Any, *, interrupt: int | None = None
    ) -> Attempted:
        seen = ask(
            self.plugin,
            request,
            self._resolvers,
            timeout=self.limit,
            within=self.within,
            interrupt=interrupt,
        )
        self.attempts += 1
        when = (
            "" if interrupt is None else f" when it is cancelled{step_text(interrupt)}"
        )
        self._general(name, seen, when)
        return seen

    def _answered(self, name: str, seen: Attempted) -> bool:
        if seen.problem is not None or seen.error is not None:
            why = seen.problem or f"{type(seen.error).__name__}: {seen.error}"
            self._add("preview", f"{name} fails, although the request succeeds: {why}")
        elif not seen.returned:
            self._add("preview", f"{name} takes more than {self.limit:g} seconds")
        elif type(seen.response) is not Preview:
            got = type_text(type(seen.response))
            self._add("preview", f"{name} is {got}: return a Preview")
        else:
            return True
        return False

    def _interruptions(self, which: str, request: Any, count: int, end: object) -> None:
        recover = self._mode() is not OnInterrupt.FAIL
        for step in [*spread(count, self.steps), LAST]:
            seen = self._call(which, request, interrupt=step, recover=recover)
            if seen.deaf:
                return
            self._obeyed(which, step, seen)
            if recover:
                self._ended_the_same(which, step, seen, end)

    def _obeyed(self, which: str, step: int | float, seen: Attempted) -> None:
        if seen.swallowed:
            text = (
                f"{which} returns a response although it was cancelled{step_text(step)}: it "
                "swallows trio.Cancelled, which must be raised again"
            )
            self._add("cancellation", text, once=which)
        if seen.ended_after > self.within:
            text = (
                f"{which} ends {seen.ended_after:.1f} seconds after it was cancelled"
                f"{step_text(step)}: {self.within:g} are allowed"
            )
            self._add("cancellation", text, once=which)

    def _ended_the_same(
        self, which: str, step: int, seen: Attempted, end: object
    ) -> None:
        action, looked = seen.action, self._looked()
        when = f"{which}, interrupted{step_text(step)} and run again,"
        advice = "look first what an earlier attempt has done, or say OnInterrupt.FAIL"
        if seen.problem is not None or action is None:
            text = f"{when} does not end: {seen.problem}"
            self._add("interrupted", text, once=which)
        elif action.state.status is not Status.COMPLETED:
            asked = self._mode() is OnInterrupt.RECONCILE and can_reconcile(self.plugin)
            if asked and seen.calls == 1:
                return  # reconcile says that nobody can know: that is an answer
            text = f"{when} fails: {action.error}; {advice}"
            self._add("interrupted", text, once=which)
        elif looked != end:
            text = f"{when} leaves {changed(end, looked)}; {advice}"
            self._add("interrupted", text, once=which)

    def _fails(self, which: str, request: Any) -> None:
        seen = self._call(which, request)
        if seen.deaf:
            return
        if seen.problem is not None or seen.action is None:
            self._add("outcome", f"{which} cannot be carried out: {seen.problem}")
        elif seen.action.error is None:
            self._add("outcome", f"{which} succeeds: {value_text(seen.response)}")
        elif not str(seen.action.error).strip():
            self._add("outcome", f"{which} fails without a word: say what is wrong")

    def _is_slow(self, which: str, request: Any) -> None:
        began = time.monotonic()
        seen = self._call(which, request, timeout=SHORT)
        took = time.monotonic() - began - SHORT
        if seen.deaf:
            return
        error = None if seen.action is None else seen.action.error
        if seen.problem is not None:
            self._add("outcome", f"{which} cannot be carried out: {seen.problem}")
        elif seen.returned and error is None:
            text = f"{which} ends within {SHORT:g} seconds: give one that takes long"
            self._add("outcome", text)
        elif error is None or error.message != TIMED_OUT:
            self._add("outcome", f"{which} fails before it is timed out: {error}")
        elif took > self.within:
            text = f"{which} ends {took:.1f} seconds after its timeout"
            self._add("timeout", text)
        if seen.problem is None:
            stopped = self._call(which, request, interrupt=SHORT)
            if not stopped.deaf:
                self._obeyed(which, SHORT, stopped)

    # --- the world --------------------------------------------------------------------

    def _looked_after_reset(self) -> object:
        if self.look is not None and self.reset is not None:
            self.reset()
        return self._looked()

    def _looked(self) -> object:
        return None if self.look is None else self.look()
