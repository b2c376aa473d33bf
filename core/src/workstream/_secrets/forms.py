"""The forms in which a secret text turns up, and how it is taken out of other texts (CL-8).

A secret seldom comes back as it was given: a URL has it percent-encoded, an error's
repr has it escaped, a login header has it in base64, and what shortens or wraps a text
leaves only its beginning or its end. ``forms`` lists what to look for; ``hide`` and
``StreamRedactor`` look for it, in a whole text and in one that comes in pieces.
"""

from __future__ import annotations

import base64
import json
import re
import string
from collections.abc import Collection, Iterator
from urllib.parse import (
    parse_qsl,
    quote,
    quote_plus,
    unquote,
    urlsplit,
    urlunsplit,
)

from .references import HIDDEN

SHORTEST = 4
"""A shorter text is not looked for: hiding each "a" would make every message useless."""

SHORTEST_PIECE = 8
"""Likewise for the beginning or the end of one, at the edge of a line."""

SHORTEST_TARGET = 12
"""Likewise for the path of a URL that is secret, and for the values in its query."""

SHORTEST_ENCODED = 6
"""Of a shorter text too little is the same in every base64 that it is part of."""

_NEVER_ESCAPED = re.compile(r"[A-Za-z0-9_-]*")

_URL_SAFE = ("", "/", "!$&'()*+,;=", "/?:@!$&'()*+,;=", "/?:@!$&'()*+,;=[]#%")
"""Characters that programs do not escape in a URL; it depends on the part."""

LONGEST_WORD = 8 * 1024
"""Characters of a word of base64 that wait for its end; what comes before is shown."""

_BASE64 = string.ascii_letters + string.digits + "+/-_"
_ENCODED_AFTER = re.compile(r"[A-Za-z0-9+/_-]*=*")

_LINE_BREAK = re.compile(r"[\r\n]")

_AROUND_A_CUT = " \t.…[]()\"'"
"""Characters between a piece and the end of its line: quotes, marks of a cut."""


def forms(text: str) -> frozenset[str]:
    """The secret text as it may appear in messages and output.

    As it is, stripped, line by line, in base64; escaped for URLs, for JSON, in Python's
    quotes, for a shell, for HTML, for SQL. Where it is a URL, what is secret in it too.
    """
    found = {text, text.strip(), *_in_url(text)}
    if "%" in text:
        found.update([unquote(one) for one in found])
    for one in tuple(found):
        if not _NEVER_ESCAPED.fullmatch(one):
            found.update(_escaped(one))
        found.update(_in_base64(_bytes(one)))
    lines = text.splitlines()
    if len(lines) > 1:
        found.update(line.strip() for line in lines)
    return frozenset(form for form in found if form)


def _in_url(text: str) -> Iterator[str]:
    """The password in a URL, and what else servers and errors repeat of it alone."""
    if "://" not in text:
        return
    try:
        parts = urlsplit(text.strip())
        password, target = parts.password, urlunsplit(("", "", *parts[2:]))
    except ValueError:  # only much like a URL
        return
    if password:
        yield password
    # Shorter ones are words that others use as well.
    if len(target) >= SHORTEST_TARGET:
        yield target
    for value in (parts.path, *(value for _, value in parse_qsl(parts.query))):
        if len(value) >= SHORTEST_TARGET:
            yield value


def _bytes(text: str) -> bytes:
    try:
        # A variable of the environment may hold bytes that are no UTF-8.
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")


def _escaped(text: str) -> Iterator[str]:
    import html  # its table of names is for plans with secrets alone

    data = _bytes(text)
    for quoted in (*(quote(data, safe=safe) for safe in _URL_SAFE), quote_plus(data)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), quoted)
        yield quote(quoted, safe="/+")  # a URL in a URL
        yield quote(quoted, safe="")
    in_python = (repr(text)[1:-1], ascii(text)[1:-1], repr(data)[2:-1])
    in_json = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    for escaped in {*in_python, *in_json}:
        # Which quotes a repr escapes depends on what else is between them.
        bare = escaped.replace("\\'", "'")
        yield from (escaped, bare, bare.replace("'", "\\'"))
        # A message that quotes a message escapes once more.
        yield repr(escaped)[1:-1]
        yield json.dumps(escaped)[1:-1]
    yield in_json[0].replace("/", "\\/")
    yield text.replace("'", "'\"'\"'")
    yield text.replace("'", "'\\''")
    yield text.replace("'", "''")
    yield html.escape(text)
    yield html.escape(text, quote=False)
    yield html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


class Encoded(str):
    """The part of a secret's base64 that the base64 of every text with it has, too.

    The characters around it hold the secret's first and last bits too, so the whole word
    is hidden: of a login header nothing is left.
    """

    __slots__ = ()


def _in_base64(data: bytes) -> Iterator[Encoded]:
    """Yield the parts that the base64 of every text with this data has, too."""
    if len(data) < SHORTEST_ENCODED:
        return
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        inner = encoded[(0, 2, 3)[shift] : -1]
        yield Encoded(inner)
        yield Encoded(inner.replace("+", "-").replace("/", "_"))


def hide(text: str, values: Collection[str]) -> str:
    """The text with each of the values replaced by ``"[secret hidden]"``.

    Where values overlap or hold one another, the whole stretch is replaced once.
    Values shorter than four characters are not looked for. At the edges of a line the
    beginning or the end of a value is replaced too, if it is at least eight characters
    and a third of it: there a text was shortened, or wrapped.
    """
    stretches: list[tuple[int, int]] = []
    for value in values:
        # Asked of every line that is reported, so what is not there must cost little.
        if len(value) >= SHORTEST:
            size = max(SHORTEST_PIECE, (len(value) + 2) // 3)
            if value in text:
                around = isinstance(value, Encoded)
                found = _whole(text, value)
                stretches += (_word(text, *one) for one in found) if around else found
            if len(value) > size and (value[:size] in text or value[-size:] in text):
                stretches += _pieces(text, value, size)
    return _replaced(text, stretches) if stretches else text


def hide_end(text: str, values: Collection[str]) -> str:
    """The text without what may be the beginning of a value at its very end."""
    begins = len(text)
    for value in values:
        if len(value) < SHORTEST:
            continue
        for start in _places(text, value[:SHORTEST]):
            if len(text) - start < len(value) and value.startswith(text[start:]):
                begins = min(begins, start)
    return text if begins == len(text) else text[:begins] + HIDDEN


def hide_bytes(data: bytes, values: Collection[str]) -> bytes:
    """The same for bytes; what is no UTF-8 in them stays as it is."""
    # Each such byte has a character of its own, and gets back from it.
    text = data.decode(errors="surrogateescape")
    hidden = hide(text, values)
    return data if hidden == text else hidden.encode(errors="surrogateescape")


def _whole(text: str, value: str) -> Iterator[tuple[int, int]]:
    return ((place, place + len(value)) for place in _places(text, value))


def _word(text: str, start: int, end: int) -> tuple[int, int]:
    """The word of base64 that holds a stretch."""
    after = _ENCODED_AFTER.match(text, end)
    return len(text[:start].rstrip(_BASE64)), end if after is None else after.end()


def _places(text: str, value: str) -> Iterator[int]:
    place = text.find(value)
    while place != -1:
        yield place
        place = text.find(value, place + 1)


def _pieces(text: str, value: str, size: int) -> Iterator[tuple[int, int]]:
    """Where a line ends with the value's beginning, or begins with its end.

    Args:
        text: What is looked through.
        value: What may be there in part.
        size: How much of it counts.
    """
    around = 2 * len(value)
    for start in _places(text, value[:size]):
        line = _LINE_BREAK.split(text[start : start + around], 1)[0]
        if length := _begun(line, value, size):
            yield start, start + length
    for place in _places(text, value[-size:]):
        end = place + size
        line = _LINE_BREAK.split(text[max(0, end - around) : end])[-1]
        if length := _begun(line[::-1], value[::-1], size):
            yield end - length, end


def _begun(line: str, value: str, size: int) -> int:
    """How much of the value the line is, but for what may stand around a cut."""
    while len(line) >= size:
        if value.startswith(line):
            return len(line)
        if line[-1] not in _AROUND_A_CUT:
            break
        line = line[:-1]
    return 0


def _replaced(text: str, stretches: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    shown = 0
    hidden = -1
    for start, end in sorted(stretches):
        if start >= hidden:
            pieces += (text[shown:start], HIDDEN)
        hidden = max(hidden, end)
        shown = hidden
    pieces.append(text[shown:])
    return "".join(pieces)


class StreamRedactor:
    """Takes secrets out of a text that comes in pieces.

    The end of a piece that may be the beginning of a secret is held back until more of
    the text is seen, so that no way of cutting it shows a part. So is a word of base64
    without an end, as its end may show that it holds a secret.
    """

    def __init__(self, values: Collection[str]) -> None:
        """Make one; ``values`` are what to take out, in all of their forms."""
        found = [value for value in values if len(value) >= SHORTEST]
        self._values = [value for value in found if not isinstance(value, Encoded)]
        self._encoded = [value for value in found if isinstance(value, Encoded)]
        self._most_held = 2 * max(map(len, self._values), default=0)
        self._held = ""
        # Whether the word that is held was begun before, and hidden.
        self._in_hidden_word = False

    def feed(self, text: str, *, final: bool = False) -> str:
        """Give the next piece; get what can be shown now."""
        if not self._values and not self._encoded:
            return text
        text = self._held + text
        stretches = [one for value in self._values for one in _whole(text, value)]
        words = {
            _word(text, *one) for value in self._encoded for one in _whole(text, value)
        }
        begun = _ENCODED_AFTER.match(text) if self._in_hidden_word else None
        goes_on = begun is not None and begun.end() > 0
        if begun is not None and goes_on:
            words.add((0, begun.end()))
        safe = len(text) if final else self._safe(text, stretches)
        self._held = text[safe:]
        # A word may be torn: the rest of it is hidden when it is shown.
        self._in_hidden_word = any(start < safe < end for start, end in words) or (
            self._in_hidden_word and not safe
        )
        hidden = [*stretches, *words]
        hidden = [(start, min(end, safe)) for start, end in hidden if start < safe]
        shown = _replaced(text[:safe], hidden) if hidden else text[:safe]
        return shown.removeprefix(HIDDEN) if goes_on else shown

    def _safe(self, text: str, stretches: list[tuple[int, int]]) -> int:
        """Up to where the text cannot be part of a secret still to be completed."""
        safe = len(text)
        if self._encoded:
            word = len(text.rstrip("=").rstrip(_BASE64))
            safe = max(word, len(text) - LONGEST_WORD)
        for value in self._values:
            place = max(0, len(text) - len(value) + 1)
            while 0 <= (place := text.find(value[0], place)) < safe:
                if value.startswith(text[place:]):
                    safe = place
                place += 1
        # A whole secret must not be torn by the beginning of another: it waits with it,
        # unless one follows another without an end.
        waits = True
        while torn := [(s, e) for s, e in stretches if s < safe < e]:
            start = min(start for start, _ in torn)
            waits = waits and len(text) - start <= self._most_held
            safe = start if waits else max(end for _, end in torn)
        return safe
