"""What authors say about secrets: marks, references, and values without a plugin."""

from __future__ import annotations

import copy
import pickle

import attrs
import pytest

from workstream._secrets.references import SECURE, SecretRef, StoredValue
from workstream._values.errors import SecretError


@attrs.frozen
class Login:
    token: SecretRef


def test_reference_says_where_a_secret_is_kept() -> None:
    """A reference falls into a scheme and the rest, at its first colon."""
    ref = SecretRef("vault:team/web:token")
    assert (ref.scheme, ref.rest) == ("vault", "team/web:token")


@pytest.mark.parametrize("text", ["hunter2", "", "env:", "env:  ", ":x", "a b:x"])
def test_reference_without_a_scheme_is_refused(text: str) -> None:
    """What has no scheme may be the secret itself, so the error does not repeat it."""
    with pytest.raises(SecretError, match="where a secret is kept") as caught:
        SecretRef(text)
    assert not text or "hunter2" not in str(caught.value)


def test_reference_that_is_no_text_is_refused() -> None:
    """A reference that came from untyped code is checked too."""
    value: object = 3
    with pytest.raises(SecretError):
        SecretRef(value)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_reference_in_a_plan_cannot_be_revealed() -> None:
    """Only the copy that the engine resolved gives the secret."""
    with pytest.raises(SecretError, match="'env:TOKEN' is not resolved"):
        SecretRef("env:TOKEN").reveal()


def test_resolved_reference_shows_its_value_to_nobody_who_does_not_ask() -> None:
    """The value is in no repr, no comparison, no fields, and no pickle."""
    plain = SecretRef("env:TOKEN")
    resolved = plain.resolved("hunter2")
    assert resolved.reveal() == "hunter2"
    assert resolved == plain
    assert hash(resolved) == hash(plain)
    assert "hunter2" not in f"{resolved} {resolved!r} {Login(resolved)}"
    assert attrs.asdict(Login(resolved)) == {"token": {"reference": "env:TOKEN"}}
    again = pickle.loads(pickle.dumps(resolved))
    assert again == plain
    with pytest.raises(SecretError):
        again.reveal()


def test_copy_of_a_request_can_still_be_revealed() -> None:
    """A plugin may copy its request before it asks for the secret."""
    request = Login(SecretRef("env:TOKEN").resolved("hunter2"))
    assert copy.deepcopy(request).token.reveal() == "hunter2"
    assert copy.copy(request.token).reveal() == "hunter2"


def test_stored_value_does_not_print_its_data() -> None:
    """Printing a request without its plugin shows no secret (STO-8, CL-8)."""
    stored = StoredValue({"password": "hunter2"}, (("password",),))
    assert "hunter2" not in repr(stored)
    assert stored == StoredValue({"password": "hunter2"}, (("password",),))


def test_mark_cannot_be_changed() -> None:
    """A mark is shared by all classes that use it."""
    with pytest.raises(TypeError):
        SECURE["workstream.secret"] = "ignore"  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
