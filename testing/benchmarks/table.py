"""The table that a bench prints, and the statistics in it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import attrs

__all__ = ["Figure", "Samples", "interleaved", "percentile", "printed", "rewritten"]

HEADING = "| What | Figure | Ratio | Goal | |"


@attrs.frozen(kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        name: What was measured.
        value: The figure, with its unit.
        ratio: How it compares, where it is compared.
        goal: What was to be reached; empty: it is there for orientation.
        reached: Whether it was; None where there is no goal.
    """

    name: str
    value: str
    ratio: str = ""
    goal: str = ""
    reached: bool | None = None


@attrs.define
class Samples:
    """What the rounds of one run gave, by contender."""

    of: dict[str, list[float]] = attrs.field(factory=dict[str, list[float]])

    def median(self, name: str) -> float:
        """The median over all rounds."""
        return statistics.median(self.of[name])

    def ratio(self, name: str, to: str) -> float:
        """The median of the ratios within each round.

        A machine that is busy with something else slows all contenders of a round
        alike, so this stands still where the figures themselves do not.
        """
        pairs = zip(self.of[name], self.of[to], strict=True)
        return statistics.median(one / other for one, other in pairs)


def interleaved(rounds: int, contenders: dict[str, Callable[[], float]]) -> Samples:
    """Measure A B C, A B C, ... so that what disturbs one disturbs all."""
    samples = Samples({name: [] for name in contenders})
    for _ in range(rounds):
        for name, measure in contenders.items():
            samples.of[name].append(measure())
    return samples


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def printed(sections: dict[str, list[Figure]], left_out: dict[str, str]) -> str:
    """The table, as Markdown.

    Args:
        sections: The figures of each section.
        left_out: What the figures of a section leave out.
    """
    lines = [HEADING, "| --- | --- | --- | --- | --- |"]
    for section, figures in sections.items():
        words = left_out.get(section)
        without = f"left out: {words}" if words else ""
        lines.append(f"| **{section}** | {without} | | | |")
        for figure in figures:
            mark = {None: "", True: "reached", False: "missed"}[figure.reached]
            cells = (figure.name, figure.value, figure.ratio, figure.goal, mark)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def rewritten(page: str, table: str) -> str:
    """The page with this table, and the line on its run, in place of those that it has.

    Args:
        page: A page that has a table of an earlier run.
        table: What the bench printed.

    Raises:
        ValueError: The page has no such table.
    """
    before, heading, rest = page.partition(HEADING)
    _, run, after = rest.partition("\nPython ")
    if not heading or not run:
        message = f"the page has no table that begins with `{HEADING}`"
        raise ValueError(message)
    _, blank, after = after.partition("\n\n")
    return f"{before}{table}{blank}{after}"
