"""What is installed, for people."""

from __future__ import annotations

from collections.abc import Iterable

from ..._protocols.plugin import PLUGIN_API
from ..._registry.listing import (
    FieldListing,
    LeftOut,
    Listing,
    PackageListing,
    PluginListing,
)
from ..._values.display import display_lines
from .screen import Screen, joined, plain


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
        ("secrets", [f"{scheme}:" for scheme in package.secret_resolvers]),
    ):
        if names:
            text = ", ".join(names)
            screen.line(joined((f"{what:8}  ", "dim"), text), indent=2)
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
