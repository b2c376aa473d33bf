"""Short words for what is shown everywhere: counts, errors, lengths of time."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from .._plan.plan import Block, Checks, DeferredActions, Node, Plan
from .._plan.plan import Sequence as PlanSequence
from .._plan.sequels.retry import Left
from .._values.display import display_lines, one_line, shorten
from .._values.durations import took
from .._values.interventions import Intervention, Word
from .._values.state import PluginError, Status
from .outcomes import hold_word, status_words

if TYPE_CHECKING:
    from .time_left import SoFar, TimeLeft

_DEEPEST = 20
"""How many errors of a chain are told."""


def hold_words(hold: Intervention) -> str:
    """Since when, by whom and why: ``paused since 12:00:03 UTC by ana: "look first"``."""
    return since_words(hold_word([hold]), hold)


def since_words(what: str, said: Intervention | Word) -> str:
    """What holds since when, by whom and why."""
    text = f"{what} since {utc(said.at)} by {shorten(said.by)}"
    return f"{text}: {shorten(said.reason, 300)}" if said.reason else text


def utc(time: datetime) -> str:
    """A recorded time, to the second: ``2026-03-01 12:00:03 UTC``."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def parts_word(node: Node, count: int) -> str:
    """What so many of the things are called that an object is made of."""
    words = _PARTS.get(type(node), "action")
    return words if count == 1 else f"{words}es" if words == "batch" else f"{words}s"


_PARTS: dict[type, str] = {
    Block: "sequence",
    DeferredActions: "batch",
    Checks: "check",
}


def counts_words(node: Node, counts: Mapping[Status, int], total: int) -> str:
    """What came of its parts: ``7 of 8 sequences completed, 1 failed``."""
    told = (Status.FAILED, Status.STOPPED, Status.SKIPPED, Status.NOT_STARTED)
    return _counted(node, counts, total, told, " completed")


def done_words(node: Block | PlanSequence) -> str:
    """How far it has come: ``3 of 8 sequences, 1 failed``; of a sequence, its actions."""
    parts = node.sequences if isinstance(node, Block) else node.actions
    told = (Status.SKIPPED, *([Status.FAILED] if isinstance(node, Block) else []))
    return _counted(
        node, Counter(each.state.status for each in parts), len(parts), told
    )


def _counted(
    node: Node,
    counts: Mapping[Status, int],
    total: int,
    told: Iterable[Status],
    verb: str = "",
) -> str:
    done = counts.get(Status.COMPLETED, 0)
    text = f"{done:,} of {total:,} {parts_word(node, 0)}{verb}"
    others = (each for each in told if counts.get(each))
    return text + "".join(f", {counts[each]:,} {status_words(each)}" for each in others)


@attrs.frozen(kw_only=True)
class Totals:
    """What came of the sequences of a plan; each counts once, but for ``taken_back``.

    Attributes:
        done: They completed.
        failed: They failed.
        stopped: They were begun and cut short.
        running: They run, or did when the plan crashed.
        not_reached: Nothing of them was begun.
        skipped: Somebody left them out.
        taken_back: An undo of them was begun, whatever else came of them.
        of: All sequences.
    """

    done: int = 0
    failed: int = 0
    stopped: int = 0
    running: int = 0
    not_reached: int = 0
    skipped: int = 0
    taken_back: int = 0
    of: int = 0

    def __str__(self) -> str:
        """``184 of 200 sequences done, 10 failed, 6 not reached``."""
        text = f"{self.done:,} of {self.of:,} sequences done"
        for name in ("failed", "stopped", "running", "not_reached", "skipped"):
            count: int = getattr(self, name)
            text += f", {count:,} {name.replace('_', ' ')}" if count else ""
        return f"{text}; {self.taken_back:,} taken back" if self.taken_back else text


def totals(plan: Plan) -> Totals:
    """What came of the plan's sequences; a plan in brief will do."""
    sequences = [each for block in plan.blocks for each in block.sequences]
    counts = Counter(each.state.status for each in sequences)
    return Totals(
        done=counts[Status.COMPLETED],
        failed=counts[Status.FAILED],
        stopped=counts[Status.STOPPED],
        running=counts[Status.RUNNING],
        not_reached=counts[Status.NOT_STARTED],
        skipped=counts[Status.SKIPPED],
        taken_back=sum(each.undo_begun for each in sequences),
        of=len(sequences),
    )


def left_words(left: Left) -> str:
    """What a plan has left to do: ``143 sequences not reached, 1 failed``."""
    kinds = (
        (left.unreached, "not reached"),
        (left.failed, "failed"),
        (left.cut, "cut short"),
        (left.undone, "taken back"),
    )
    told = [(count, words) for count, words in kinds if count]
    if not told:
        return ""
    (count, words), *more = told
    noun = "sequence" if count == 1 else "sequences"
    others = (f", {number:,} {text}" for number, text in more)
    return f"{count:,} {noun} {words}{''.join(others)}"


def time_left_words(left: TimeLeft) -> str:
    """``about 4m left``; ``about 4m left, perhaps 9m`` where earlier runs differ."""
    text = f"about {took(left.p50)} left"
    # A tenth more or less says nothing.
    return f"{text}, perhaps {took(left.p90)}" if left.p90 > 1.1 * left.p50 else text


def so_far_words(found: SoFar, left: TimeLeft | None) -> str:
    """``57 of 200 sequences, 12 a minute, about 12m left (as this run goes)``."""
    text = f"{found.done:,} of {found.of:,} sequences"
    if found.rate:
        unit, rate = next(
            (unit, found.rate * seconds)
            for unit, seconds in (("second", 1), ("minute", 60), ("hour", 3_600))
            if found.rate * seconds >= 1 or unit == "hour"
        )
        text += f", {rate:,.0f} a {unit}" if rate >= 10 else f", {rate:.2g} a {unit}"
    if left is not None:
        runs = "an earlier run" if left.runs == 1 else f"{left.runs:,} earlier runs"
        return f"{text}, {time_left_words(left)} (as {runs} went)"
    if found.left is not None:
        return f"{text}, about {took(found.left)} left (as this run goes)"
    return text


def chain(error: PluginError | None) -> Iterator[PluginError]:
    """The error, then what it was because of, and so on; not for ever."""
    if error is not None:
        yield from itertools.islice(error.chain(), _DEEPEST)


def why(error: PluginError | None) -> list[str]:
    """An error in lines that are safe for a terminal, its causes below it."""
    if error is None:
        return ["it failed; no action of it did"]
    lines: list[str] = []
    for each in chain(error):
        because = "because: " if lines else ""
        code = f" (code {each.code})" if each.code else ""
        text = each.message or "an error without a message"
        first, *rest = display_lines(f"{text}{code}", limit=1_000) or [""]
        lines += [f"{because}{first}", *(f"  {line}" for line in rest)]
    return lines


def gist(error: PluginError) -> str:
    """What one line has room for: the cause, then what was because of it.

    Of several lines it is the last, where programs say why.
    """
    *above, cause = chain(error)
    text = (display_lines(str(cause)) or [""])[-1]
    return f"{text} ({one_line(above[0].message)})" if above else text


def cause_first(error: PluginError, limit: int) -> str:
    """All of an error on one line: its cause, then the command that met it."""
    *before, last = [line for line in str(error).splitlines() if line.strip()] or [""]
    return one_line(f"{last} ({' '.join(before)})" if before else last, limit)
