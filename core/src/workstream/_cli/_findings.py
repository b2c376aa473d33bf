"""What ``workstream doctor`` has found, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import attrs

from ._screen import Screen, joined, plain

__all__ = ["Finding", "Level", "show_findings"]


class Level(Enum):
    """How much a finding matters."""

    OK = "ok"
    """It is as it should be."""
    NOTE = "note"
    """Worth knowing; nothing has to be done."""
    PROBLEM = "problem"
    """Something is to be done."""


@attrs.frozen
class Finding:
    """One thing that was looked at.

    Attributes:
        area: What it is about: ``engine``, ``store``, ``plans``, ``plugins``,
            ``programs``.
        level: How much it matters.
        message: What was found.
        remedy: What to do, a command where there is one; ``""`` when all is well.
    """

    area: str
    level: Level
    message: str
    remedy: str = ""

    def data(self) -> dict[str, str]:
        """The finding for ``--json``."""
        return {
            "area": self.area,
            "level": self.level.value,
            "message": self.message,
            "remedy": self.remedy,
        }


def show_findings(screen: Screen, findings: Sequence[Finding]) -> None:
    """Write the findings, those of each area together, and how many are problems."""
    signs = {
        Level.OK: (screen.signs.completed, "green"),
        Level.NOTE: (screen.signs.waiting, "yellow"),
        Level.PROBLEM: (screen.signs.failed, "red"),
    }
    for area in dict.fromkeys(finding.area for finding in findings):
        screen.line(plain(area, "bold"))
        for finding in findings:
            if finding.area == area:
                sign, style = signs[finding.level]
                screen.line(joined((f"{sign} ", style), finding.message), indent=2)
                if finding.remedy:
                    text = joined(("to do:  ", "dim"), finding.remedy)
                    screen.line(text, indent=6)
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    if problems:
        things = "one thing" if problems == 1 else f"{problems:,} things"
        screen.line(plain(f"{things} to do", "bold red"))
    else:
        screen.line(plain("all is well", "bold green"))
    screen.flush()
