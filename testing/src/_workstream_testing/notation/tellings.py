"""What people say to the plan of a case: ``at 2 pause; at 4 skip s2; at 6 unpause``.

Each entry is ``at``, a time in seconds, a verb, and for some verbs the label of an object;
a group or sequence goes before its action of the same label. What is said at 0 is said
before the start. ``signal a`` sends the signal ``go``; ``approve`` and ``reject`` decide an
approval, ``by=ana`` says who. The plan's submitter is ``author``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import trio

from workstream._engine.engine import Workstream
from workstream._plan.paths import paths
from workstream._protocols.approval import APPROVAL
from workstream._store.asking import Answer
from workstream._values.errors import RefusedError
from workstream._values.interventions import Verb
from workstream._values.state import NoteValue

from ..simulation.told import Told
from .stored_states import Notation
from .tokens import NotationError

_DECISIONS = ("approve", "reject")
_ENTRY = re.compile(r"at (?P<at>\d+(?:\.\d+)?) (?P<verb>[a-z_]+)(?: (?P<rest>.*))?")


def parse_told(text: str, notation: Notation) -> list[Told]:
    """What is said to a plan, in order.

    Raises:
        NotationError: An entry cannot be read, or names no object.
    """
    entries = [entry.strip() for entry in text.split(";")]
    return [_entry(entry, notation) for entry in entries if entry]


def _entry(entry: str, notation: Notation) -> Told:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        message = f"{entry!r} is nothing that a plan is told: write at 2 pause"
        raise NotationError(message)
    at, word = float(match["at"]), match["verb"]
    path, data, by = "", dict[str, NoteValue](), "somebody"
    if word in _DECISIONS:
        data.update(name=APPROVAL, value=word == "approve")
    elif word == "signal":
        data.update(name="go", value=True)
    verb = Verb.SIGNAL if word in _DECISIONS else Verb(word)
    for word in (match["rest"] or "").split():
        if word.startswith("by="):
            by = word.removeprefix("by=")
        elif verb is Verb.STOP:
            data[word] = True
        elif "=" in word:
            name, _, value = word.partition("=")
            data[name] = int(value) if value.lstrip("-").isdecimal() else value
        else:
            path = _path(notation, word)
    return Told(at, verb, path, data, by=by)


def _path(notation: Notation, label: str) -> str:
    return [path for path, _ in paths(notation.plan)][notation.place(label)]


def before_start(told: Iterable[Told]) -> list[Told]:
    """What is said before the start."""
    return [each for each in told if not each.at]


async def say_all(ws: Workstream, plan_id: object, told: Iterable[Told]) -> None:
    """Say what is said after the start, each at its time; the run begins now."""
    began = trio.current_time()
    for each in told:
        if each.at:
            await trio.sleep_until(began + each.at)
            await say(ws, plan_id, each)


async def say(ws: Workstream, plan_id: object, told: Told) -> Answer | None:
    """Tell a plan something; None: it was refused."""
    if told.verb is Verb.FREEZE:
        await ws.freeze(reason=told.reason, by="somebody")
        return None
    if told.verb is Verb.UNFREEZE:
        await ws.unfreeze(reason=told.reason, by="somebody")
        return None
    ask = getattr(ws, "_ask")  # noqa: B009  # one way in for all verbs
    try:
        answer: Answer = await ask(
            plan_id, told.verb, told.reason, told.by, path=told.path, data=told.data
        )
    except RefusedError:
        return None
    return answer
