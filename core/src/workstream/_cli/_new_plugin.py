"""``workstream new-plugin``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("new-plugin")
@click.argument("name", metavar="NAME")
@click.option(
    "--directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where to write it; by default workstream-NAME, here.",
)
def command(name: str, directory: Path | None) -> int:
    """Begin a plugin package of your own.

    NAME is what the names of its plugins begin with, such as `acme` of `acme.copy`. A
    whole distribution is written, workstream-NAME: an action, a check, their tests,
    and the settings for building, testing and type checking. Nothing is written over.
    """
    from .._values.display import shorten
    from ._exit_codes import ExitCode
    from ._refusal import Refusal
    from ._scaffold import distribution_name, name_faults, scaffold
    from ._screen import Screen, joined

    faults = name_faults(name)
    target = directory or Path(distribution_name(name) if not faults else ".")
    if directory is not None and not directory.parent.is_dir():
        faults.append(f"there is no directory {directory.parent} to write it to")
    if faults:
        lines = [f"no plugin package '{shorten(name)}' can be begun:"]
        raise Refusal("\n".join([*lines, *(f"  {fault}" for fault in faults)]))
    try:
        files = scaffold(name, target)
    except OSError as error:
        message = str(error) if error.errno is None else f"{target}: {error.strerror}"
        raise Refusal(message) from None

    screen = Screen()
    screen.line(joined((str(target), "bold")))
    for file in files:
        screen.line(str(file), indent=2)
    screen.line()
    screen.line(joined(("install it:  ", "dim"), f"pip install --editable {target}"))
    screen.line(joined(("test it:     ", "dim"), f"pytest {target}"))
    screen.line(joined(("find it:     ", "dim"), "workstream plugins"))
    screen.flush()
    return ExitCode.COMPLETED
