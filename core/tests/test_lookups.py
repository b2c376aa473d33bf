"""Secrets are looked up beside the event loop, and not for ever (A-17)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import attrs
import pytest
import trio
import trio.testing

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    PluginError,
    Registry,
    SecretRef,
    Sequence,
    Status,
    Workstream,
    failures,
    open_workstream,
)
from workstream._runtime.lookups import AT_ONCE, Lookups
from workstream.errors import SecretError
from workstream.plugins import RetryPolicy
from workstream.testing import FakeClock, MemoryWorkstream
from workstream.vaults import MemoryVault


@attrs.frozen
class Ask:
    login: SecretRef | None = None


class Tell(ActionPlugin[Ask, int]):
    """Says how long the secret is."""

    name = "test.tell"
    retry = RetryPolicy(initial_interval=1, randomization_factor=0)

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.then = then

    async def execute(self, context: Context, request: Ask, /) -> int:
        """Reveal it."""
        self.then()
        return len(request.login.reveal()) if request.login else 0


def plan_of(*references: str | None, **options: float) -> Plan:
    """A plan with an action for each reference, side by side."""
    sequences = [
        Sequence(
            name=str(reference),
            actions=[
                Tell.action(
                    Ask(None if reference is None else SecretRef(reference)),
                    name="Tell",
                    timeout=options.get("timeout", 30),
                    retries=int(options.get("retries", 0)),
                )
            ],
        )
        for reference in references
    ]
    count = len(sequences)
    block = Block(
        name="All", sequences=sequences, concurrency=count, tolerated_failures=count
    )
    return Plan(name="Look up", blocks=[block])


@pytest.fixture
def answer() -> Iterator[threading.Event]:
    """What a resolver waits for; it comes at the latest when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def run(
    plan: Plan, plugin: Tell, resolvers: dict[str, Callable[[str], str]]
) -> tuple[Plan, float]:
    """The plan when it has ended, and how long that took by a clock that only jumps."""

    async def main() -> tuple[Plan, float]:
        registry = Registry([plugin], resolvers=resolvers)
        async with open_workstream(
            MemoryVault(), registry=registry, random=lambda: 0.5
        ) as ws:
            started = trio.current_time()
            ended = await ws.run(plan)
            return ended, trio.current_time() - started

    # Unlike a FakeClock it does not stand still for threads: what hangs is too late.
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_resolver_that_waits_holds_up_nobody(answer: threading.Event) -> None:
    """One asks a person; meanwhile another action runs, and here gives the answer."""

    def ask(name: str) -> str:
        assert answer.wait(30), "the other action was held up"
        return name

    async def main() -> Plan:
        registry = Registry([Tell(answer.set)], resolvers={"person": ask})
        async with open_workstream(MemoryVault(), registry=registry) as ws:
            return await ws.run(plan_of("person:someone", None))

    clock = FakeClock()
    ended = clock.run(main)

    assert ended.state.status is Status.COMPLETED
    first = ended.blocks[0].sequences[0].actions[0]
    assert first.attempts[0].response == len("someone")
    assert clock.time() == 0, "time stands still while a thread works"


def test_a_resolver_that_hangs_times_out_with_the_attempt(
    answer: threading.Event,
) -> None:
    """The error names the secret and says what to look at; it is tried again."""

    def hang(_: str) -> str:
        answer.wait()
        return "never"

    ended, seconds = run(
        plan_of("safe:web/token", timeout=20, retries=1), Tell(), {"safe": hang}
    )

    first, second = ended.blocks[0].sequences[0].actions[0].attempts
    assert first.error == second.error
    assert first.error == PluginError(
        "plugin execution timed out",
        wrapped=PluginError(
            "the secret 'safe:web/token' was not found within 20 s: the resolver of "
            "'safe' has not answered. See whether where it looks can be reached, or "
            "waits for somebody"
        ),
    )
    assert seconds == pytest.approx(20 + 1 + 20)


def test_hanging_resolvers_keep_no_others_from_working(
    answer: threading.Event,
) -> None:
    """Of one scheme so many hang at once; another scheme has threads of its own."""

    def hang(_: str) -> str:
        answer.wait()
        return "never"

    names = [f"safe:{number}" for number in range(AT_ONCE + 4)]
    clock = trio.testing.MockClock()  # it stands still until it is told
    told = trio.Event()
    resolvers: dict[str, Callable[[str], str]] = {"safe": hang, "fine": str}

    async def main() -> Plan:
        registry = Registry([Tell(told.set)], resolvers=resolvers)
        async with open_workstream(MemoryVault(), registry=registry) as ws:
            plan_id = await ws.submit(plan_of(*names, "fine:one", timeout=20))
            await ws.start(plan_id)
            await told.wait()  # however many hang
            clock.jump(20)
            return await ws.wait(plan_id)

    ended = trio.run(main, clock=clock)

    states = [sequence.state.status for sequence in ended.blocks[0].sequences]
    assert states == [Status.FAILED] * len(names) + [Status.COMPLETED]
    errors = [failure.error for failure in failures(ended) if failure.error]
    others = f"has not answered, nor has it answered {AT_ONCE - 1} others. See"
    assert any(error.wrapped and others in error.wrapped.message for error in errors)


def test_what_a_resolver_says_in_its_thread_is_the_attempt_s_error() -> None:
    """At the action's path, and without what is not a ``SecretError``'s sentence."""

    def told(name: str) -> str:
        message = f"the safe has no {name}: add it"
        raise SecretError(message)

    def leaks(name: str) -> str:
        message = "hunter2"
        raise OSError(message)

    async def main() -> Plan:
        resolvers = {"told": told, "leaks": leaks}
        registry = Registry([Tell()], resolvers=resolvers)
        async with open_workstream(MemoryVault(), registry=registry) as ws:
            return await ws.run(plan_of("told:key", "leaks:key"))

    ended = FakeClock().run(main)

    found = {f.path: f.error.message for f in failures(ended) if f.error}
    assert found["Look up / All / told:key / Tell"] == (
        "the secret 'told:key' cannot be resolved: the safe has no key: add it"
    )
    assert found["Look up / All / leaks:key / Tell"] == (
        "the secret 'leaks:key' cannot be resolved: the resolver of 'leaks' failed "
        "with OSError"
    )


def test_leaving_an_engine_does_not_wait_for_a_resolver(
    answer: threading.Event,
) -> None:
    """It is broken off as by a crash, and the next engine looks the secret up again."""
    vault = MemoryVault()
    asked = threading.Event()

    def hang(_: str) -> str:
        asked.set()
        answer.wait()
        return "never"

    async def main() -> Plan:
        registry = Registry([Tell()], resolvers={"safe": hang})
        async with open_workstream(vault, registry=registry) as ws:
            plan_id = await ws.submit(plan_of("safe:x", retries=1))
            await ws.start(plan_id)
            await trio.to_thread.run_sync(asked.wait)
        assert not answer.is_set()
        registry = Registry([Tell()], resolvers={"safe": str})
        async with open_workstream(vault, registry=registry) as ws:
            return await ws.wait(plan_id)

    ended = FakeClock().run(main)

    assert ended.state.status is Status.COMPLETED


def test_the_environment_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup that only reads memory is done at once; a file may be far away."""
    monkeypatch.setenv("A_TOKEN", "hunter2")
    threads: list[str] = []

    async def run_sync(
        function: object, ref: SecretRef, *_: object, **__: object
    ) -> str:
        threads.append(ref.reference)
        return "from a thread"

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)
    lookups = Lookups(Registry().resolvers)

    for reference in ("env:A_TOKEN", "file:/a", "keyring:a/b"):
        request = Ask(SecretRef(reference))
        trio.run(lookups.resolved, request, 10.0)
    assert threads == ["file:/a", "keyring:a/b"]


def test_memory_workstreams_need_no_thread() -> None:
    """There the seed alone decides what comes first."""
    seen: list[int] = []

    def look(name: str) -> str:
        seen.append(threading.get_ident())
        return name

    async def scenario(ws: Workstream) -> Plan:
        return await ws.run(plan_of("safe:x"))

    MemoryWorkstream().run(scenario, [Tell()], resolvers={"safe": look})

    assert seen == [threading.get_ident()]
