"""The forms in which secrets turn up, and how they are taken out of texts (CL-8)."""

from __future__ import annotations

import base64
import html
import itertools
import json
import os
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workstream._secrets.forms import (
    LONGEST_WORD,
    Encoded,
    StreamRedactor,
    forms,
    hide,
    hide_bytes,
)
from workstream._secrets.references import HIDDEN

ASKED = os.environ.get("WORKSTREAM_EXAMPLES")
examples = settings(
    max_examples=int(ASKED or 200),
    derandomize=ASKED is None,
    database=None,
    deadline=None,
)


@pytest.mark.parametrize(
    ("text", "values", "hidden"),
    [
        ("nothing here", {"hunter2"}, "nothing here"),
        ("a hunter2 b hunter2", {"hunter2"}, f"a {HIDDEN} b {HIDDEN}"),
        ("hunter2hunter2", {"hunter2"}, f"{HIDDEN}{HIDDEN}"),
        ("hunter22", {"hunter2", "hunter22"}, HIDDEN),
        ("abcdefgh", {"abcdef", "efgh"}, HIDDEN),
        ("aaaaaa!", {"aaaa"}, f"{HIDDEN}!"),
        ("secret hidden", {"secret", "hidden"}, f"{HIDDEN} {HIDDEN}"),
        ("a yes b", {"yes", "", "b"}, "a yes b"),
        ("", {"hunter2"}, ""),
    ],
)
def test_hiding_replaces_values(text: str, values: set[str], hidden: str) -> None:
    """Each value is replaced; overlapping ones once; short ones are left."""
    assert hide(text, values) == hidden


@st.composite
def values_in_text(draw: st.DrawFn, others: str) -> tuple[set[str], str]:
    """Secrets, and a text that has some of them among other letters."""
    # Few letters, so that values overlap, repeat and contain each other.
    values = draw(
        st.sets(st.text("ab", min_size=4, max_size=7), min_size=1, max_size=4)
    )
    part = st.sampled_from(sorted(values)) | st.text(others, max_size=9)
    return values, "".join(draw(st.lists(part, min_size=4, max_size=16)))


@pytest.mark.slow
@examples
@given(values_in_text("ab"))
def test_nothing_hidden_remains(drawn: tuple[set[str], str]) -> None:
    """Whatever the values and the text, no value is left in what is shown."""
    values, text = drawn

    shown = hide(text, values)

    assert not any(value in piece for value in values for piece in shown.split(HIDDEN))


AWKWARD = """p4ss/w&rd "of" it's <own> + 50% ünd\\x"""
"""A secret of which every encoding changes something else."""

ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a repr": repr,
    "in a repr beside other quotes": lambda text: repr(f"{text} said \"no\" and 'no'"),
    "in an ascii()": ascii,
    "in the repr of bytes": lambda text: repr(text.encode()),
    "in a repr of a repr": lambda text: repr(repr(text)),
    "in an exception": lambda text: repr(KeyError(f"no {text}!")),
    "in JSON": json.dumps,
    "in JSON without ASCII": lambda text: json.dumps(text, ensure_ascii=False),
    "in JSON, slashes escaped": lambda text: json.dumps(text).replace("/", "\\/"),
    "in JSON in JSON": lambda text: json.dumps({"log": json.dumps({"got": text})}),
    "in a path": quote,
    "in a query": lambda text: urlencode({"token": text}),
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "in the query of a URL in a query": lambda text: quote(urlencode({"t": text})),
    "percent-encoded, in lower case": lambda text: "".join(
        chr(byte) if re.match(rb"[\w.~-]", bytes([byte])) else f"%{byte:02x}"
        for byte in text.encode()
    ),
    "as a login in a URL": lambda text: (
        "https://robot:" + quote(text, safe="!$&'()*+,;=") + "@host/"
    ),
    "plus-encoded": quote_plus,
    "for a shell": shlex.quote,
    "traced by a shell": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "in HTML": html.escape,
    "in HTML of a template": lambda text: (
        html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    ),
    "in SQL": lambda text: "'" + text.replace("'", "''") + "'",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("secret", [AWKWARD, "plain-token_1234", "two\nlines of/it"])
def test_secret_is_known_in_every_form_it_is_met_in(encoding: str, secret: str) -> None:
    """However it was escaped on its way, the whole stretch is hidden, and no more."""
    encode = ENCODINGS[encoding]
    told = f"told: {encode('(here)')} {encode(f'({secret})')} {encode('(there)')}"

    shown = hide(told, forms(secret))

    assert HIDDEN in shown
    assert shown.count("here") == 2
    for word in ("p4ss", "rd", "own", "plain", "1234", "lines", "two"):
        assert word not in shown.replace(HIDDEN, "")


@pytest.mark.parametrize("user", ["u", "user", "robot", "deploy-bot"])
def test_secret_is_known_in_base64(user: str) -> None:
    """A login header gives a password away to anybody; at most three letters remain."""
    login = base64.b64encode(f"{user}:{AWKWARD}".encode()).decode()

    shown = hide(f"Authorization: Basic {login}", forms(AWKWARD))

    assert HIDDEN in shown
    left = shown.removeprefix("Authorization: Basic ").replace(HIDDEN, "")
    assert len(left) <= len(base64.b64encode(f"{user}:".encode())) + 3


def test_each_line_of_a_secret_is_one() -> None:
    """A key file's lines turn up one by one."""
    assert hide("got 'line one'", forms("line one\nline/two\n")) == f"got '{HIDDEN}'"


HOOK = "https://robot:s3cr%2Ft@hooks/app/T0K3N%2Fabcdef?key=p4ss%26word%2F42&v=2"


@pytest.mark.parametrize(
    "told",
    [
        HOOK,
        HOOK.removeprefix("https://robot:s3cr%2Ft@hooks"),
        "/app/T0K3N%2Fabcdef",
        "/app/T0K3N/abcdef",
        "p4ss&word/42",
        "p4ss%26word%2f42",
        "s3cr/t",
        "https://robot:s3cr/t@hooks/app/T0K3N/abcdef?key=p4ss&word/42&v=2",
    ],
)
def test_what_is_secret_in_a_url_is_known(told: str) -> None:
    """Servers repeat its path or its query, also decoded; others its password."""
    assert hide(f"at {told} it said 2 for robot", forms(HOOK)) == (
        f"at {HIDDEN} it said 2 for robot"
    )
    assert hide("app at https://hooks: v", forms(HOOK)) == "app at https://hooks: v"


@pytest.mark.parametrize("text", ["x://[", "a://b", "://"])
def test_what_looks_like_a_url_need_not_be_one(text: str) -> None:
    """It is a secret like any other."""
    assert text in forms(text)


@pytest.mark.parametrize("text", ["caf\udce9-0815", "\ud800-lone-half"])
def test_secret_need_not_be_valid_unicode(text: str) -> None:
    """A variable of the environment may hold bytes that are no UTF-8."""
    assert hide(f"x {text} y", forms(text)) == f"x {HIDDEN} y"


TOKEN = "tok-0123456789-abcdefghij"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"log: {TOKEN[:12]}", f"log: {HIDDEN}"),
        (f"log: {TOKEN[:12]}...", f"log: {HIDDEN}..."),
        (f"it said '{TOKEN[:12]}…'", f"it said '{HIDDEN}…'"),
        (f"{TOKEN[:12]} […]\nnext", f"{HIDDEN} […]\nnext"),
        (f"a\n{TOKEN[-12:]} b", f"a\n{HIDDEN} b"),
        (f"[...]{TOKEN[-12:]}\rb", f"[...]{HIDDEN}\rb"),
        (f"a {TOKEN[:13]}\n{TOKEN[13:]} b", f"a {HIDDEN}\n{HIDDEN} b"),
        (f"a {TOKEN[:13]}\r\n  {TOKEN[13:]} b", f"a {HIDDEN}\r\n  {HIDDEN} b"),
        (f"in {TOKEN[:12]} the middle", f"in {TOKEN[:12]} the middle"),
        (f"too little {TOKEN[:8]}", f"too little {TOKEN[:8]}"),
        ("ends with tok", "ends with tok"),
    ],
)
def test_pieces_are_hidden_where_a_text_was_cut(text: str, shown: str) -> None:
    """At the edges of a line a third of a secret is enough to be hidden."""
    assert hide(text, {TOKEN}) == shown


@pytest.mark.parametrize("place", range(len(TOKEN) + 1))
def test_of_a_wrapped_secret_at_most_a_third_is_left(place: int) -> None:
    """Wherever a terminal or a report breaks it."""
    shown = hide(f"a {TOKEN[:place]}\n{TOKEN[place:]} b", {TOKEN})

    left = shown.replace(HIDDEN, "").removeprefix("a ").removesuffix(" b").strip()
    assert len(left) <= len(TOKEN) / 3


def test_bytes_that_are_no_text_stay() -> None:
    """Only the secret is replaced."""
    assert hide_bytes(b"\xff hunter2 \xfe", {"hunter2"}) == (
        b"\xff " + HIDDEN.encode() + b" \xfe"
    )


def redacted(secrets: set[str], *pieces: str) -> str:
    redactor = StreamRedactor(secrets)
    shown = [redactor.feed(piece) for piece in pieces]
    return "".join(shown) + redactor.feed("", final=True)


@pytest.mark.parametrize(
    ("secrets", "text", "shown"),
    [
        ({"secret"}, "a secret b secretsecret", f"a {HIDDEN} b {HIDDEN}{HIDDEN}"),
        ({"abcd", "abcdef"}, "abcde abcdef", f"{HIDDEN}e {HIDDEN}"),
        ({"xyab", "abcd"}, "xyab abcd xyabcd", f"{HIDDEN} {HIDDEN} {HIDDEN}"),
        ({"aaab"}, "aaaab aaaa", f"a{HIDDEN} aaaa"),
        ({"two\nlines"}, "x two\nlines two\nline", f"x {HIDDEN} two\nline"),
        ({"abc", ""}, "abc", "abc"),
        (set[str](), "nothing", "nothing"),
    ],
)
def test_secrets_are_hidden_however_the_text_is_cut(
    secrets: set[str], text: str, shown: str
) -> None:
    """No way of cutting a text in three shows any part of a secret."""
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            pieces = (text[:first], text[first:second], text[second:])
            assert redacted(secrets, *pieces) == shown


@pytest.mark.parametrize("login", ["u:hunter22", "robot:hunter22", "robot:hunter22!!"])
def test_a_word_that_holds_a_secret_is_hidden_however_it_is_cut(login: str) -> None:
    """Of a login header's base64 nothing is shown, its padding neither."""
    word = base64.b64encode(login.encode()).decode()
    text = f"Basic {word}, a=b {word}\n"
    secrets = set(forms("hunter22"))
    whole = f"Basic {HIDDEN}, a=b {HIDDEN}\n"
    assert hide(text, secrets) == whole

    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            pieces = (text[:first], text[first:second], text[second:])
            assert redacted(secrets, *pieces) == whole
    assert redacted(secrets, *text) == whole


@pytest.mark.parametrize("after", [10, LONGEST_WORD, 3 * LONGEST_WORD])
@pytest.mark.parametrize("size", [1000, LONGEST_WORD + 1])
def test_of_a_word_without_an_end_not_all_is_hoarded(after: int, size: int) -> None:
    """What waited is hidden with the secret, and so is all of the word behind it."""
    secret = base64.b64encode(b"1234hunter22").decode()
    redactor = StreamRedactor(set(forms("hunter22")))
    text = "x" * (2 * LONGEST_WORD) + secret + "y" * after + "= and more"
    shown = ""
    for start in range(0, len(text), size):
        shown += redactor.feed(text[start : start + size])
        assert start + size - len(shown) < 4 * LONGEST_WORD + size or HIDDEN in shown
    shown += redactor.feed("", final=True)

    begin, hidden, end = shown.partition(HIDDEN)
    assert (set(begin), hidden, end) == ({"x"}, HIDDEN, " and more")
    assert LONGEST_WORD / 2 < len(begin) < 2 * LONGEST_WORD


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_secret_at_the_end_of_a_hidden_word_is_hidden(cut: int) -> None:
    """Whatever of both has been shown before."""
    values = {"yz tail", Encoded("aaaabbbb")}
    text = "aaaabbbbyz tail, next"

    assert redacted(values, text[:cut], text[cut:]) == f"{HIDDEN}, next"
    assert redacted(values, *text) == f"{HIDDEN}, next"


def test_what_cannot_become_a_secret_is_shown_at_once() -> None:
    """Only the beginning of a secret is held back, so that output stays live."""
    redactor = StreamRedactor({"secret"})

    assert redactor.feed("Password: ") == "Password: "
    assert redactor.feed("it is se") == "it is "
    assert redactor.feed("ven") == "seven"


def test_secrets_without_an_end_are_not_hoarded() -> None:
    """Where one overlaps the next for ever, not all of it waits for the end."""
    redactor = StreamRedactor({"aaaa"})
    fed = [redactor.feed("aaa") for _ in range(1000)]

    assert sum(1 for shown in fed if shown) > 300
    shown = "".join([*fed, redactor.feed("", final=True)]).replace(HIDDEN, "")
    assert len(shown) < len("aaaa")


@pytest.mark.slow
@examples
@given(values_in_text("abc"), st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_no_piece_of_the_stream_shows_a_secret(
    drawn: tuple[set[str], str], sizes: list[int]
) -> None:
    """Whatever the values, the text and the pieces."""
    values, text = drawn
    pieces: list[str] = []
    for size in itertools.cycle(sizes):
        if not text:
            break
        pieces.append(text[:size])
        text = text[size:]

    shown = redacted(values, *pieces)

    assert not any(value in part for value in values for part in shown.split(HIDDEN))


@pytest.mark.slow
@examples
@given(values_in_text("abc =,"), st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_words_are_hidden_in_a_stream_as_in_a_whole_text(
    drawn: tuple[set[str], str], sizes: list[int]
) -> None:
    """Pieces make no difference to what base64 is hidden."""
    values: set[str] = {Encoded(value) for value in drawn[0]}
    text = drawn[1]
    ends = [0, *itertools.accumulate(itertools.islice(itertools.cycle(sizes), 200))]
    pieces = [text[start:end] for start, end in itertools.pairwise(ends)]

    assert redacted(values, *pieces) == redacted(values, text) == hide(text, values)
