"""What is installed: a list for people, and a page of documentation.

All that the page says comes from the plugins themselves: their docstrings, their types,
their settings. So it says as much as their authors do, and is never out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..._protocols.plugin import PLUGIN_API
from ..._registry.listing import (
    FieldListing,
    LeftOut,
    Listing,
    PackageListing,
    PluginListing,
    TypeListing,
)
from ..._values.display import display_lines
from ..._values.state import OnInterrupt
from .line import joined, plain
from .screen import Screen

AFTER_A_CRASH = {
    OnInterrupt.RERUN: "run again",
    OnInterrupt.FAIL: "failed, and a person decides",
    OnInterrupt.RECONCILE: "the plugin finds out what became of it",
}
CHECKS = "checks change nothing, and are run again"


# -- The list --------------------------------------------------------------------------


def show_listing(screen: Screen, listing: Listing) -> None:
    """Packages with what they bring, then what was left out."""
    for package in listing.packages:
        _package(screen, package)
    deliberate = [each for each in listing.left_out if each.deliberate]
    show_troubles(screen, listing)
    _left_out(screen, "left out, because you say so:", deliberate, "dim")


def show_check(screen: Screen, listing: Listing) -> None:
    """What does not fit this workstream, and what does not say whether it does."""
    show_troubles(screen, listing)
    silent = [each for each in listing.packages if each.plugin_api is None]
    if silent:
        screen.line(plain("works, but does not say for which plugin API:", "dim"))
    for package in silent:
        screen.line(f"{package.package} {package.version}", indent=2)
    fitting = len(listing.packages) - len(silent)
    packages = "package was" if fitting == 1 else "packages were"
    screen.line(f"{fitting} {packages} made for plugin API {PLUGIN_API}, which this is")


def show_troubles(screen: Screen, listing: Listing) -> None:
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


def catalogue(listing: Listing) -> str:
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
    crash = CHECKS
    if plugin.on_interrupt is not None:
        answer = OnInterrupt(plugin.on_interrupt)
        crash = f"`OnInterrupt.{answer.name}`: {AFTER_A_CRASH[answer]}"
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
