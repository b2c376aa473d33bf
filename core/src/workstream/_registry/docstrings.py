"""Read the docstrings of plugins' classes: summaries, and texts about fields."""

from __future__ import annotations

import inspect
import re

_SECTION = re.compile(r"^Attributes:\n((?:[ \t]+.*\n|\n)*)", re.MULTILINE)
_ENTRY = re.compile(
    r"^(\w+)(?: ?\([^)\n]*\))?:[ \t]*(.*(?:\n(?:[ \t]+.*)?)*)", re.MULTILINE
)


def first_paragraph(cls: type) -> str:
    """The first paragraph of the class's own docstring, in one line."""
    return _joined(_docstring(cls).partition("\n\n")[0])


def field_texts(cls: type) -> dict[str, str]:
    """Texts about the fields of a class: the entries under ``Attributes:``.

    A field that it says nothing about has what the class says that it comes from.
    """
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        section = _SECTION.search(_docstring(base) + "\n")
        if section is not None:
            for name, text in _ENTRY.findall(inspect.cleandoc(section[1])):
                texts[name] = _joined(text)
    return texts


def _docstring(cls: type) -> str:
    # Not inspect.getdoc: a class without a docstring would answer with its base's.
    doc = inspect.cleandoc(vars(cls).get("__doc__") or "")
    # A dataclass without one gets its signature.
    return "" if doc.startswith(f"{cls.__name__}(") else doc


def _joined(text: str) -> str:
    return " ".join(text.split())
