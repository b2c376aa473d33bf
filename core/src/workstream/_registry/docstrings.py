"""Read docstrings: summaries, and texts about fields and parameters."""

from __future__ import annotations

import inspect
import re
import textwrap

_ENTRY = re.compile(
    r"^\*{0,2}(\w+)(?: ?\([^)\n]*\))?:[ \t]*(.*(?:\n(?:[ \t]+.*)?)*)", re.MULTILINE
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
        texts |= entries(_docstring(base), "Attributes")
    return texts


def entries(doc: str, heading: str) -> dict[str, str]:
    """The entries under a heading such as ``Args``, each by its name in one line."""
    section = re.search(rf"^{heading}:\n((?:[ \t]+.*\n|\n)*)", f"{doc}\n", re.MULTILINE)
    found = _ENTRY.findall(textwrap.dedent(section[1])) if section else []
    return {name: _joined(text) for name, text in found}


def _docstring(cls: type) -> str:
    # Not inspect.getdoc: a class without a docstring would answer with its base's.
    doc = inspect.cleandoc(vars(cls).get("__doc__") or "")
    # A dataclass without one gets its signature.
    return "" if doc.startswith(f"{cls.__name__}(") else doc


def _joined(text: str) -> str:
    return " ".join(text.split())
