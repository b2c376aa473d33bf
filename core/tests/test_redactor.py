"""What plugins cut is freed of secrets before (CL-8)."""

from __future__ import annotations

import attrs
import pytest

from workstream import SECURE, SecretRef
from workstream._secrets.references import HIDDEN
from workstream.plugins import Redactor


@attrs.frozen
class Ask:
    token: SecretRef
    password: str = attrs.field(metadata=SECURE)
    user: str = "robot"


ASK = Ask(SecretRef("env:T").resolved("tok/en 1234"), "hunter2")


def test_all_secrets_of_a_request_are_taken_out() -> None:
    """References, SECURE texts, and what the plugin adds, in all forms."""
    redactor = Redactor(ASK, also=["/hook/T0K3N"])

    shown = redactor.redact("robot: tok%2Fen%201234, hunter2, at /hook/T0K3N")

    assert shown == f"robot: {HIDDEN}, {HIDDEN}, at {HIDDEN}"


def test_a_part_of_a_request_will_do() -> None:
    """A list of references for example; and it can be asked whether there are any."""
    assert Redactor([(ASK.token,), {"a": 1}]).redact("is tok/en 1234") == f"is {HIDDEN}"
    assert Redactor(ASK)
    assert not Redactor((1, {"a": "b"}))


@pytest.mark.parametrize("length", range(1, 7))
def test_the_beginning_of_a_secret_at_a_cut_is_taken_out(length: int) -> None:
    """From four characters on, and only where the text was cut."""
    text = f"is {'hunter2'[:length]}"

    assert Redactor(ASK).redact(text) == text
    shown = f"is {HIDDEN}" if length >= 4 else text
    assert Redactor(ASK).redact(text, cut=True) == shown
