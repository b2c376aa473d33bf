"""What can be told of a statement without asking the server.

It is no parser: it knows what is text and what is a comment, and looks at the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_QUOTE = re.compile(r"'|\"|--|/\*|\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_ESCAPED_END = re.compile(r"\\.|'", re.DOTALL)
_COPY = re.compile(r"\bcopy\b[^;]*?\b(from\s+stdin|to\s+stdout)\b", re.IGNORECASE)
_BACKSLASH = re.compile(r"^[ \t]*(\\\S*)", re.MULTILINE)
_PLACEHOLDER = re.compile(r"%(?:\(([^)]*)\))?(.?)", re.DOTALL)


def bare(sql: str) -> str:
    """The statement with blanks in the place of texts, quoted names and comments.

    It is as long as before, and has the same lines.
    """
    return _blanked(sql, texts=True)


def without_comments(sql: str) -> str:
    """The statement with blanks in the place of comments."""
    return _blanked(sql, texts=False)


def _blanked(sql: str, *, texts: bool) -> str:
    pieces: list[str] = []
    here = 0
    while (found := _QUOTE.search(sql, here)) is not None:
        begin = found.start()
        before = sql[begin - 1 : begin]
        if found[0].startswith("$") and (before.isalnum() or before in ("_", "$")):
            # In a name a dollar is a letter.
            pieces.append(sql[here : begin + 1])
            here = begin + 1
            continue
        end = _end_of(sql, found)
        blank = texts or found[0] in ("--", "/*")
        piece = sql[begin:end]
        pieces.append(sql[here:begin])
        pieces.append(re.sub(r"[^\n]", " ", piece) if blank else piece)
        here = end
    return "".join(pieces) + sql[here:]


def _end_of(sql: str, found: re.Match[str]) -> int:
    """Where what begins there is over: behind its end, or at the end of the text."""
    quote, here = found[0], found.end()
    if quote == "/*":
        depth = 1
        while depth and (edge := _COMMENT_EDGE.search(sql, here)) is not None:
            depth += 1 if edge[0] == "/*" else -1
            here = edge.end()
        return here if not depth else len(sql)
    if quote == "'" and sql[found.start() - 1 : found.start()] in ("e", "E"):
        while (edge := _ESCAPED_END.search(sql, here)) is not None:
            here = edge.end()
            if edge[0] == "'":
                return here
        return len(sql)
    end = sql.find("\n" if quote == "--" else quote, here)
    return len(sql) if end < 0 else end + len(quote) * (quote != "--")


def psql_faults(sql: str) -> Iterator[str]:
    """What only psql, or somebody at its keyboard, could carry out."""
    text = bare(sql)
    copy, line = _COPY.search(text), _BACKSLASH.search(text)
    if copy is not None and (line is None or copy.start() < line.start(1)):
        where = text.count("\n", 0, copy.start(1)) + 1
        words = " ".join(copy[1].upper().split())
        yield f"line {where} copies {words}, which a plan has none of{_BY_PSQL}"
    elif line is not None:
        where = text.count("\n", 0, line.start(1)) + 1
        yield f"line {where} is the command {line[1]} of psql, not SQL{_BY_PSQL}"


_BY_PSQL = ": run the file by psql, as command.run of workstream-command can"


def placeholder_faults(
    sql: str, params: tuple[object, ...], names: frozenset[str]
) -> Iterator[str]:
    """Where placeholders and values do not fit; none is looked for without values."""
    if not (params or names):
        return
    found = [(one[1], one[2]) for one in _PLACEHOLDER.finditer(sql)]
    found = [(name, kind) for name, kind in found if name is not None or kind != "%"]
    for name, kind in found:
        if kind not in ("s", "b", "t") or not kind:
            shown = f"%({name}){kind}" if name is not None else f"%{kind}"
            yield (
                f"{shown!r} is no placeholder: write %% for a per cent sign where "
                "there are values"
            )
            return
    positions = sum(name is None for name, _ in found)
    wanted = {name for name, _ in found if name is not None}
    if params and wanted:
        yield "it has placeholders with names, so give the values as named"
    elif params and positions != len(params):
        yield f"it has {positions} placeholders %s, and params has {len(params)} values"
    elif names and positions:
        yield "it has placeholders without names, so give the values as params"
    elif missing := sorted(wanted - names):
        yield f"named has no value for {', '.join(f'%({name})s' for name in missing)}"
