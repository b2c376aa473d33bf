"""``assert_plan``: a readable difference between a plan and what is expected."""

from __future__ import annotations

import textwrap
from typing import Any, cast

import attrs
import pytest

from workstream import (
    SECURE,
    Action,
    ActionPlugin,
    Block,
    Context,
    Plan,
    Sequence,
    plan_text,
)
from workstream.testing import assert_plan, simulate


@attrs.frozen
class Ask:
    """A request."""

    host: str
    password: str | None = attrs.field(default=None, metadata=SECURE)


class Copy(ActionPlugin[Ask, None]):
    """Copies nothing."""

    name = "acme.copy"

    async def execute(self, context: Context, request: Ask, /) -> None:
        """Do nothing."""


def copy(host: str, **options: Any) -> Action:
    """Copy to one host."""
    return Copy.action(Ask(host, **options), name="Copy")


def rollout(*hosts: str, concurrency: int = 1, **options: Any) -> Plan:
    """Copy to some hosts."""
    sequences = [Sequence(name=host, actions=[copy(host, **options)]) for host in hosts]
    block = Block(name="Tier", concurrency=concurrency, sequences=sequences)
    return Plan(name="Rollout", blocks=[block])


SNAPSHOT = """
    Rollout
      Tier (concurrency=2)
        web-1
          Copy
            acme.copy Ask(host='web-1')
"""


class TestPlans:
    """Against another plan."""

    def test_an_equal_plan_passes(self) -> None:
        """Ids and times do not count by default."""
        assert_plan(rollout("web-1"), rollout("web-1"))
        first, second = (simulate(rollout("a"), [Copy()]).plan for _ in range(2))
        second.id = None
        assert_plan(first, second)
        with pytest.raises(AssertionError, match="id: "):
            assert_plan(first, second, ids=True)

    def test_each_difference_is_a_line(self) -> None:
        """Paths say where, and secrets are not shown (CL-3)."""
        expected = rollout("web-1", "web-2", password="correct horse")
        actual = rollout("web-1", "web-3", concurrency=5, password="battery staple")
        with pytest.raises(AssertionError) as caught:
            assert_plan(actual, expected)

        assert str(caught.value).splitlines() == [
            "the plan is not as expected (expected -> actual):",
            "  Rollout / Tier: concurrency: 1 -> 5",
            "  Rollout / Tier / web-1 / Copy: request.password: '[secret hidden]' -> "
            "'[secret hidden]' (they differ, but not in what is shown)",
            "  Rollout / Tier / web-2: removed",
            "  Rollout / Tier / web-3: added",
        ]

    def test_a_long_difference_is_cut(self) -> None:
        """A failure message stays short enough to be read."""
        with pytest.raises(AssertionError) as caught:
            assert_plan(rollout(*map(str, range(100))), rollout("web"))
        assert str(caught.value).endswith("  ... and 61 more lines")


class TestSnapshots:
    """Against the text of a plan."""

    def test_the_same_text_passes(self) -> None:
        """Indentation as a whole, and blank lines around it, do not count."""
        assert_plan(rollout("web-1", concurrency=2), SNAPSHOT)
        assert_plan(rollout("web-1", "web-2"), plan_text(rollout("web-1", "web-2")))

    def test_lines_that_differ_stand_below_their_own(self) -> None:
        """What they belong to is shown with them, and what is equal is left out."""
        actual = rollout("web-1", "web-2", concurrency=2)
        with pytest.raises(AssertionError) as caught:
            assert_plan(actual, SNAPSHOT)

        assert textwrap.dedent(
            """\
            the plan's text is not as expected (- expected, + actual):
                Rollout
                  Tier (concurrency=2)
              +     web-2
              +       Copy
              +         acme.copy Ask(host='web-2')
            """
        ).rstrip() == str(caught.value)


@pytest.mark.parametrize(
    ("actual", "expected", "text"),
    [
        (None, "", "got a NoneType: give it a Plan"),
        (rollout("a"), 7, r"got a int: give it a Plan, or the text that plan_text"),
    ],
)
def test_other_things_are_refused(actual: object, expected: object, text: str) -> None:
    """What is no plan is a mistake of the test, not a difference."""
    with pytest.raises(TypeError, match=text):
        assert_plan(cast("Plan", actual), cast("str", expected))
