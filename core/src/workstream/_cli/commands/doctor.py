"""``workstream doctor``."""

from __future__ import annotations

import platform
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import redirect_stdout
from datetime import timedelta
from enum import Enum
from importlib.metadata import version
from typing import Any
from uuid import UUID

import attrs
import trio

from ..._codec.codec import Codec
from ..._observers.cursors import Cursors, folder, owing
from ..._plan.walk import actions
from ..._protocols.vault import Owner, PlanRow, StoredPlan, Vault, owner_text
from ..._registry.host import Host, discover
from ..._registry.registry import Registry
from ..._runtime.plugin_init import init_plugins
from ..._store.ids import named
from ..._validation.validation import check_resumable
from ..._values import folding
from ..._values.clock import utc_now
from ..._values.display import shorten
from ..._values.errors import (
    NotFoundError,
    PlanCorruptError,
    StoreFormatError,
    WorkstreamError,
)
from ..._values.state import Status
from ..._vaults.lmdb.health import StoreHealth
from ..._vaults.lmdb.vault import LmdbVault
from ..call import (
    Call,
    command,
    existing_store,
    json_option,
    run_async,
    store_option,
    typed,
)
from ..draw.screen import Screen, counted, joined, plain, size
from ..streams import ExitCode, Refusal

LITTLE_ROOM = 256 * 2**20
"""Bytes; with less room on its disk, a store is soon in trouble."""
_NEARLY_FULL = 0.8
"""The share of what the store may become."""
_FORGOTTEN = timedelta(days=1)
"""A plan that was submitted longer ago and never started will hardly be."""


@command("doctor", store_option, json_option)
def doctor(call: Call) -> int:
    """Look for what is wrong, and say what to do.

    The store: whether it opens, how large it is and may become, the space on its disk,
    who can open it. The plans: whether each can be read, what runs where, what has
    crashed. The plugins: which were left out, and which cannot be made ready for use
    (`init`). The programs that they start. The command clears what dead readers left in
    the store. It runs and changes no plan.

    Exit status: 0 all is well, 1 there is something to do.
    """
    checkup = Checkup(call)
    # What plugins print as they are made ready is not what was found.
    with call.screen.busy("looking at everything"), redirect_stdout(sys.stderr):
        run_async(checkup.run)
    findings = checkup.findings
    is_well = all(finding.level is not Level.PROBLEM for finding in findings)
    told = [{**attrs.asdict(each), "level": each.level.value} for each in findings]
    call.answer({"healthy": is_well, "findings": told, "store": checkup.store_data})
    if not call.as_json:
        _show_findings(call.screen, findings)
    return ExitCode.COMPLETED if is_well else ExitCode.FAILED


class Level(Enum):
    """How much a finding matters."""

    OK = "ok"
    """It is as it should be."""
    NOTE = "note"
    """Worth knowing; nothing has to be done."""
    PROBLEM = "problem"
    """Something is to be done."""


@attrs.frozen
class Finding:
    """One thing that was looked at.

    Attributes:
        area: What it is about: ``engine``, ``store``, ``plans``, ``plugins``,
            ``programs``.
        level: How much it matters.
        message: What was found.
        remedy: What to do, a command where there is one; ``""`` when all is well.
    """

    area: str
    level: Level
    message: str
    remedy: str = ""


class Checkup:
    """One look at everything.

    Attributes:
        findings: What was found, in order.
        store_data: The store in numbers, for ``--json``; None when it has none.
    """

    def __init__(self, call: Call) -> None:
        """Prepare to look at the call's store."""
        self.findings: list[Finding] = []
        self.store_data: dict[str, Any] | None = None
        self._call = call
        self._area = "engine"
        self._used: set[str] = set()

    async def run(self) -> None:
        """Look at everything; whatever is wrong with one thing, the others are seen."""
        self._engine()
        host = discover()
        registry = Registry.installed(host)
        self._area = "store"
        await self._stored(registry)
        await self._plugins(host, registry)

    def _ok(self, message: str) -> None:
        self.findings.append(Finding(self._area, Level.OK, message))

    def _note(self, message: str, remedy: str) -> None:
        self.findings.append(Finding(self._area, Level.NOTE, message, remedy))

    def _problem(self, message: str, remedy: str) -> None:
        self.findings.append(Finding(self._area, Level.PROBLEM, message, remedy))

    def _missing(self, plugins: Iterable[str], message: str, remedy: str) -> None:
        """Something that these plugins lack: a problem once a stored plan uses one."""
        if self._used.isdisjoint(plugins):
            self._note(message, f"nothing, until a plan uses it; then: {remedy}")
        else:
            self._problem(message, remedy)

    def _engine(self) -> None:
        names = ("workstream-engine", "trio", "lmdb")
        versions = ", ".join(f"{name} {version(name)}" for name in names)
        self._ok(f"{versions}, Python {platform.python_version()}")

    # -- The store -------------------------------------------------------------------

    async def _stored(self, registry: Registry) -> None:
        try:
            vault = existing_store(self._call.store)
        except Refusal as refusal:
            self._note(refusal.message, "nothing, if this is the store that you mean")
            return
        except WorkstreamError as error:
            self._problem(str(error), "name a store by --store")
            return
        try:
            await vault.open()
            try:
                await self._look_into(vault, registry)
            finally:
                with trio.CancelScope(shield=True):
                    await vault.close()
        except StoreFormatError as error:
            self._lost(str(error))
        except WorkstreamError as error:
            self._problem(str(error), "mend that, and look again")

    def _lost(self, message: str) -> None:
        restore = typed("restore", "BACKUP", "--store", "DIR")
        self._problem(message, f"if it is lost, make another: {restore}")

    async def _look_into(self, vault: Vault, registry: Registry) -> None:
        if isinstance(vault, LmdbVault):
            damage = await vault.damage()
            if damage is not None:
                self._lost(damage)
                return  # whoever reads on may come to harm
            health = await vault.health()
            self._directory(health)
            await self._index(vault)
            ids: Collection[UUID] = health.plans
        else:
            ids = [row.id for row in await vault.search()]
            self._ok(f"it opens, and holds {len(ids):,} plans")
        self._area = "plans"
        await self._plans(vault, ids, registry)
        if isinstance(vault, LmdbVault):
            await self._observers(vault)

    async def _index(self, vault: LmdbVault) -> None:
        wrong = await vault.wrong_index()
        if not wrong:
            self._ok("its index is in order")
            return
        await vault.build_index()
        what = f"its index was wrong ({counted(wrong, 'key')}): it is built anew"
        self._note(what, "nothing: it is done; lists may have left plans out before")

    def _directory(self, health: StoreHealth) -> None:
        path = health.path
        self.store_data = {
            "path": str(path),
            "version": health.version,
            "plans": len(health.plans),
            "bytes_on_disk": health.size,
            "bytes_used": health.used,
            "bytes_at_most": health.map_size,
            "bytes_free_on_disk": health.disk_free,
            "readers": health.readers,
            "readers_cleared": health.readers_cleared,
        }
        self._ok(f"{path}: version {health.version}, {size(health.size)} on the disk")
        share = health.used / health.map_size
        room = f"{size(health.used)} of {size(health.map_size)} used ({share:.0%})"
        if share < _NEARLY_FULL:
            self._ok(room)
        else:
            prune = self._call.command("prune", None, "--older-than", "30d")
            remedy = f"{prune}; or open it with a larger map_size"
            self._problem(f"the store is nearly full: {room}", remedy)
        free = f"{size(health.disk_free)} free on its disk"
        if health.disk_free >= LITTLE_ROOM:
            self._ok(free)
        else:
            trouble = f"only {free}: when it is full, runs break off"
            self._problem(trouble, "make room there")
        for name in health.open_to_others:
            place, mode = (path, "700") if name == "." else (path / name, "600")
            self._problem(
                f"others than its owner may open {place}: plans can hold secrets",
                shlex.join(["chmod", mode, str(place)]),
            )
        if not health.open_to_others:
            self._ok("only its owner can open it")
        if health.readers_cleared:
            slots = counted(health.readers_cleared, "reader")
            what = f"what {slots} left behind by dying was cleared"
            self._note(what, "nothing: it is done")

    async def _plans(
        self, vault: Vault, ids: Collection[UUID], registry: Registry
    ) -> None:
        counts: Counter[Status] = Counter()
        unreadable = forgotten = 0
        # What can be read as plain data need not fit the types that plugins have now.
        plain, typed = Codec(None), Codec(registry)
        for plan_id in ids:
            try:
                owner = await vault.owner(plan_id)
                stored = await vault.read(plan_id)
                plan = plain.load(stored)
            except NotFoundError:
                continue  # deleted meanwhile
            except WorkstreamError as error:
                unreadable += 1
                delete = self._call.command("delete", plan_id)
                self._problem(str(error), f"restore a backup, or give it up: {delete}")
                continue
            counts[stored.row.status] += 1
            self._used.update(action.plugin for action in actions(plan))
            if stored.row.status is Status.RUNNING:
                self._running(stored.row, owner)
            if stored.row.status in (Status.RUNNING, Status.NOT_STARTED):
                self._fits(typed, stored, registry)
            forgotten += _is_forgotten(stored.row)
            await trio.lowlevel.checkpoint()
        if forgotten:
            age = ("--older-than", "1d", "--status", "not-started")
            self._note(
                f"{counted(forgotten, 'plan')} submitted over a day ago, never started",
                self._call.command("prune", None, *age),
            )
        told = ", ".join(
            f"{counts[status]:,} {status.name.lower().replace('_', ' ')}"
            for status in Status
            if counts[status]
        )
        if not unreadable:
            self._ok(
                f"every plan can be read: {told}" if told else "there are none yet"
            )

    async def _observers(self, vault: LmdbVault) -> None:
        """Tell of observers that have not taken the end of a plan (OB-2)."""
        for name in owing(vault):
            owed = Cursors.beside(vault, name).owed()
            rows = await vault.search(ids=owed)
            left = sum(row.status.is_terminal for row in rows)
            if left:
                self._note(
                    f"observer {name!r} has not taken all of {counted(left, 'plan')} that"
                    " ended",
                    "the next run on this store tells it; if it fails, the run's log says"
                    f" why; to give up: rm -r {shlex.quote(str(folder(vault, name)))}",
                )

    def _fits(self, typed: Codec, stored: StoredPlan, registry: Registry) -> None:
        row = stored.row
        missing: list[str] = []
        try:
            faults = check_resumable(typed.load(stored), registry)
            changed = [str(each) for each in faults if each.rule == "STO-14"]
            missing = [e.message for e in faults if e.rule in ("V-15", "REG-6")]
        except PlanCorruptError as error:
            changed = [str(error)]
        # What runs, or has crashed, cannot be deleted.
        verb = "delete" if row.status is Status.NOT_STARTED else "abandon"
        name, give_up = named(row.name, row.id), self._call.command(verb, row.id)
        if missing:
            self._problem(
                f"{name} cannot go on here: {'; '.join(dict.fromkeys(missing))}",
                f"mend that before it goes on, or give it up: {give_up}",
            )
        if changed:
            self._problem(
                f"{name} does not fit its plugins: {'; '.join(changed)}",
                f"install that version before it goes on, or give it up: {give_up}",
            )

    def _running(self, row: PlanRow, owner: Owner | None) -> None:
        name = named(row.name, row.id)
        if owner is None:
            resume = self._call.command("resume", row.id)
            self._problem(f"{name} has crashed: no process runs it", resume)
        elif isinstance(owner, str) or owner > 0:
            self._ok(f"{name} is run by {owner_text(owner)}")
        else:  # the system tells no number across containers
            self._ok(f"{name} is run by a process of another container")

    # -- Plugins -------------------------------------------------------------------

    async def _plugins(self, host: Host, registry: Registry) -> None:
        self._area = "plugins"
        registry.freeze()
        await init_plugins(registry)
        self._left_out(host)
        usable = [name for name in registry.names if name not in registry.unusable]
        for name in registry.names:
            if name not in usable:
                self._missing(
                    [name],
                    f"{name} cannot be used: {registry.unusable[name]}",
                    "mend what it says; plans that use it are refused until then",
                )
        if usable:
            packages = dict.fromkeys(name.partition(".")[0] for name in usable)
            self._ok(f"{len(usable):,} ready for use, of {', '.join(packages)}")
        elif not registry.names:
            self._note(
                "there are none, so no plan can run",
                "install some, such as workstream-command",
            )
        self._area = "programs"
        self._programs(registry)

    def _left_out(self, host: Host) -> None:
        for each in host.left_out:
            if each.deliberate:
                self._note(f"{each}", "nothing, if that is what you want")
            elif each.package:
                self._problem(
                    f"{each}",
                    f"mend it, or: {shlex.join(['pip', 'uninstall', each.package])}",
                )
            else:
                self._problem(f"{each}", "mend WORKSTREAM_PLUGINS")

    def _programs(self, registry: Registry) -> None:
        wanted: dict[str, list[str]] = {}
        for plugin in registry:
            for program in plugin.requires_programs:
                wanted.setdefault(program, []).append(plugin.name)
        missing = [program for program in sorted(wanted) if not shutil.which(program)]
        for program in missing:
            users = wanted[program]
            who = f"{folding.named(users, len(users))} start{'' if len(users) > 1 else 's'}"
            self._missing(
                users,
                f"there is no program {shorten(program)}, which {who}",
                "install it, or put its directory into PATH",
            )
        found = sorted(wanted.keys() - set(missing))
        if found:
            self._ok(f"found: {', '.join(map(shorten, found))}")


def _is_forgotten(row: PlanRow) -> bool:
    return (
        row.status is Status.NOT_STARTED
        and row.submitted is not None
        and utc_now() - row.submitted > _FORGOTTEN
    )


def _show_findings(screen: Screen, findings: Sequence[Finding]) -> None:
    """Write the findings, those of each area together, and how many are problems."""
    signs = {
        Level.OK: (screen.signs.completed, "green"),
        Level.NOTE: (screen.signs.waiting, "yellow"),
        Level.PROBLEM: (screen.signs.failed, "red"),
    }
    for area in dict.fromkeys(finding.area for finding in findings):
        screen.line(plain(area, "bold"))
        for finding in findings:
            if finding.area == area:
                sign, style = signs[finding.level]
                screen.line(joined((f"{sign} ", style), finding.message), indent=2)
                if finding.remedy:
                    what = "to do" if finding.level is Level.PROBLEM else "if you like"
                    screen.hint(what, finding.remedy, indent=6)
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    if problems:
        things = "one thing" if problems == 1 else f"{problems:,} things"
        screen.line(plain(f"{things} to do", "bold red"))
    else:
        screen.line(plain("all is well", "bold green"))
