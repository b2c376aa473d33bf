"""What ``check_plugin`` answers: findings by name, or what was looked at."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from workstream._plan.text import value_text

NAMES: Mapping[str, str] = {
    "name": "it has a name, dotted, that begins with the package's entry point (REG-10)",
    "methods": "its methods are there and are coroutines (REG-1)",
    "types": "its request and response types can be stored (REG-2)",
    "retry": "its retry policy is valid (RP-2)",
    "on-interrupt": "what it says of crashes is something it can do (REG-9)",
    "programs": "the programs that it starts are named (REG-1)",
    "marks": "fields that sound like secrets are marked (REG-4)",
    "docs": "the plugin, its requests and its responses are documented",
    "init": "its init succeeds (REG-6)",
    "request": "the requests are of its type and survive the store and JSON (V-23, STO-7)",
    "validate": "validate accepts what works and refuses what cannot (V-19)",
    "outcome": "requests end as they should: with a response, or an error (A-3)",
    "response": "responses are of its type and survive the store (A-7, STO-7)",
    "secrets": "no secret shows in states, reports, errors or logs (CL-8, WA-4)",
    "cancellation": "it ends soon after it was cancelled, and does not go on (A-5)",
    "left-behind": "it leaves no process, task or thread behind",
    "timeout": "an attempt ends with its timeout (A-4)",
    "side-effects": "a check can run twice, and changes nothing (REG-8)",
    "interrupted": "interrupted anywhere and run again, it ends the same (R-7)",
    "preview": "its preview tells what is so, and changes nothing (PV-5)",
}
"""All that is looked at, by the name that a finding bears, in order."""


@attrs.frozen
class Finding:
    """Something that is wrong with a plugin.

    Attributes:
        name: Which of the things that are looked at it concerns; see the reference.
        text: What is wrong, and what to do.
    """

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


class ConformanceError(AssertionError):
    """A plugin or observer does not conform; the message lists all that was found.

    Attributes:
        findings: What was found, in the order in which it is looked at.
    """

    __module__ = "workstream.testing"

    def __init__(
        self, name: str, findings: tuple[Finding, ...], *, kind: str = "plugin"
    ) -> None:
        self.findings = findings
        lines = "\n".join(f"  {finding}" for finding in findings)
        what = "1 thing" if len(findings) == 1 else f"{len(findings):,} things"
        super().__init__(f"{what} found wrong with {kind} {name}:\n{lines}")


@attrs.frozen
class PluginReport:
    """What ``check_plugin`` looked at, and found right.

    Attributes:
        plugin: The plugin's name.
        checked: The names of what was looked at.
        not_checked: The names of what was not, each with the reason.
        attempts: How often the plugin was called.
    """

    plugin: str
    checked: tuple[str, ...]
    not_checked: Mapping[str, str]
    attempts: int

    def __str__(self) -> str:
        lines = [
            f"plugin {self.plugin}: {len(self.checked)} things are right, "
            f"after {self.attempts:,} calls"
        ]
        lines += [
            f"  not looked at: {name}: {why}" for name, why in self.not_checked.items()
        ]
        return "\n".join(lines)


def changed(before: object, after: object) -> str:
    """What became of something, for the end of a clause."""
    return f"something else: {value_text(before)} became {value_text(after)}"
