"""Commands that play a plan: ``verify`` all futures, ``rehearse`` one, ``what-if`` a past."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import os
import shlex
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from ..._plan.clone import clone
from ..._plan.plan import Plan
from ..._plan.walk import actions
from ..._registry.registry import Registry
from ..._values.clock import utc_now
from ..._values.display import display_lines, shorten
from ..call import (
    Call,
    command,
    json_option,
    of_file,
    output_option,
    run_argument,
    settings_option,
    store_option,
)
from ..plan_file import read_plan_file, variable
from ..streams import ExitCode, Refusal, code_of, print_json
from .copies import write_out

F = TypeVar("F", bound=Callable[..., Any])

VARIABLE = "VERIFY"
WIDEST = 120
"""Columns of a timeline at most."""
NARROWEST = 60
MOST = 1_000
"""Lines of a story at most."""


def _number(name: str, text: str, *, least: int = 0) -> Callable[[F], F]:
    """An option for a number of things."""
    kind = click.IntRange(min=least)
    return click.option(name, type=kind, metavar="N", help=text)


def _seconds(name: str, text: str, *, multiple: bool = False) -> Callable[[F], F]:
    """An option for a length of virtual time."""
    kind = click.FloatRange(min=0)
    return click.option(
        name, type=kind, metavar="SECONDS", multiple=multiple, help=text
    )


form_option = click.Option(
    ["--format", "form"],
    type=click.Choice(["text", "html"]),
    default="text",
    help="html is a page with the run's timeline, as of `workstream report`.",
)
_STORED = (store_option, form_option, output_option, json_option)


@command("verify", form_option, output_option, json_option)
@of_file
@_number("--failures", "How many steps may go wrong.")
@_number("--crashes", "How often the engine may die.")
@_number("--stops", "How often somebody may stop.")
@_number(
    "--at-most", "Fail if more than N sequences can end touched and not completed."
)
@_number("--max-runs", "How many runs to make; what is left out is a sample.", least=1)
@_number(
    "--workers",
    "How many processes share the work; by default one a processor.",
    least=1,
)
@click.option("--only", metavar="FAULTS", help="One set of faults, as printed before.")
def verify(
    call: Call,
    file: Path,
    settings: tuple[str, ...],
    at_most: int | None,
    workers: int | None,
    form: str,
    output: Path | None,
    **bounds: Any,
) -> int:
    """Find the worst that can happen to a plan, and run nothing real.

    FILE is as for `workstream run`. The command runs the plan in virtual time, again and
    again, with every set of up to so many faults: one failure by default. It prints the
    worst end for each number of faults. A variable VERIFY in FILE, a dict of arguments of
    `workstream.testing.verify`, adds invariants, effects and bounds; options are stronger.

    Exit status: 0 all invariants hold, 1 one is broken, 2 nothing was tried.
    """
    plan, told = _read(file, settings)
    arguments: dict[str, Any] = {
        **told,
        **{name: value for name, value in bounds.items() if value is not None},
    }
    plugins = arguments.pop("plugins", ())
    if workers is not None or "workers" not in told:
        arguments["workers"] = workers or os.cpu_count() or 1
    with _harness() as testing:
        _check_names(told, testing.verify)
        if at_most is not None:
            rules = arguments.get("invariants", ())
            if isinstance(rules, list | tuple):  # anything else is refused
                rule = testing.at_most(at_most, "touched")
                arguments["invariants"] = [*cast("Sequence[Any]", rules), rule]
        try:
            found = testing.verify(plan, *plugins, **arguments)
        except testing.VerifyError as error:
            found = error.verification
        except TypeError as error:
            if not told:
                raise
            raise Refusal(str(error)) from None
    shown = found.shown
    faults = "; ".join(map(str, shown.faults)) or "nothing goes wrong"
    touched = f"{len(shown.touched):,} of {found.sequences:,} sequences"
    about = (
        f"The worst that was found: {faults}. {touched} end touched and not completed."
    )
    given = [word for each in settings for word in ("-p", each)]
    if at_most is not None:
        given += ["--at-most", str(at_most)]

    def again(only: str) -> str:
        return shlex.join(["workstream", "verify", str(file), *given, "--only", only])

    story = found.story(width=_width(), again=again)
    _tell(call, story, found.data(), shown.result.plan, about, form, output)
    return ExitCode.COMPLETED if found.ok else ExitCode.FAILED


@command("rehearse", *_STORED)
@of_file
@click.option(
    "--fail", "fails", metavar="PATH", multiple=True, help="This action fails."
)
@click.option(
    "--hang", "hangs", metavar="PATH", multiple=True, help="This action hangs."
)
@_seconds(
    "--kill-at",
    "The engine dies then, and somebody resumes the plan.",
    multiple=True,
)
@_seconds("--stop-at", "Somebody asks the plan to stop then.")
@_seconds("--takes", "How long each call takes; by default a quarter of its timeout.")
@click.option(
    "--like",
    metavar="PLAN",
    help="Let actions take as long as in this stored plan.",
)
def rehearse(
    call: Call,
    file: Path,
    settings: tuple[str, ...],
    like: str | None,
    form: str,
    output: Path | None,
    **faults: Any,
) -> int:
    """Play one future of a plan in virtual time, and draw it.

    FILE is as for `workstream run`. PATH is the end of an action's path, such as
    "web-3 / Start". Nothing real is run or stored.

    With --like, actions of the same path take as long as they took in a stored plan.
    `workstream what-if` also repeats what failed in it.

    Exit status: that of `workstream run`, if it went so.
    """
    plan, told = _read(file, settings)
    if like is not None:
        faults["like"] = _stored(call, like)
    with _harness() as testing:
        result = testing.rehearse(plan, *told.get("plugins", ()), **faults)
    missed = [f"Did not come to pass: {each}" for each in result.missed]
    data = {
        "plan": result.plan.name,
        "outcome": result.plan.outcome.value,
        "elapsed": result.elapsed,
        "missed": result.missed,
        "events": [
            {"time": event.time, "path": event.path, "what": event.what}
            for event in result.timeline.events
        ],
    }
    drawn = result.timeline.draw(width=_width(), height=60)
    story = "\n".join([drawn, *missed])
    about = " ".join(["Rehearsed: nothing of it was run.", *(f"{m}." for m in missed)])
    _tell(call, story, data, result.plan, about, form, output)
    return code_of(result.plan.outcome)


@command("what-if", run_argument, *_STORED)
@click.option(
    "--plan",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, allow_dash=False),
    required=True,
    help="The file of the changed plan, as for `workstream run`.",
)
@settings_option
def what_if(
    call: Call,
    ran: str,
    file: Path,
    settings: tuple[str, ...],
    form: str,
    output: Path | None,
) -> int:
    """Play a run again under a changed plan: would it have helped?

    RUN is a stored plan that has ended. Each of its attempts is repeated in virtual
    time, as long as it took and with the end that it had, under the plan of FILE.
    Nothing real is run or stored.

    Exit status: 0 the changed plan ends better, or as well and sooner; 1 it does not;
    2 nothing was played.
    """
    changed, told = _read(file, settings)
    with _harness() as testing:
        plugins = told.get("plugins", ())
        found = testing.what_if(changed, _stored(call, ran), *plugins)
    story = found.story(width=_width())
    about = " ".join([found.answer, *found.notes])
    _tell(call, story, found.data(), found.result.plan, about, form, output)
    return ExitCode.COMPLETED if found.helps else ExitCode.FAILED


@contextmanager
def _harness() -> Generator[Any]:
    """The harness, which refuses what it cannot play."""
    testing: Any = importlib.import_module("workstream.testing")
    try:
        yield testing
    except testing.SimulationError as error:
        raise Refusal(str(error)) from None


def _read(file: Path, settings: tuple[str, ...]) -> tuple[Plan, dict[str, Any]]:
    """The plan of a file, and what the file says of its verification."""
    installed = functools.cache(Registry.installed)
    plan = read_plan_file(file, installed).plan(settings)
    found = variable(VARIABLE)
    if found is None:
        found = {}
    if not isinstance(found, Mapping):
        message = (
            f"{VARIABLE} is of type {type(found).__name__}: let it be a dict of "
            "arguments of workstream.testing.verify"
        )
        raise Refusal(message)
    told: dict[Any, Any] = dict(found)  # pyright: ignore[reportUnknownArgumentType]
    _check_plugins(plan, told.get("plugins", ()), installed)
    return plan, {str(name): value for name, value in told.items()}


def _check_plugins(plan: Plan, classes: Any, installed: Callable[[], Registry]) -> None:
    """See that each plugin of the plan is installed, or in the file's own list."""
    if not isinstance(classes, list | tuple):
        message = (
            f"{VARIABLE}['plugins'] is {shorten(repr(classes))}: give a list of classes, "
            "such as [SomePlugin]"
        )
        raise Refusal(message)
    own = {getattr(each, "name", None) for each in cast("Sequence[Any]", classes)}
    lines: list[str] = []
    for name in dict.fromkeys(a.plugin for a in actions(plan) if a.plugin not in own):
        if installed().get(name) is None:
            near = " or ".join(installed().nearest(name))
            lines.append(f"  {name}" + (f": did you mean {near}?" if near else ""))
    if lines:
        message = "\n".join(
            [
                f"the plan {shorten(plan.name)!r} has plugins that are not installed:",
                *lines,
                "install their packages; or list their classes in the file, "
                f'{VARIABLE} = {{"plugins": [SomePlugin]}}',
            ]
        )
        raise Refusal(message)


def _check_names(told: Mapping[str, Any], function: Callable[..., Any]) -> None:
    """See that the file only says what a verification takes."""
    parameters = inspect.signature(function).parameters.values()
    known = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    for name in told:
        if name != "plugins" and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = (
                f"did you mean {near[0]!r}?"
                if near
                else f"it may have {', '.join(known)}"
            )
            message = (
                f"{VARIABLE} has {name!r}, which is no argument of verify: {advice}"
            )
            raise Refusal(message)


def _stored(call: Call, plan: str) -> Plan:
    """A plan of the store, its secrets removed."""
    return call.find(plan, lambda plans, row: plans.export(row.id))


def _width() -> int:
    return max(NARROWEST, min(shutil.get_terminal_size().columns, WIDEST))


def _tell(
    call: Call,
    story: str,
    data: dict[str, Any],
    plan: Plan,
    about: str,
    form: str,
    output: Path | None,
) -> None:
    """Tell what was found: to people, to programs, or as the page of one run.

    Args:
        call: Who asked.
        story: For people.
        data: For programs.
        plan: The plan at its end in the run that the page shows.
        about: What the page says of that run.
        form: ``text`` or ``html``.
        output: The file to write.
    """
    if call.as_json:
        print_json(data)
        return

    def page() -> str:
        from ..._report.document import report_of_ended
        from ..._report.html import page

        shown = clone(plan, keep_state=True, scrub=True)
        shown.description = f"{about} {plan.description}".strip()
        return page(report_of_ended(shown, utc_now()))

    def lines() -> str:
        shown = display_lines(story, limit=WIDEST * 2, most=MOST)
        return "\n".join(shown) + "\n"

    is_page = form == "html"
    write_out(page if is_page else lines, output, page=is_page)
