"""Commands about plugin packages: ``plugins`` lists them, ``new-plugin`` begins one.

All that the catalogue says comes from the plugins themselves: their docstrings, their
types, their settings. So it says as much as their authors do, and is never out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from ..._protocols.plugin import PLUGIN_API
from ..._registry.hook_answers import LeftOut
from ..._registry.host import discover
from ..._registry.listing import (
    FieldListing,
    Listing,
    PackageListing,
    PluginListing,
    TypeListing,
)
from ..._registry.scaffold import distribution_name, name_faults, scaffold
from ..._values.display import display_lines, shorten
from ..._values.state import OnInterrupt
from ..call import Call, command, json_option
from ..draw.screen import Screen, joined, plain
from ..streams import ExitCode, Refusal, data_stream, print_json

_AFTER_A_CRASH = {
    OnInterrupt.RERUN: "run again",
    OnInterrupt.FAIL: "failed, and a person decides",
    OnInterrupt.RECONCILE: "the plugin finds out what became of it",
}
_CHECKS = "checks change nothing, and are run again"


@command("plugins", json_option)
@click.option(
    "--check",
    is_flag=True,
    help="Only tell what does not fit, or does not say that it does.",
)
@click.option(
    "--markdown",
    "as_markdown",
    is_flag=True,
    help="Print a catalogue in Markdown, for a page of your documentation.",
)
def plugins(call: Call, check: bool, as_markdown: bool) -> int:
    """List what is installed, and what was left out.

    Packages with their versions and hooks, their plugins with the fields of their
    requests, stores, secret resolvers and commands; then what cannot be used, and why.
    With --markdown, a page that tells what each plugin does, takes and gives, from its
    author's docstrings.
    If WORKSTREAM_PLUGINS is set, only the distributions that it names are loaded,
    separated by commas, such as workstream-http.

    With --check, the exit status is 1 if anything is left out that WORKSTREAM_PLUGINS
    does not exclude.
    """
    if as_markdown and (check or call.as_json):
        message = "--markdown goes with no other option: leave one of them out"
        raise click.UsageError(message)
    listing = discover().listing()
    if call.as_json:
        print_json(listing.as_json())
    elif as_markdown:
        _show_troubles(Screen(sys.stderr), listing)
        data_stream().write(_catalogue(listing))
    elif check:
        _show_check(call.screen, listing)
    else:
        _show_listing(call.screen, listing)
    fits = all(each.deliberate for each in listing.left_out)
    return ExitCode.COMPLETED if fits or not check else ExitCode.FAILED


@command("new-plugin")
@click.argument("name", metavar="NAME")
@click.option(
    "--directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where to write it; by default workstream-NAME, here.",
)
def new_plugin(call: Call, name: str, directory: Path | None) -> int:
    """Begin a plugin package of your own.

    The names of its plugins begin with NAME, such as `acme` in `acme.copy`. The command
    writes a whole distribution, workstream-NAME: an action, a check, their tests, and
    the settings for building, testing and type checking. It overwrites nothing.
    """
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

    screen = call.screen
    screen.line(str(target), "bold")
    for file in files:
        screen.line(str(file), indent=2)
    screen.line()
    screen.hint("install it", f"pip install --editable {target}")
    screen.hint("test it", f"pytest {target}")
    screen.hint("find it", "workstream plugins")
    return ExitCode.COMPLETED


# -- The list --------------------------------------------------------------------------


def _show_listing(screen: Screen, listing: Listing) -> None:
    """Packages with what they bring, then what was left out."""
    for package in listing.packages:
        _package(screen, package)
    deliberate = [each for each in listing.left_out if each.deliberate]
    _show_troubles(screen, listing)
    _left_out(screen, "left out, because you say so:", deliberate, "dim")


def _show_check(screen: Screen, listing: Listing) -> None:
    """What does not fit this workstream, and what does not say whether it does."""
    _show_troubles(screen, listing)
    silent = [each for each in listing.packages if each.plugin_api is None]
    if silent:
        screen.line(plain("works, but does not say for which plugin API:", "dim"))
    for package in silent:
        screen.line(f"{package.package} {package.version}", indent=2)
    fitting = len(listing.packages) - len(silent)
    packages = "package was" if fitting == 1 else "packages were"
    screen.line(f"{fitting} {packages} made for plugin API {PLUGIN_API}, which this is")


def _show_troubles(screen: Screen, listing: Listing) -> None:
    """What was left out, and nobody said so."""
    troubles = [each for each in listing.left_out if not each.deliberate]
    _left_out(screen, "left out, because something is wrong:", troubles, "red")


def _package(screen: Screen, package: PackageListing) -> None:
    screen.line(
        joined(
            (package.package, "bold"),
            f" {package.version}",
            (
                f"  entry point {package.entry_point}" if package.entry_point else "",
                "dim",
            ),
        )
    )
    for what, names in (
        ("hooks", package.hooks),
        ("commands", package.commands),
        ("stores", [f"{scheme}:" for scheme in package.vaults]),
        ("engines", [f"{scheme}:" for scheme in package.engines]),
        ("secrets", [f"{scheme}:" for scheme in package.secret_resolvers]),
        ("observers", package.observers),
    ):
        if names:
            text = ", ".join(names)
            screen.line(joined((f"{what:9} ", "dim"), text), indent=2)
    for plugin in package.plugins:
        _plugin(screen, plugin)
    screen.line()


def _plugin(screen: Screen, plugin: PluginListing) -> None:
    kind = f"  {plugin.kind}"
    if plugin.in_dry_run:
        kind += ", safe in a dry run" if plugin.kind == "check" else ", has a preview"
    screen.line(joined((plugin.name, "cyan"), (kind, "dim")), indent=2)
    if plugin.description:
        screen.line(plain(plugin.description), indent=6)
    for request in plugin.requests:
        text = f"  {request.description}" if request.description else ""
        screen.line(joined((request.type, "bold"), (text, "dim")), indent=6)
        for field in request.fields:
            screen.line(_field(field), indent=8)
    if plugin.response:
        screen.line(joined(("returns ", "dim"), plugin.response), indent=6)


def _field(field: FieldListing) -> str:
    text = f"{field.name}: {field.type}"
    if field.required:
        text += "  (required)"
    elif field.default is not None:
        text += f" = {field.default}"
    return f"{text}  (secret)" if field.secure else text


def _left_out(
    screen: Screen, title: str, left_out: Iterable[LeftOut], style: str
) -> None:
    found = list(left_out)
    if not found:
        return
    screen.line(plain(title, style))
    for each in found:
        first, *rest = display_lines(str(each), limit=1_000) or [""]
        screen.line(first, indent=2)
        for line in rest:
            screen.line(line, indent=4)


# -- The page --------------------------------------------------------------------------


def _catalogue(listing: Listing) -> str:
    """The page: a section for each package, with one for each of its plugins."""
    return "\n".join(
        line for package in listing.packages for line in _package_page(package)
    )


def _package_page(package: PackageListing) -> Iterator[str]:
    yield from (f"## {package.package}", "")
    if package.summary:
        yield from (_text(package.summary), "")
    yield from _bullets(
        ("Commands", [f"`workstream {name}`" for name in package.commands]),
        ("Stores", [f"`{scheme}:`" for scheme in package.vaults]),
        ("Secrets", [f"`{scheme}:`" for scheme in package.secret_resolvers]),
        ("Observers", [f"`{name}`" for name in package.observers]),
    )
    if package.plugins:
        yield from ("| Plugin | Kind | What it does |", "| --- | --- | --- |")
        for plugin in package.plugins:
            link = f"[`{plugin.name}`](#{_anchor(plugin.name)})"
            yield f"| {link} | {plugin.kind} | {_cell(plugin.description)} |"
        yield ""
    told: dict[TypeListing, str] = {}
    for plugin in package.plugins:
        yield from _plugin_page(plugin, told)


def _plugin_page(plugin: PluginListing, told: dict[TypeListing, str]) -> Iterator[str]:
    yield from (f"### `{plugin.name}`", "")
    if plugin.description:
        yield from (_text(plugin.description), "")
    crash = _CHECKS
    if plugin.on_interrupt is not None:
        answer = OnInterrupt(plugin.on_interrupt)
        crash = f"`OnInterrupt.{answer.name}`: {_AFTER_A_CRASH[answer]}"
    yield from _bullets(
        ("Kind", [plugin.kind]),
        ("Request", [f"`{request.type}`" for request in plugin.requests] or ["none"]),
        ("Response", [f"`{plugin.response}`"]),
        ("After a crash in the middle", [crash]),
        ("In a dry run", [_in_dry_run(plugin)]),
        ("Needs the programs", [f"`{name}`" for name in plugin.requires_programs]),
    )
    types = (
        *(("Request", listed) for listed in plugin.requests),
        *(("Response", listed) for listed in plugin.responses),
        *(("Inside of these,", listed) for listed in plugin.inner_types),
    )
    # Several plugins of a package may share a type; it is told at the first.
    elsewhere = [
        f"[`{listed.type}`](#{_anchor(told[listed])})"
        for _, listed in types
        if listed in told
    ]
    if elsewhere:
        yield from (f"Told above: {', '.join(elsewhere)}.", "")
    for role, listed in types:
        if listed not in told:
            told[listed] = plugin.name
            yield from _type(role, listed)


def _in_dry_run(plugin: PluginListing) -> str:
    if plugin.kind == "check":
        return "asked" if plugin.in_dry_run else "not asked"
    return "says what it would change" if plugin.in_dry_run else "cannot predict"


def _type(role: str, listed: TypeListing) -> Iterator[str]:
    description = f": {_text(listed.description)}" if listed.description else ""
    yield from (f"**{role} `{listed.type}`**{description}", "")
    if listed.fields:
        yield from ("| Field | Type | Default | Meaning |", "| --- | --- | --- | --- |")
        # What must be given comes first, as a reader looks for that.
        for field in sorted(listed.fields, key=lambda field: not field.required):
            yield _field_row(field)
        yield ""


def _field_row(field: FieldListing) -> str:
    if field.required:
        default = "*required*"
    elif field.default is None:
        default = "*made anew*"
    else:
        default = _code(field.default)
    meaning = _cell(field.description)
    if field.secure:
        meaning = f"{meaning} *It is hidden wherever it is shown.*".strip()
    return f"| `{field.name}` | {_code(field.type)} | {default} | {meaning} |"


def _bullets(*rows: tuple[str, Iterable[str]]) -> Iterator[str]:
    lines = [
        f"- **{title}**: {', '.join(texts)}" for title, texts in rows if list(texts)
    ]
    if lines:
        yield from (*lines, "")


def _text(text: str) -> str:
    # Docstrings mark code as reStructuredText does.
    return text.replace("``", "`")


def _cell(text: str) -> str:
    # A bar would end the cell, also within code.
    return _text(text).replace("|", "\\|")


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{' '.join(text.split())}{fence}".replace("|", "\\|")


def _anchor(name: str) -> str:
    return name.lower().replace(".", "")
