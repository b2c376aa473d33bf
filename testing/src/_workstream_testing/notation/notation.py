"""Plans in a line of text: the notation of the conformance cases.

::

    parse("cont(d=1)[k ok,err] B1(conc=2 tol=1): s1[a ok@2; b] s2..s4 err post[q]")

is a plan with a continuous check ``k``, repeated after 1 s, that passes once and then
fails; and a block ``B1`` of four sequences, two at a time, with a post-check ``q``. The
fixture plugins (``fixtures``) do what the scripts say. The grammar (blanks and ``;``
separate; ``?`` optional, ``*`` any number)::

    plan     = ("plan" state? opts? ":")? item* block*
    block    = "B"number state? opts? (":" item*)?
    item     = group | "da" state? opts? "[" batch* "]" | sequence
    group    = word state? opts? actions?    byp, pre, cont, post, def; gate in blocks
    sequence = name state? opts? actions? then?  a batch is written the same way
    then     = "then" state? opts? "[" batch* "]"    its deferred work
    actions  = "[" action (";" action)* "]" | script
    action   = name? state? opts? script?
    script   = entry ("," entry)*
    opts     = "(" (word | word "=" value)* ")"
    state    = "=" ("N" | "R" | "C" | "K" | "F" | "S") ("{" attempt* "}")?
    name     = word | word ".." word             s1..s4: four alike

Items before the first block are the plan's own. What is left out is the usual: a block
has one sequence, a container one action, a script is ``ok``. An action without a name is
called as its container; groups of a block carry its name (``B1.post``), and so do the
sequence and the action of a bare block (``B1.s``, ``B1.a``), and a sequence's deferred
work (``s1.then``).

Options. Plan: ``stop paused frozen``. Block: ``conc tol in out halt``,
``undo`` (``plan``, ``block`` or ``never``), ``consec batches=1:2:50% gap``; ``conc=none``,
``tol=10%``. Continuous checks: ``d``, ``fails``, ``on_fail``
(``halt`` or ``warn``). Action:
``retries timeout deadline on_interrupt reconcile``, ``of=a`` (its request needs the
response of ``a``, before it). Check: ``ask=2`` makes it an approval
by two, ``by=ana:bob`` says by whom. Batch: ``always``, ``on_success``,
``on_failure`` or ``on_undo``; ``fe``. States and the option ``ended`` are for plans that are stored as a
crash left them (``stored``): an object that has begun did so 10 s ago, one that has ended
did so 5 s ago, unless ``ended=-4``; attempts (``open ok err perm int``) began 9, 8 ... s
ago and ended half a second later.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from workstream._plan.plan import (
    Action,
    BaseAction,
    Block,
    CheckAction,
    CheckKind,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Percent,
    Plan,
    Sequence,
)
from workstream._plan.walk import walk
from workstream._protocols.approval import Approval, Approve
from workstream._values.interventions import Verb
from workstream._values.state import (
    HaltAfter,
    OnFailure,
    OnInterrupt,
    Status,
    Undo,
    WhenDeferred,
)

from .fixtures import ACT, CHECK, scripted
from .scripts import is_entry, parse_script
from .stored_states import Mark, Notation
from .tokens import NotationError, Tokens

T = TypeVar("T")
ActionT = TypeVar("ActionT", bound=BaseAction)

GROUPS: Mapping[str, CheckKind] = {
    "byp": "bypass_checks",
    "pre": "pre_checks",
    "cont": "cont_checks",
    "gate": "batch_checks",
    "post": "post_checks",
    "def": "deferred_checks",
}
STATUSES = {
    "K" if status is Status.SKIPPED else status.name[0]: status for status in Status
}
TAKEN = {"paused": Verb.PAUSE, "frozen": Verb.FREEZE}
ATTEMPTS = ("open", "ok", "err", "perm", "int")
BLOCK = re.compile(r"B\d+")
BLOCK_OPTIONS = {
    *("conc", "tol", "in", "out", "halt", "undo"),
    *("consec", "batches", "gap", "ended"),
}
_ONE: int | None = 1
_NOTHING: int | Percent = 0
_ONCE: int | None = 0
WHEN = {when.name.lower(): when for when in WhenDeferred if when.value}


def parse(text: str) -> Notation:
    """Read a plan.

    Raises:
        NotationError: It is none; the message shows where, and what was expected.
    """
    return _Parser(text).plan()


@attrs.frozen
class _Head:
    """What every object begins with."""

    name: str
    mark: Mark
    options: dict[str, str]


class _Parser:
    """Reads one text, by recursive descent."""

    def __init__(self, text: str) -> None:
        self._tokens = Tokens(text)
        self._marks: dict[int, Mark] = {}  # by the id() of the object
        self._labels: dict[int, str] = {}
        self._sources: dict[str, BaseAction] = {}
        self._inherited = Mark()

    def plan(self) -> Notation:
        head = _Head("plan", Mark(), {})
        if self._tokens.peek() == "plan":
            self._tokens.take()
            head = self._head("plan", {"stop", "ended", *TAKEN})
            self._tokens.expect(":")
        plan = Plan(name="plan", blocks=[])
        self._note(plan, head)
        self._items(plan, "", lambda: self._deferred_actions(plan))
        while BLOCK.fullmatch(self._tokens.peek()):
            plan.blocks.append(self._block())
            self._separators()
        if self._tokens.peek():
            self._tokens.fail("expected a block")
        containers, actions = self._index(plan)
        marks = {
            place: self._marks[id(item.node)] for place, item in enumerate(walk(plan))
        }
        taken = tuple(TAKEN[each] for each in head.options if each in TAKEN)
        stopping = "stop" in head.options
        return Notation(plan, containers, actions, marks, stopping, taken)

    def _index(self, plan: Plan) -> tuple[dict[str, int], dict[str, int]]:
        containers: dict[str, int] = {}
        actions: dict[str, int] = {}
        for place, item in enumerate(walk(plan)):
            label = self._labels[id(item.node)]
            index = actions if isinstance(item.node, BaseAction) else containers
            if label in index:
                message = f"two objects are called {label!r}: give each its own name"
                raise NotationError(message)
            index[label] = place
        return containers, actions

    # --- containers ---------------------------------------------------------------

    def _items(
        self, owner: Plan | Block, prefix: str, read: Callable[[], None]
    ) -> None:
        self._separators()
        while self._tokens.peek() and not BLOCK.fullmatch(self._tokens.peek()):
            word = self._tokens.peek()
            if word in GROUPS:
                if getattr(owner, GROUPS[word]) is not None:
                    self._tokens.fail(f"there is a {word!r} already")
                setattr(owner, GROUPS[word], self._group(prefix))
            else:
                read()
            self._separators()

    def _deferred_actions(self, plan: Plan) -> None:
        if self._tokens.peek() != "da" or plan.deferred_actions is not None:
            self._tokens.fail("expected a check group, 'da' once, or a block")
        self._tokens.take()
        plan.deferred_actions = self._deferred("da")

    def _deferred(self, name: str) -> DeferredActions:
        head = self._head(name, {"ended"})
        deferred = DeferredActions(batches=[])
        self._note(deferred, head)
        self._tokens.expect("[")
        before = self._enter(head.mark)
        self._separators()
        while not self._tokens.accept("]"):
            deferred.batches += self._batches()
            self._separators()
        self._inherited = before
        return deferred

    def _block(self) -> Block:
        name = self._tokens.take()
        head = self._head(name, BLOCK_OPTIONS)
        options = head.options
        block = Block(
            name=name,
            concurrency=self._read(options, "conc", _whole_or_none, _ONE),
            tolerated_failures=self._read(options, "tol", _size, _NOTHING),
            max_consecutive_failures=self._read(
                options, "consec", _whole_or_none, None
            ),
            batches=self._read(options, "batches", _sizes, ()),
            batch_delay=self._read(options, "gap", float, 0.0),
            entrance_delay=self._read(options, "in", float, 0.0),
            exit_delay=self._read(options, "out", float, 0.0),
            halt_after=self._read(options, "halt", _halt_after, HaltAfter.ACTION),
            undo=self._read(options, "undo", _undo, Undo.PLAN_FAILURE),
            sequences=[],
        )
        self._note(block, head)
        before = self._enter(head.mark)
        if self._tokens.accept(":"):
            self._items(block, f"{name}.", lambda: self._sequences(block))
        if not block.sequences:
            inner = _Head(f"{name}.a", self._inherited, {})
            sequence = Sequence(
                name=f"{name}.s", actions=[self._action(inner, "ok", Action)]
            )
            self._note(sequence, attrs.evolve(inner, name=f"{name}.s"))
            block.sequences.append(sequence)
        self._inherited = before
        return block

    def _group(self, prefix: str) -> Checks:
        word = self._tokens.take()
        if word == "gate" and not prefix:
            self._tokens.fail("only a block has a 'gate'")
        own = {"d", "fails", "on_fail"}
        head = self._head(f"{prefix}{word}", {*own, "ended"})
        if own & head.options.keys() and word != "cont":
            self._tokens.fail("only continuous checks have a delay 'd'")
        before = self._enter(head.mark)
        actions = self._actions(head.name, CheckAction)
        self._inherited = before
        group = Checks(
            actions=actions,
            delay=self._read(head.options, "d", float, 30.0),
            failures_before_halt=self._read(head.options, "fails", int, 1),
            on_failure=self._read(head.options, "on_fail", _on_failure, OnFailure.HALT),
        )
        self._note(group, head)
        return group

    def _sequences(self, block: Block) -> None:
        for name, head, actions in self._alike({"ended"}):
            sequence = Sequence(name=name, actions=actions)
            self._note(sequence, attrs.evolve(head, name=name))
            block.sequences.append(sequence)
        if self._tokens.accept("then"):
            last = block.sequences[-1]
            last.deferred_actions = self._deferred(f"{last.name}.then")

    def _batches(self) -> list[DeferBatch]:
        batches: list[DeferBatch] = []
        for name, head, actions in self._alike({*WHEN, "fe", "ended"}):
            when = [WHEN[option] for option in head.options if option in WHEN]
            if len(when) != 1:
                self._tokens.fail(
                    f"batch {name} is always, on_success, on_failure or on_undo"
                )
            batch = DeferBatch(
                name=name,
                actions=actions,
                when=when[0],
                fail_element="fe" in head.options,
            )
            self._note(batch, attrs.evolve(head, name=name))
            batches.append(batch)
        return batches

    def _alike(self, known: set[str]) -> list[tuple[str, _Head, list[Action]]]:
        """A sequence or batch, or several alike (``s1..s4``)."""
        names = self._names()
        head = self._head(names[0], known)
        before = self._enter(head.mark)
        start = self._tokens.mark()
        found: list[tuple[str, _Head, list[Action]]] = []
        for name in names:
            self._tokens.go_back(start)
            found.append((name, head, self._actions(name, Action)))
        self._inherited = before
        return found

    # --- actions --------------------------------------------------------------------

    def _actions(self, container: str, kind: type[ActionT]) -> list[ActionT]:
        if self._tokens.accept("["):
            actions = self._listed(container, kind)
            while self._tokens.accept(";"):
                actions += self._listed(container, kind)
            self._tokens.expect("]")
            return actions
        script = self._script() if is_entry(self._tokens.peek()) else "ok"
        return [self._action(_Head(container, self._inherited, {}), script, kind)]

    def _listed(self, container: str, kind: type[ActionT]) -> list[ActionT]:
        """An action between brackets, or several alike."""
        names = [container]
        if self._tokens.is_word() and not is_entry(self._tokens.peek()):
            names = self._names()
        known = {"retries", "timeout", "deadline", "reconcile", "ended", "of"}
        known |= {"on_interrupt"} if kind is Action else {"ask", "by"}
        head = self._head(names[0], known)
        script = self._script() if self._tokens.is_word() else "ok"
        return [
            self._action(attrs.evolve(head, name=name), script, kind) for name in names
        ]

    def _action(self, head: _Head, script: str, kind: type[ActionT]) -> ActionT:
        options = head.options
        reconcile = options.get("reconcile", "done")
        if reconcile not in ("done", "not_done", "boom", "hang"):
            self._tokens.fail(
                f"reconcile={reconcile} is none of done, not_done, boom, hang"
            )
        own: dict[str, Any] = {}
        if kind is Action:
            word = self._read(options, "on_interrupt", _on_interrupt, None)
            own["on_interrupt"] = word
        source = self._sources.get(options.get("of", ""))
        if "of" in options and source is None:
            self._tokens.fail(f"of={options['of']} is no action before")
        request = scripted(head.name, script, reconcile, source)
        plugin, timeout = CHECK if kind is CheckAction else ACT, 30.0
        if "ask" in options:
            approvers = tuple(filter(None, options.get("by", "").split(":")))
            count = self._read(options, "ask", int, 1)
            request = Approval("go on?", approvers, count)
            plugin, timeout = Approve.name, math.inf
        action = kind(
            name=head.name,
            plugin=plugin,
            request=request,
            retries=self._read(options, "retries", _whole_or_none, _ONCE),
            timeout=self._read(options, "timeout", float, timeout),
            deadline=self._read(options, "deadline", _number_or_none, None),
            **own,
        )
        self._note(action, head)
        self._sources[head.name] = action
        return action

    def _script(self) -> str:
        entries = [self._tokens.word("an entry of a script")]
        while self._tokens.accept(","):
            entries.append(self._tokens.word("an entry of a script"))
        script = ",".join(entries)
        try:
            parse_script(script)
        except ValueError as error:
            self._tokens.fail(str(error))
        return script

    # --- names, states and options ------------------------------------------------------

    def _names(self) -> list[str]:
        first = self._tokens.word("a name")
        if is_entry(first):
            self._tokens.fail(
                f"expected a name, not {first!r}, which is an entry", taken=True
            )
        if not self._tokens.accept(".."):
            return [first]
        last = self._tokens.word("the last name of the range")
        ends = [re.fullmatch(r"(.*?)(\d+)", name) for name in (first, last)]
        if ends[0] is None or ends[1] is None or ends[0][1] != ends[1][1]:
            self._tokens.fail(f"{first}..{last} is no range: write s1..s4")
        numbers = range(int(ends[0][2]), int(ends[1][2]) + 1)
        return [f"{ends[0][1]}{number}" for number in numbers]

    def _head(self, name: str, known: set[str]) -> _Head:
        status, attempts = self._inherited.status, self._inherited.attempts
        ended = self._inherited.ended
        if self._tokens.accept("="):
            letter = self._tokens.word("a status")
            if letter not in STATUSES:
                self._tokens.fail(
                    f"{letter!r} is no status: write N, R, C, K, F or S", taken=True
                )
            status, attempts = STATUSES[letter], self._stored_attempts()
        options = self._options(known)
        ended = self._read(options, "ended", float, ended)
        return _Head(name, Mark(status, attempts, ended), options)

    def _stored_attempts(self) -> tuple[str, ...] | None:
        if not self._tokens.accept("{"):
            return None
        attempts: list[str] = []
        while not self._tokens.accept("}"):
            attempt = self._tokens.word("an attempt")
            if attempt not in ATTEMPTS:
                known = ", ".join(ATTEMPTS)
                self._tokens.fail(
                    f"{attempt!r} is no attempt: write one of {known}", taken=True
                )
            attempts.append(attempt)
            self._tokens.accept(",")
        return tuple(attempts)

    def _options(self, known: set[str]) -> dict[str, str]:
        options: dict[str, str] = {}
        if not self._tokens.accept("("):
            return options
        while not self._tokens.accept(")"):
            name = self._tokens.word("an option")
            if name not in known:
                self._tokens.fail(
                    f"option {name!r} is none of {', '.join(sorted(known))}", taken=True
                )
            value = ""
            if self._tokens.accept("="):
                value = self._tokens.word("a value")
                while self._tokens.accept(":"):
                    value += ":" + self._tokens.word("a value")
            options[name] = value
        return options

    def _read(
        self,
        options: dict[str, str],
        name: str,
        convert: Callable[[str], T],
        usual: T,
    ) -> T:
        if name not in options:
            return usual
        try:
            return convert(options[name])
        except (ValueError, KeyError):
            self._tokens.fail(f"{options[name]!r} is no value of option {name!r}")

    def _enter(self, mark: Mark) -> Mark:
        """What is under a C object is C; returns what to go back to."""
        before = self._inherited
        completed = mark.status is Status.COMPLETED
        self._inherited = Mark(mark.status, None, mark.ended) if completed else Mark()
        return before

    def _note(self, node: Node, head: _Head) -> None:
        self._marks[id(node)] = head.mark
        self._labels[id(node)] = head.name

    def _separators(self) -> None:
        while self._tokens.accept(";"):
            pass


def _halt_after(word: str) -> HaltAfter:
    return HaltAfter.SEQUENCE if word == "seq" else HaltAfter[word.upper()]


def _size(word: str) -> int | Percent:
    return Percent(int(word[:-1])) if word.endswith("%") else int(word)


def _sizes(word: str) -> tuple[int | Percent, ...]:
    return tuple(map(_size, word.split(":")))


def _on_failure(word: str) -> OnFailure:
    return OnFailure[word.upper()]


def _undo(word: str) -> Undo:
    return Undo.NEVER if word == "never" else Undo[f"{word}_failure".upper()]


def _on_interrupt(word: str) -> OnInterrupt | None:
    return OnInterrupt[word.upper()]


def _whole_or_none(word: str) -> int | None:
    return None if word == "none" else int(word)


def _number_or_none(word: str) -> float | None:
    return None if word == "none" else float(word)
