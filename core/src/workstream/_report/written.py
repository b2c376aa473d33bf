"""The forms that a report is written in, by their names."""

from __future__ import annotations

import json
from collections.abc import Callable

from .document import Report, document
from .exports import junit, perfetto
from .html import page
from .text import markdown


def _data(report: Report) -> str:
    return json.dumps(document(report), indent=1, ensure_ascii=True) + "\n"


FORMS: dict[str, Callable[[Report], str]] = {
    "html": page,
    "markdown": markdown,
    "json": _data,
    "perfetto": perfetto,
    "junit": junit,
}
