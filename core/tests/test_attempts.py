"""What a plugin's call did, as the outcome of an attempt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from click.testing import CliRunner

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    clone,
    from_json,
    open_workstream,
    plan_text,
    to_json,
)
from workstream._attempts.outcomes import (
    MOST_WRAPPED,
    outcome_of_exception,
    outcome_of_response,
)
from workstream._cli.main import command_line
from workstream._values.state import PluginError, links_of


def test_errors_in_a_circle_are_cut() -> None:
    """An error that wraps itself keeps each of its links once (OM-11)."""
    error = PluginError("round")
    error.wrapped = PluginError("and round", code=7, wrapped=error)
    expected = PluginError("round", wrapped=PluginError("and round", code=7))
    assert outcome_of_exception(error).error == expected
    assert outcome_of_response(error).error == expected


def test_an_error_keeps_its_chain() -> None:
    """A sound error is what it was, with all that is behind it (OM-11, A-8)."""
    cause = PluginError("cause", code=3, permanent=True)
    error = PluginError("effect", permanent=True, wrapped=cause, response="partly")
    outcome = outcome_of_exception(error)
    assert outcome.error == error
    assert outcome.response == "partly"


def chain_of(length: int) -> PluginError:
    """So many errors, one behind the other; the first is number 1."""
    error: PluginError | None = None
    for number in range(length, 0, -1):
        error = PluginError(f"error {number}", code=number, wrapped=error)
    assert error is not None
    return error


@pytest.mark.slow
@pytest.mark.parametrize("length", [51, 330, 5_000, 50_000])
def test_a_long_chain_is_cut_in_its_middle(length: int) -> None:
    """Fifty are kept: effect and cause, and between them how many are not (OM-11)."""
    error = outcome_of_exception(chain_of(length)).error
    assert error is not None

    messages = [each.message for each in error.chain()]
    gap = f"[... {length - 49:,} more wrapped errors are left out ...]"
    assert len(messages) == MOST_WRAPPED == 50
    assert messages[:2] == ["error 1", "error 2"]
    assert messages[25] == gap
    assert messages[-1] == f"error {length}"
    assert gap in str(error)
    assert error == outcome_of_response(chain_of(length)).error


def test_a_chain_of_fifty_is_kept_whole() -> None:
    """Nothing is left out of a chain that is not too long (OM-11)."""
    assert outcome_of_exception(chain_of(50)).error == chain_of(50)


@pytest.mark.slow
def test_a_chain_without_an_end_is_cut() -> None:
    """A class may make its links as they are asked for; that ends too (OM-11)."""

    class EndlessError(PluginError):
        @property
        def wrapped(self) -> PluginError:
            return EndlessError("again")

        @wrapped.setter
        def wrapped(self, _: PluginError | None) -> None:
            pass

    error = outcome_of_exception(EndlessError("again")).error
    assert error is not None
    assert len(links_of(error)) == MOST_WRAPPED


def test_groups_within_groups_are_looked_through() -> None:
    """However deep nurseries are nested, what is inside counts (A-8)."""
    error: Any = PluginError("inside", code=4)
    for _ in range(5_000):
        error = ExceptionGroup("nursery", [error])

    assert outcome_of_exception(error).error == PluginError("inside", code=4)


# -- From the plugin to the store and to people ----------------------------------------


@attrs.frozen
class Nothing:
    """A request that says nothing."""


class Fail(ActionPlugin[Nothing, None]):
    name = "toy.fail"

    async def execute(self, context: Context, request: Nothing, /) -> None:
        raise chain_of(5_000)


def test_a_plan_with_a_long_chain_is_stored_and_shown(tmp_path: Path) -> None:
    """Such a plan can be read, copied, written as text and JSON, and shown (OM-11)."""
    action = Fail.action(Nothing(), name="a")
    sequence = Sequence(name="s", description="d", actions=[action])
    block = Block(name="b", description="d", sequences=[sequence])
    plan = Plan(name="p", description="d", blocks=[block])
    registry = Registry([Fail()])
    store = str(tmp_path / "store")

    async def main() -> tuple[Plan, Plan]:
        async with open_workstream(store, registry=registry) as ws:
            done = await ws.run(plan)
        async with open_workstream(store, registry=registry) as ws:
            assert done.id is not None
            return done, await ws.plan(done.id)

    done, back = trio.run(main)
    [attempt] = back.blocks[0].sequences[0].actions[0].attempts
    assert attempt.error is not None
    assert attempt.error == done.blocks[0].sequences[0].actions[0].attempts[0].error
    assert "4,951 more wrapped errors" in str(attempt.error)
    assert "error 5000" in plan_text(back)
    assert clone(back, keep_state=True) == back
    text = to_json(back, with_secrets=True)
    again = from_json(text, registry, keep_state=True)
    assert again.blocks[0].sequences[0].actions[0].attempts == [attempt]
    for command in (["show"], ["show", "--json"], ["export"]):
        words = [*command, str(back.id), "--store", store]
        shown = CliRunner().invoke(command_line, words)
        assert shown.exit_code == 0, shown.output
        assert "error 1" in shown.output
