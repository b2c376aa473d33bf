"""What the first version of the codec stored is read for ever (STO-7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import attrs

from workstream._codec.codec import Codec
from workstream._plan.plan import Action, Block, Checks, Plan, Sequence
from workstream._plan.walk import give_ids
from workstream._protocols.plugin import ActionPlugin, AnyPlugin, CheckPlugin
from workstream._protocols.vault import StoredPlan
from workstream._secrets.references import SECURE, SecretRef
from workstream._values.state import (
    Attempt,
    FailureReason,
    HaltAfter,
    PluginError,
    State,
    Status,
)

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


@attrs.frozen
class CopyTo:
    host: str
    password: str = attrs.field(default="hunter2", metadata=SECURE)
    token: SecretRef | None = None


@attrs.frozen
class CopyFrom:
    host: str


@attrs.frozen
class Copied:
    files: tuple[str, ...]
    session: str | None = attrs.field(default=None, metadata=SECURE)
    extra: Any = None


class Copy(ActionPlugin[CopyTo | CopyFrom, Copied]):
    name = "t.copy"


class Look(CheckPlugin[CopyFrom, None]):
    name = "t.look"


PLUGINS: Mapping[str, AnyPlugin] = {"t.copy": Copy(), "t.look": Look()}


def checks(key: str | None = None) -> Checks:
    look = Look.action(CopyFrom("a"), name="look", timeout=float("inf"))
    return Checks(actions=[look], delay=1.5, key=key)


def two() -> Sequence:
    none = Action(name="none", plugin="t.copy")
    copy = Copy.action(CopyFrom("b"), name="copy")
    return Sequence(name="two", actions=[copy, none])


def chain() -> PluginError:
    return PluginError(
        "outer",
        code=2**70,
        permanent=True,
        wrapped=PluginError("middle", wrapped=PluginError("inner", code=-1)),
    )


GOLDEN_ID = UUID("01a209a5-97ea-71af-af37-45f900000000")
GOLDEN_DEFINITION = bytes.fromhex(
    "0185a46e616d65a6676f6c64656ea867726f75705f6964c4100000000000000000000000"
    "0000000007a46d657461c4046d657461a6626c6f636b739183a46e616d65a5626c6f636b"
    "a973657175656e6365739182a46e616d65a374776fa7616374696f6e739283a46e616d65"
    "a4636f7079a6706c7567696ea6742e636f7079a7726571756573749284a52474797065a6"
    "436f7079546fa4686f7374a161a870617373776f7264a768756e74657232a5746f6b656e"
    "a9656e763a544f4b454e9191a870617373776f726482a46e616d65a46e6f6e65a6706c75"
    "67696ea6742e636f7079aa68616c745f6166746572a853455155454e4345ab706f73745f"
    "636865636b7383a7616374696f6e739184a46e616d65a46c6f6f6ba6706c7567696ea674"
    "2e6c6f6f6ba7726571756573749181a4686f7374a161a774696d656f7574cb7ff0000000"
    "000000a564656c6179cb3ff8000000000000a36b6579a36b6579"
)
GOLDEN_RECORD = bytes.fromhex(
    "0199a64641494c4544cf000649add44b1240cf000649add44b1240cf000649add44b1240"
    "cf000649add44b12409283a566696c657391a161a773657373696f6ea773657373696f6e"
    "a5657874726191c709010100000000000000009191a773657373696f6e9393a56f757465"
    "72c70901400000000000000000c393a66d6964646c6500c293a5696e6e6572ffc20081a3"
    "70696405"
)
GOLDEN_ROW = bytes.fromhex(
    "019aa64641494c4544a6676f6c64656ea0c41000000000000000000000000000000007cf"
    "000649add44b1240cf000649add44b1240cf000649add44b124091a5424c4f434bc2c0"
)


def golden_plan() -> Plan:
    """What the bytes above were made of; neither must ever change."""
    plan = Plan(
        name="golden",
        group_id=UUID(int=7),
        meta=b"meta",
        blocks=[
            Block(name="block", halt_after=HaltAfter.SEQUENCE, sequences=[two()]),
        ],
        post_checks=checks("key"),
    )
    copy = plan.blocks[0].sequences[0].actions[0]
    copy.request = CopyTo("a", token=SecretRef("env:TOKEN"))
    give_ids(plan, GOLDEN_ID)
    plan.submitted = NOON
    plan.state = State(Status.FAILED, NOON, NOON)
    plan.reasons = (FailureReason.BLOCK,)
    copy.state = State(Status.FAILED, NOON, NOON)
    copy.attempts = [
        Attempt(
            started=NOON,
            ended=NOON,
            response=Copied(("a",), "session", [2**64]),
            error=chain(),
            notes={"pid": 5},
        )
    ]
    return plan


def test_what_version_1_stored_is_read_for_ever() -> None:
    """Bytes that were written by the first version; a new one keeps reading them."""
    codec = Codec(PLUGINS)
    plan = golden_plan()
    copy = plan.blocks[0].sequences[0].actions[0]
    whole = StoredPlan(
        row=codec.decode_row(GOLDEN_ID, GOLDEN_ROW),
        definition=GOLDEN_DEFINITION,
        records=(attrs.evolve(codec.record_of(copy), data=GOLDEN_RECORD),),
        position=0,
        lines={},
    )
    assert codec.load(whole) == plan
