"""``workstream validate``."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from ._options import json_option, settings_option

__all__ = ["command"]


@click.command("validate")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@settings_option
@click.option(
    "--params", "only_parameters", is_flag=True, help="Only list what -p may give."
)
@json_option
def command(
    file: Path, settings: tuple[str, ...], only_parameters: bool, as_json: bool
) -> int:
    """Check a plan without running anything.

    FILE is what `workstream run` takes. All that is wrong is listed, each with its
    path in the plan; a plan that can be run is printed. No store is touched, and no
    plugin is called but for its opinion of the requests.

    Exit status: 0 valid, 2 not.
    """
    from .._codec.codec import Codec
    from .._codec.json_text import to_json
    from .._plan.text import plan_text
    from .._registry.registry import Registry
    from .._validation.validation import prepared
    from .._values.errors import ValidationError
    from ._data import fault_data, print_json
    from ._exit_codes import ExitCode
    from ._plan_file import read_plan_file
    from ._refusal import complain
    from ._screen import Screen

    registry = functools.cache(Registry.installed)
    plan_file = read_plan_file(file, registry)
    screen = Screen()
    if only_parameters:
        if as_json:
            print_json(
                [
                    {
                        "name": each.name,
                        "usage": each.usage,
                        "required": each.required,
                        "default": None if each.required else each.default_text,
                        "description": each.description,
                    }
                    for each in plan_file.parameters
                ]
            )
        else:
            for line in plan_file.usage() or ["it takes no parameters"]:
                screen.line(line)
        return ExitCode.COMPLETED
    plan = plan_file.plan(settings)
    try:
        copy, warnings = prepared(plan, registry())
        Codec(registry()).encode_definition(copy)
    except ValidationError as error:
        if as_json:
            faults = [fault_data(fault) for fault in error.faults]
            print_json({"valid": False, "faults": faults, "warnings": []})
        else:
            complain(error, "Invalid")
        return ExitCode.REFUSED
    if as_json:
        import json

        print_json(
            {
                "valid": True,
                "faults": [],
                "warnings": [fault_data(fault) for fault in warnings],
                "plan": json.loads(to_json(copy)),
            }
        )
        return ExitCode.COMPLETED
    for line in plan_text(copy).splitlines():
        screen.line(line)
    for warning in warnings:
        complain(str(warning), "warning")
    screen.flush()
    return ExitCode.COMPLETED
