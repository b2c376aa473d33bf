"""What is installed, as a page of documentation: ``workstream plugins --markdown``.

All that stands on it comes from the plugins themselves: their docstrings, their types,
their settings. So it says as much as their authors do, and is never out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..._registry.listing import (
    FieldListing,
    Listing,
    PackageListing,
    PluginListing,
    TypeListing,
)
from ..._values.state import OnInterrupt

AFTER_A_CRASH = {
    OnInterrupt.RERUN: "run again",
    OnInterrupt.FAIL: "failed, and a person decides",
    OnInterrupt.RECONCILE: "the plugin finds out what became of it",
}
CHECKS = "checks change nothing, and are run again"


def catalogue(listing: Listing) -> str:
    """The page: a section for each package, with one for each of its plugins."""
    return "\n".join(line for package in listing.packages for line in _package(package))


def _package(package: PackageListing) -> Iterator[str]:
    yield from (f"## {package.package}", "")
    if package.summary:
        yield from (_text(package.summary), "")
    yield from _bullets(
        ("Commands", [f"`workstream {name}`" for name in package.commands]),
        ("Stores", [f"`{scheme}:`" for scheme in package.vaults]),
        ("Secrets", [f"`{scheme}:`" for scheme in package.secret_resolvers]),
    )
    if package.plugins:
        yield from ("| Plugin | Kind | What it does |", "| --- | --- | --- |")
        for plugin in package.plugins:
            link = f"[`{plugin.name}`](#{_anchor(plugin.name)})"
            yield f"| {link} | {plugin.kind} | {_cell(plugin.description)} |"
        yield ""
    told: dict[TypeListing, str] = {}
    for plugin in package.plugins:
        yield from _plugin(plugin, told)


def _plugin(plugin: PluginListing, told: dict[TypeListing, str]) -> Iterator[str]:
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
            yield _field(field)
        yield ""


def _field(field: FieldListing) -> str:
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
