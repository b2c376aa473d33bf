"""Values of a parameter that stand in a file: ``-p hosts=@web.txt``.

A text file has one value a line; blank lines, and what follows a ``#`` at the beginning of
a line or after a space, count for nothing. A file whose name ends in ``.json``, ``.yaml``
or ``.yml`` holds a list of values, or one.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from pathlib import Path
from typing import Any, cast

import attrs

from .._values.display import shorten

MARK = "@"
"""What a text begins with that names a file; twice, it is a text that begins with one."""

_COMMENT = re.compile(r"(?:^|\s)#.*")


class ValueFileError(Exception):
    """A file of values cannot be read; the message says why."""


@attrs.frozen
class Values:
    """What a file holds.

    Attributes:
        texts: The values.
        digest: ``sha256:`` and the digest of its bytes.
    """

    texts: tuple[str, ...]
    digest: str


def read_values(name: str) -> Values:
    """The values in a file.

    Raises:
        ValueFileError: There is no such file, or it holds no values.
    """
    path = Path(name).expanduser()
    shown = f"'{shorten(name, 200)}'"
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{shown} is no text in UTF-8"
        raise ValueFileError(message) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{shown} cannot be read: {reason}"
        raise ValueFileError(message) from error
    suffix = path.suffix.lower()
    if suffix == ".json":
        found = _listed(_json(text, shown), shown)
    elif suffix in (".yaml", ".yml"):
        found = _listed(_yaml(text, shown), shown)
    else:
        lines = (_COMMENT.sub("", line).strip() for line in text.splitlines())
        found = [line for line in lines if line]
    if not found:
        message = f"{shown} holds no value"
        raise ValueFileError(message)
    return Values(tuple(found), f"sha256:{hashlib.sha256(data).hexdigest()}")


def _json(text: str, shown: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"{shown} is no JSON: {error}"
        raise ValueFileError(message) from error


def _yaml(text: str, shown: str) -> Any:
    try:
        # Without type annotations; and not all who run plans need it.
        yaml: Any = importlib.import_module("yaml")
    except ImportError as error:
        message = (
            f"{shown} is YAML, and PyYAML is not installed: install "
            "workstream-engine[yaml], or write the list as JSON or one value a line"
        )
        raise ValueFileError(message) from error
    try:
        # To this loader every value is the text that was written: `no` is no False.
        return yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        message = f"{shown} is no YAML: {shorten(' '.join(str(error).split()), 300)}"
        raise ValueFileError(message) from error


def _listed(whole: object, shown: str) -> list[str]:
    """The values as texts."""
    parts = cast("list[object]", whole) if isinstance(whole, list) else [whole]
    found: list[str] = []
    for index, part in enumerate(parts):
        place = f"at [{index}]" if isinstance(whole, list) else "as a whole"
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, bool | int | float):
            found.append(json.dumps(part))
        else:
            kind = (
                "null"
                if part is None
                else "a list"
                if type(part) is list
                else "an object"
            )
            message = (
                f"{shown} holds {kind} {place}: write a list of texts, numbers, true "
                "and false"
            )
            raise ValueFileError(message)
    return found
