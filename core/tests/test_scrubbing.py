"""Removing secrets from what is shown, and resolving references (CL-6, CL-8)."""

from __future__ import annotations

import dataclasses
import uuid
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import attrs
import pytest
from attrs.validators import matches_re

from workstream._secrets.filling import (
    filled,
    references,
    resolve,
    secret_references,
    texts_to_hide,
)
from workstream._secrets.forms import hide
from workstream._secrets.references import (
    HIDDEN,
    SECURE,
    Reference,
    SecretRef,
    StoredValue,
)
from workstream._secrets.scrubbing import (
    hide_within,
    scrub_value,
    secret_values,
)
from workstream._values.errors import SecretError


@attrs.frozen
class Login:
    user: str
    password: str = attrs.field(metadata=SECURE)


@attrs.frozen
class SubLogin(Login):
    otp: str = attrs.field(default="", metadata=SECURE)


@attrs.define
class Everything:
    text: str = attrs.field(metadata=SECURE)
    maybe_text: str | None = attrs.field(default="text two", metadata=SECURE)
    number: int = attrs.field(default=7, metadata=SECURE)
    maybe_number: int | None = attrs.field(default=7, metadata=SECURE)
    flag: bool = attrs.field(default=True, metadata=SECURE)
    ratio: float = attrs.field(default=0.5, metadata=SECURE)
    data: bytes = attrs.field(default=b"data", metadata=SECURE)
    many: list[str] = attrs.field(factory=lambda: ["listed"], metadata=SECURE)
    mapped: dict[str, str] = attrs.field(
        factory=lambda: {"Authorization": "mapped"}, metadata=SECURE
    )
    login: Login | None = attrs.field(default=Login("u", "nested"), metadata=SECURE)
    sure_login: Login = attrs.field(default=Login("u", "nested"), metadata=SECURE)
    shown: str = "shown"


@attrs.frozen
class Nested:
    anything: Any = None
    login: Login | None = None
    logins: tuple[Login, ...] = ()
    by_host: dict[str, list[Login]] = attrs.field(factory=dict[str, list[Login]])


@attrs.frozen
class Refs:
    host: str = "web-1"
    token: SecretRef | None = None
    headers: dict[str, str | SecretRef] = attrs.field(
        factory=dict[str, str | SecretRef]
    )
    many: tuple[SecretRef, ...] = ()
    inner: Any = None


@attrs.frozen(slots=False)
class Strict:
    password: str = attrs.field(metadata=SECURE, validator=matches_re("pw-.*"))


@dataclasses.dataclass(frozen=True)
class Data:
    password: str = dataclasses.field(metadata=SECURE)
    token: SecretRef | None = None


class Row(NamedTuple):
    host: str
    login: Login


class Opaque:
    """Something that cannot be copied, nor looked into."""

    def __deepcopy__(self, memo: object) -> Opaque:
        raise RuntimeError


def test_scrubbing_empties_secure_fields() -> None:
    """A text becomes the words, all else its empty value, None where it may be (CL-6)."""
    scrubbed = scrub_value(Everything("text one"))
    assert scrubbed == Everything(
        text=HIDDEN,
        maybe_text=HIDDEN,
        number=0,
        maybe_number=None,
        flag=False,
        ratio=0.0,
        data=b"",
        many=[],
        mapped={},
        login=None,
        sure_login=None,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        shown="shown",
    )
    assert type(scrubbed.flag) is bool


def test_scrubbing_goes_through_nested_values() -> None:
    """Lists, dicts, tuples, sets and Any values are looked into (CL-6)."""
    login = Login("u", "hunter2")
    value = Nested(
        anything={"a": [login, {login}], "b": Row("h", login), 3: Data("hunter2")},
        login=SubLogin("u", "hunter2", otp="hunter3"),
        logins=(login, login),
        by_host={"web-1": [login]},
    )
    scrubbed = scrub_value(value)
    assert "hunter" in repr(value)
    assert "hunter" not in repr(scrubbed)
    assert scrubbed.anything["b"] == Row("h", Login("u", HIDDEN))
    assert scrubbed.anything["a"][1] == {Login("u", HIDDEN)}
    assert scrubbed.anything[3] == Data(HIDDEN)
    assert scrubbed.login == SubLogin("u", HIDDEN, otp=HIDDEN)


def test_scrubbing_runs_no_code_of_the_class() -> None:
    """A validator that would refuse the words is not asked."""
    assert scrub_value(Strict("pw-1")).password == HIDDEN


def test_scrubbing_copies_deeply() -> None:
    """The scrubbed value shares nothing that can change with its source (CL-1)."""
    value = Nested(anything=[1, [2]], by_host={"a": [Login("u", "p")]})
    scrubbed = scrub_value(value)
    scrubbed.anything[1].append(3)
    scrubbed.by_host["a"].clear()
    assert value == Nested(anything=[1, [2]], by_host={"a": [Login("u", "p")]})
    plain = {"a": [1]}
    assert scrub_value(plain) == plain
    assert scrub_value(plain)["a"] is not plain["a"]


def test_what_cannot_be_copied_is_shown_as_it_is() -> None:
    """Showing a plan does not fail for one odd value."""
    odd = Opaque()
    assert scrub_value(odd) is odd
    assert scrub_value(StoredValue(odd)).data is odd


def test_stored_value_is_scrubbed_by_its_paths() -> None:
    """Scrubbing needs no plugin: the paths were stored with the plan (CL-8)."""
    stored = StoredValue(
        {
            "user": "u",
            "password": "hunter2",
            "pin": 1234,
            "list": [{"token": "hunter3"}, {"token": "hunter4"}],
            "by_port": {"80": "hunter5"},
            "gone": None,
        },
        (
            ("password",),
            ("pin",),
            ("list", 1, "token"),
            ("by_port", 80),
            ("gone", "password"),
            ("absent", "password"),
        ),
    )
    assert scrub_value(stored) == StoredValue(
        {
            "user": "u",
            "password": HIDDEN,
            "pin": 0,
            "list": [{"token": "hunter3"}, {"token": HIDDEN}],
            "by_port": {"80": HIDDEN},
            "gone": None,
        },
        stored.secret,
    )
    assert stored.data["password"] == "hunter2"


def test_stored_value_may_be_secret_as_a_whole() -> None:
    """A path without steps means everything."""
    assert scrub_value(StoredValue("hunter2", ((),))).data == HIDDEN
    assert scrub_value(StoredValue({"a": 1}, ((), ("a",)))).data == {}


def test_secret_values_are_the_texts_in_secure_fields() -> None:
    """Every text in a SECURE field counts, however deep (CL-8)."""
    found = secret_values(Everything("text one"))
    assert found >= {"text one", "text two", "data", "listed", "mapped", "nested"}
    assert "shown" not in found
    nested = Nested(anything=[Login("u", "pw-1")], by_host={"a": [Login("u", "pw-2")]})
    assert secret_values(nested) >= {"pw-1", "pw-2"}
    stored = StoredValue(
        {"a": [{"password": "pw-3"}]}, (("a", 0, "password"), ("b", 1))
    )
    assert secret_values(stored) >= {"pw-3"}
    assert secret_values("text") == frozenset()


@attrs.frozen
class Odd:
    pin: int = attrs.field(metadata=SECURE)
    key_path: Path = attrs.field(metadata=SECURE)
    key_id: uuid.UUID = attrs.field(metadata=SECURE)
    auth: bool = attrs.field(metadata=SECURE)


def test_what_shows_as_a_text_is_a_secret_text() -> None:
    """Numbers, paths and ids in SECURE fields are hidden where they are printed."""
    id_ = uuid.UUID(int=7)
    values = secret_values(Odd(483920, Path("/srv/k-71"), id_, True))
    told = f"pin 483920, {id_}, /srv/k-71, True"
    assert hide(told, values) == f"pin {HIDDEN}, {HIDDEN}, {HIDDEN}, True"


def test_resolving_gives_a_copy_that_can_be_revealed() -> None:
    """Every reference is resolved, wherever it is; the plan's own request is as before."""
    ref = SecretRef("env:TOKEN")
    request = Refs(
        token=ref,
        headers={"Authorization": ref, "Accept": "text/html"},
        many=(ref,),
        inner=[
            {"deep": Data("pw-1234", ref)},
            OrderedDict(a=ref),
            Row("h", Login("u", "pw-5678")),
        ],
    )
    resolved, values = resolve(request, {"env": {"TOKEN": "hunter2"}.__getitem__})
    assert isinstance(resolved, Refs)
    assert resolved.token is not None
    assert resolved.token.reveal() == "hunter2"
    authorization = resolved.headers["Authorization"]
    assert isinstance(authorization, SecretRef)
    assert authorization.reveal() == "hunter2"
    assert resolved.many[0].reveal() == "hunter2"
    assert resolved.inner[0]["deep"].token.reveal() == "hunter2"
    assert resolved.inner[1]["a"].reveal() == "hunter2"
    assert type(resolved.inner[1]) is OrderedDict
    assert resolved == request
    assert values >= {"hunter2", "pw-1234", "pw-5678"}
    assert not hide("h user text/html", values).count(HIDDEN)
    with pytest.raises(SecretError):
        ref.reveal()


def test_each_reference_is_looked_up_once() -> None:
    """One call looks a secret up once, however often the request refers to it."""
    calls: list[str] = []

    def lookup(name: str) -> str:
        calls.append(name)
        return name * 4

    refs = SecretRef("env:A"), SecretRef("env:B"), SecretRef("env:A")
    resolve(Refs(many=refs), {"env": lookup})
    assert calls == ["A", "B"]


@pytest.mark.parametrize(
    "request_", [None, "text", 3, Login("u", "p"), Refs(), Refs(inner=[{"a": (1,)}])]
)
def test_request_without_references_stays_the_same(request_: object) -> None:
    """Where there is nothing to resolve, the request itself is given."""
    assert resolve(request_, {})[0] is request_


def test_values_of_secure_fields_are_told_without_references() -> None:
    """The texts of SECURE fields are to be hidden from output too (CL-8)."""
    assert "hunter2" in resolve(Login("u", "hunter2"), {})[1]


def test_reference_itself_may_be_a_request() -> None:
    """A bare reference is resolved like any other."""
    resolved, values = resolve(SecretRef("env:A"), {"env": lambda _: "hunter2"})
    assert isinstance(resolved, SecretRef)
    assert resolved.reveal() == "hunter2"
    assert "hunter2" in values


def test_unknown_scheme_is_named() -> None:
    """The error names the reference and the schemes there are."""
    with pytest.raises(SecretError, match=r"'vault:x' .* 'vault' \(known: env, file\)"):
        resolve(Refs(token=SecretRef("vault:x")), {"file": str, "env": str})


def test_resolver_that_fails_never_shows_the_value() -> None:
    """A resolver's own error is told; of any other exception only its type is."""

    def told(_: str) -> str:
        message = "no such secret"
        raise SecretError(message)

    def leaks(_: str) -> str:
        message = "cannot parse hunter2"
        raise ValueError(message)

    request = Refs(token=SecretRef("env:TOKEN"))
    with pytest.raises(
        SecretError, match="'env:TOKEN' cannot be resolved: no such secret"
    ):
        resolve(request, {"env": told})
    with pytest.raises(SecretError, match="'env' failed with ValueError") as caught:
        resolve(request, {"env": leaks})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("value", [None, "", 3, b"hunter2"])
def test_resolver_must_give_a_text(value: Any) -> None:
    """What is no text, or empty, is an error that names the reference."""
    with pytest.raises(
        SecretError, match=r"'env:TOKEN' .* instead of a text"
    ) as caught:
        resolve(Refs(token=SecretRef("env:TOKEN")), {"env": lambda _: value})
    assert "hunter2" not in str(caught.value)


@attrs.frozen
class Given:
    text: str
    raw: bytes = b""
    more: tuple[Given, ...] = ()
    by_name: dict[str, list[str]] = attrs.field(factory=dict[str, list[str]])
    place: PurePosixPath = attrs.field(factory=PurePosixPath)


def test_what_a_plugin_gave_is_hidden_in_all_of_its_texts() -> None:
    """Texts, bytes and keys, however deep; classes stay, and so does the original (CL-8)."""
    inner = Given("hunter2")
    given = Given(
        "is hunter2",
        b"\xffhunter2",
        (inner,),
        {"hunter2": ["a", "hunter2"]},
        PurePosixPath("/srv/hunter2/x"),
    )

    hidden = hide_within(given, {"hunter2"})

    assert hidden == Given(
        f"is {HIDDEN}",
        b"\xff" + HIDDEN.encode(),
        (Given(HIDDEN),),
        {HIDDEN: ["a", HIDDEN]},
        PurePosixPath(f"/srv/{HIDDEN}/x"),
    )
    assert given.text == "is hunter2"
    assert given.more == (inner,)


@pytest.mark.parametrize(
    "given",
    [None, 7, Given("fine", b"fine", (Given("x"),), {"a": ["b"]}), {"a": {1, 2}}],
)
def test_what_has_no_secret_is_left_as_it_is(given: object) -> None:
    """Nothing is copied where nothing is hidden."""
    assert hide_within(given, {"hunter2"}) is given


# -- References of any kind ------------------------------------------------------------


@attrs.frozen
class Elsewhere(Reference):
    """Stands for a value that something else knows."""

    name: str

    def resolved(self, value: Any) -> Any:
        """The value itself."""
        return value


@attrs.frozen
class Mixed:
    anything: Any
    several: list[Any]
    by_name: dict[str, Any]
    plain: tuple[int, ...] = (1, 2)
    token: SecretRef | None = None


def test_references_of_any_kind_are_found_and_filled_in() -> None:
    """Each is met once, in order; what stands in its place, it says itself."""
    host, port, token = Elsewhere("host"), Elsewhere("port"), SecretRef("env:TOKEN")
    request = Mixed(host, [port, (host,)], {"a": port, "b": 3}, token=token)

    found = references(request)
    made = filled(request, {host: "web-1", port: [80, 81], token: "s3cr3t"})

    assert found == (host, port, token)
    assert secret_references(request) == (token,)
    assert (made.anything, made.several) == ("web-1", [[80, 81], ("web-1",)])
    assert made.by_name == {"a": [80, 81], "b": 3}
    assert made.token.reveal() == "s3cr3t"
    assert made.plain is request.plain
    assert request == Mixed(host, [port, (host,)], {"a": port, "b": 3}, token=token)
    assert "s3cr3t" in texts_to_hide(made)
