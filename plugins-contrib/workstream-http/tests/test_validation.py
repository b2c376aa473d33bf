"""Requests that are refused when the plan is submitted."""

from __future__ import annotations

from typing import Any

import pytest

from workstream import SecretRef
from workstream_http import HttpAction, HttpCheck, HttpCheckRequest, HttpRequest

URL = "https://web.example/"
TOKEN = SecretRef("env:TOKEN")


def made(fields: dict[str, Any]) -> HttpRequest:
    """A request with these fields, and an address."""
    given: dict[str, Any] = {"url": URL, **fields}
    return HttpRequest(**given)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"url": "http://[::1]:8080/a?b=c#d"},
        {"url": TOKEN},
        {"method": "DELETE", "status": "204, 404"},
        {"headers": {"Authorization": TOKEN, "X-Empty": "", "Host": "other"}},
        {"bearer": TOKEN, "params": {"q": "ü", "k": TOKEN}},
        {"user": "me", "password": TOKEN, "body": TOKEN},
        {"json": {"a": [1, None]}, "method": "POST", "idempotency_key": True},
        {"json_equals": {"": None, "/": 1, "/a~0~1/0": "x"}},
        {"retry_status": "", "body_limit": 0, "verify": False},
    ],
)
def test_good_requests_pass(fields: dict[str, Any]) -> None:
    """What can work is accepted."""
    HttpAction().validate(made(fields))


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"url": "web.example"}, "url: it must begin with http:// or https://"),
        ({"url": "ftp://web.example"}, "url: it must begin with http:// or https://"),
        ({"url": "http://"}, "url: it names no host"),
        ({"url": "http://a b/"}, "url: it holds white space"),
        ({"url": "http://a/\r\nX: y"}, "url: it holds white space"),
        ({"url": "http://a:port/"}, "url: it is not a valid URL"),
        ({"url": "http://me:hidden@a/"}, "url: it holds a user or password: give them"),
        ({"method": "get"}, "method: 'get' is no HTTP method: write it in capitals"),
        ({"method": "CONNECT"}, "method: CONNECT opens a tunnel"),
        ({"headers": {"a b": ""}}, "headers: 'a b' is not the name of a header"),
        ({"headers": {"": ""}}, "headers: '' is not the name of a header"),
        ({"headers": {"A": "", "a": ""}}, "headers: 'a' is given twice"),
        ({"headers": {"A": "b\r\nC: d"}}, "the value of 'A': it holds a line break"),
        ({"headers": {"A": "\x00"}}, "the value of 'A': it holds a character that"),
        ({"headers": {"A": "é"}}, "the value of 'A': it holds a character that"),
        ({"headers": {"A": " b"}}, "the value of 'A': it begins or ends with white"),
        ({"headers": {"Content-Length": "1"}}, "'Content-Length' is set from the"),
        ({"headers": {"authorization": "hidden"}}, "'authorization' is a secret: give"),
        ({"headers": {"Cookie": "hidden"}}, "'Cookie' is a secret: give it as"),
        ({"user": "me"}, "user and password: give both or neither"),
        ({"password": TOKEN}, "user and password: give both or neither"),
        ({"user": "a:b", "password": TOKEN}, "user: it may not hold a colon"),
        (
            {"user": "me", "password": TOKEN, "bearer": TOKEN},
            "authorization is given by bearer and by user and password: choose one",
        ),
        (
            {"headers": {"Authorization": TOKEN}, "bearer": TOKEN},
            "authorization is given by a header and by bearer: choose one",
        ),
        ({"status": "ok"}, "status: 'ok' is no HTTP status"),
        ({"status": ""}, "status: name at least one"),
        ({"retry_status": "9xx"}, "retry_status: '9xx' is no HTTP status"),
        (
            {"matches": "("},
            "matches: '(' is no regular expression that can be used: missing )",
        ),
        ({"connect_to": "a/b"}, "connect_to: 'a/b' is no HOST or HOST:PORT, as in"),
        ({"connect_to": "u@a"}, "connect_to: 'u@a' is no HOST or HOST:PORT"),
        ({"connect_to": ":80"}, "connect_to: ':80' is no HOST or HOST:PORT"),
        ({"connect_to": "a:x"}, "connect_to: 'a:x' is no HOST or HOST:PORT"),
        ({"unix_socket": "a.sock"}, "unix_socket must be an absolute path"),
        (
            {"unix_socket": "/" + "a" * 107},
            "unix_socket: a socket's name has at most 107 bytes",
        ),
        (
            {"unix_socket": "/a", "connect_to": "b"},
            "connect_to and unix_socket: give one of them",
        ),
        (
            {"key_file": "/k.pem"},
            "key_file and key_password: they belong to a cert_file",
        ),
        ({"matches": "(?=a)b"}, "it looks ahead, which RE2 cannot do"),
        ({"json_equals": {"a": 1}}, "json_equals: 'a' is no JSON pointer"),
        ({"take": {"a": "/b/~"}}, "take: '/b/~' is no JSON pointer"),
        ({"take": {"a": "/b"}, "body_limit": 0}, "there is no body to match"),
        ({"json_equals": {"/~2": 1}}, "json_equals: '/~2' is no JSON pointer"),
        ({"json_equals": {"/a": float("nan")}}, "the value of '/a' is no JSON number"),
        ({"method": "HEAD", "contains": "x"}, "method: the answer to HEAD has no body"),
        ({"body_limit": 0, "matches": "x"}, "body_limit: with 0 there is no body"),
        (
            {"body_limit": -1},
            "body_limit must be a whole number of bytes from 0 to 16,777,216, not -1",
        ),
        (
            {"body_limit": 2**30},
            "body_limit must be a whole number of bytes from 0 to 16,777,216",
        ),
        ({"connect_timeout": 0}, "connect_timeout must be a number of seconds, 0.001"),
        (
            {"connect_timeout": float("inf")},
            "connect_timeout must be a number of seconds, 0.001",
        ),
        ({"verify": False, "ca_file": "x"}, "ca_file: it has no meaning with verify"),
        ({"body": "", "json": 1}, "body and json: give one of them"),
        ({"json": {"a": TOKEN}}, "json: it cannot be written as JSON"),
        ({"json": float("inf")}, "json: it cannot be written as JSON"),
        (
            {"headers": {"idempotency-KEY": "x"}, "idempotency_key": True},
            "idempotency_key: the header is given too: choose one",
        ),
    ],
)
def test_bad_requests_are_refused(fields: dict[str, Any], fault: str) -> None:
    """What can never work is refused, without repeating a secret (V-19)."""
    with pytest.raises(ValueError, match=r"^\w") as caught:
        HttpAction().validate(made(fields))

    assert fault in str(caught.value)
    assert "; " not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_all_faults_are_named_at_once() -> None:
    """One message names every fault (V-1)."""
    with pytest.raises(ValueError, match=r"^url: .*; headers: .*; status: .*; method:"):
        HttpCheck().validate(
            HttpCheckRequest(
                url="web", headers={"a b": ""}, status="x", method="HEAD", contains="x"
            )
        )


def test_a_check_is_safe() -> None:
    """A check is GET or HEAD, also where no type checker has looked (REG-8)."""
    fields: dict[str, Any] = {"url": URL, "method": "POST"}
    with pytest.raises(ValueError, match=r"GET or HEAD, not 'POST': use http\.request"):
        HttpCheck().validate(HttpCheckRequest(**fields))
