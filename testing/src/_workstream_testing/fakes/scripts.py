"""The script of a fake: which of its lines a call follows, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import attrs

from workstream._plan.text import value_text
from workstream._protocols.plugin import Context
from workstream._secrets.scrubbing import scrub_value

from ..problems import ScriptError
from .fake_scripts import DEFAULT, UNSET, Act, Line

SHOWN = 8
"""How many problems of one kind a message names."""


@attrs.define(eq=False)
class Script:
    """What a test says of the calls of one fake.

    Attributes:
        name: The plugin's name.
        default: The response where nothing else is said; UNSET: there is none.
        strict: Whether a line that no call fits is an error.
        base: The script that says what this one leaves open; None: there is none.
        lines: What was said with ``when``.
        otherwise: What was said of all other calls.
        again: What was said of calls whose work was done.
        reconciles: What was said of calls of ``reconcile``.
        problems: What was wrong with it during the latest run.
    """

    name: str
    default: object
    strict: bool
    base: Script | None = None
    lines: list[Line] = attrs.Factory(list[Line])
    otherwise: Act | None = None
    again: Act | None = None
    reconciles: Act | None = None
    problems: list[str] = attrs.Factory(list[str])

    def reset(self) -> None:
        """Forget how it was used."""
        self.problems = []
        for line in self.lines:
            line.uses = 0
        if self.base is not None:
            self.base.reset()

    @property
    def has_function(self) -> bool:
        """Whether a function does some of the calls: it may remember others."""
        acts = [line.act for line in self.lines]
        acts += filter(None, (self.otherwise, self.again, self.reconciles))
        mine = any(act.does is not None for act in acts)
        return mine or (self.base is not None and self.base.has_function)

    def mark(self) -> Callable[[], None]:
        """How it was used so far; what is returned makes it forget what came after."""
        uses = [line.uses for line in self.lines]
        problems = list(self.problems)
        base = None if self.base is None else self.base.mark()

        def back() -> None:
            for line, count in zip(self.lines, uses, strict=True):
                line.uses = count
            self.problems = problems
            if base is not None:
                base()

        return back

    @property
    def is_mute(self) -> bool:
        """Whether there may be calls of which nothing says what they give."""
        silent = self.otherwise is None and self.default is UNSET
        return silent and (self.base is None or self.base.is_mute)

    @property
    def is_alike(self) -> bool:
        """Whether all calls do the same, whatever they ask."""
        acts = (self.otherwise, self.again, self.reconciles)
        plain = not self.lines and all(a is None or a.does is None for a in acts)
        return plain and (self.base is None or self.base.is_alike)

    @property
    def usual(self) -> object:
        """What a call gives of which no line says anything; UNSET: nothing says it."""
        act = self.otherwise
        if act is not None and act.gives is not UNSET:
            return act.gives
        if act is None and self.base is not None:
            return self.base.usual
        return self.default

    @property
    def unused(self) -> list[str]:
        """The lines that no call has fitted so far, if that is an error."""
        return [line.text for line in self.lines if self.strict and not line.uses]

    def needs_response(self, act: Act) -> bool:
        """Whether nothing says what such a call gives."""
        said = act.gives is not UNSET or act.returns is not UNSET
        said = said or act.hangs or act.fails is not None
        said = said or act.raises is not None or act.does is not None
        open_ = self.default is UNSET and (self.base is None or self.base.is_mute)
        return open_ and not said

    def after_crash(self, name: str) -> Act | None:
        """What was said with ``again`` or ``reconciles``, here or in the base."""
        act: Act | None = getattr(self, name)
        if act is None and self.base is not None:
            return self.base.after_crash(name)
        return act

    def act_for(self, context: Context, request: object) -> Act:
        """What a call does.

        Raises:
            ScriptError: It fits several lines, or nothing says what it gives.
        """
        lines = [line for line in self.lines if line.is_for(context, request)]
        if not lines and (self.default is not UNSET or self.otherwise or self.base):
            if self.otherwise is not None:
                return self.otherwise
            if self.base is not None:
                return self.base.act_for(context, request)
            return DEFAULT
        if len(lines) == 1:
            lines[0].uses += 1
            act = lines[0].act
            if self.base is not None and act.only_lasts:
                return act.ending_as(self.base.act_for(context, request))
            return act
        asked = value_text(scrub_value(request))
        call = f"attempt {context.attempt} of {context.path}, which asks {asked}"
        if lines:
            texts = " and ".join(line.text for line in lines)
            problem = f"{texts} fit {call}: let them exclude each other"
            raise self._failed(problem)
        problem = (
            f"nothing is said of {call}; and no response can be made without "
            "arguments: write otherwise(gives=...)"
        )
        raise self._failed(problem)

    def check(self) -> None:
        """See that every line was used, and that no call fitted two.

        Raises:
            ScriptError: It lists what is wrong.
        """
        unused = [f"{text} was never used: no call fits it" for text in self.unused]
        problems = [*_some(self.problems, "calls"), *_some(unused, "unused lines")]
        if problems:
            raise self.error(problems)

    def error(self, problems: Iterable[str]) -> ScriptError:
        """What is raised because of these problems."""
        lines = "\n".join(f"  {problem}" for problem in problems)
        return ScriptError(f"the script of the fake of {self.name}:\n{lines}")

    def _failed(self, problem: str) -> ScriptError:
        # On trio it becomes the error of an attempt, so it is kept to be told again.
        self.problems.append(problem)
        return self.error([problem])


def _some(problems: list[str], what: str) -> Iterator[str]:
    yield from problems[:SHOWN]
    if len(problems) > SHOWN:
        yield f"... and {len(problems) - SHOWN:,} more {what}"
