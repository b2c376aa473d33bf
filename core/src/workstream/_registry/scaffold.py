"""A new plugin distribution, made from the template in ``new_plugin``.

The template is plain files, each named as what it becomes and ``.template``, so that no
tool takes them for code of ours. ``@name@`` and its like are replaced in paths and texts.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import keyword
import os
import re
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from .packages import GROUP

TEMPLATE = files("workstream._registry") / "new_plugin"
SUFFIX = ".template"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST = 30
ENGINE = "workstream-engine"
RESERVED = ("workstream", "engine", "testing")
"""Names that would be taken for a part of workstream itself."""


def distribution_name(name: str) -> str:
    """What is installed: ``workstream-acme``."""
    return f"workstream-{name.replace('_', '-')}"


def package_name(name: str) -> str:
    """What is imported: ``workstream_acme``."""
    return f"workstream_{name}"


def name_faults(name: str) -> list[str]:
    """All that is wrong with a name, a sentence each; empty when it can be had."""
    found: list[str] = []
    bare = re.sub(r"^workstream[-_]", "", name)
    if bare != name:
        found.append(f"leave the beginning out, which is added: {bare}")
    if len(name) > LONGEST:
        found.append(f"it has {len(name)} characters: {LONGEST} are the most")
    if not NAME.fullmatch(bare):
        found.append(
            "write lower-case letters, digits and single underscores between them, a "
            "letter first: it begins the names of the plugins, such as 'acme.copy'"
        )
        return found
    if keyword.iskeyword(bare) or bare in RESERVED:
        found.append("the word is reserved: choose another one")
    found.extend(_clashes(bare))
    return found


def _clashes(name: str) -> Iterator[str]:
    owners = {
        entry_point.dist.name if entry_point.dist else "another package"
        for entry_point in importlib.metadata.entry_points(group=GROUP)
        if entry_point.name == name
    }
    if owners:
        yield (
            f"{' and '.join(sorted(owners))}, which is installed, has the entry point "
            f"{name!r}: the names of its plugins begin so"
        )
    elif importlib.util.find_spec(package_name(name)) is not None:
        yield f"there is a package {package_name(name)} to import already"


def scaffold(name: str, directory: Path) -> list[Path]:
    """Write the distribution, whole or not at all.

    Args:
        name: A name without faults.
        directory: Where; it must not be there.

    Returns:
        The files, relative to the directory.

    Raises:
        FileExistsError: The directory is there.
        OSError: It cannot be written.
    """
    if os.path.lexists(directory):
        message = f"{directory} is there already: nothing is written over"
        raise FileExistsError(message)
    words = {
        "@name@": name,
        "@package@": package_name(name),
        "@distribution@": distribution_name(name),
        "@version@": importlib.metadata.version(ENGINE),
    }
    written: list[Path] = []
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".new-") as made:
        root = Path(made) / directory.name
        for name, text in _templates(TEMPLATE):
            path = Path(_filled(name, words))
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(_filled(text, words), encoding="utf-8")
            written.append(path)
        # A directory that somebody made meanwhile is not replaced, unless it is empty.
        root.rename(directory)
    return written


def _templates(folder: Traversable, above: str = "") -> Iterator[tuple[str, str]]:
    """The path and the text of each file; the folder may be in a zip."""
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        name = f"{above}{each.name}"
        if each.is_dir():
            yield from _templates(each, f"{name}/")
        elif name.endswith(SUFFIX):
            yield name.removesuffix(SUFFIX), each.read_text(encoding="utf-8")


def _filled(text: str, words: dict[str, str]) -> str:
    for placeholder, word in words.items():
        text = text.replace(placeholder, word)
    return text
