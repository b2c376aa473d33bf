"""Real hosts on the loopback interface: an sshd each, with a home of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, TypeVar
from uuid import UUID, uuid4

import attrs
import pytest
import trio
from trio.testing import MockClock

from workstream import Context, PluginError
from workstream.plugins import NoSignals, NoteValue
from workstream_ssh import (
    Connections,
    CopyFrom,
    CopyResult,
    CopyTo,
    Host,
    Limits,
    RunOn,
    RunResult,
    ShellOn,
    SshCheck,
    SshCopy,
    SshRun,
)

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds after which a hang is taken for a failure."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = {
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "setsid": "util-linux",
    "useradd": "passwd",
    "sudo": "sudo",
    "doas": "opendoas",
}


def program(name: str) -> str:
    """The path of a program that the tests need; without it they are skipped."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")
    if path is None:
        pytest.skip(f"there is no {name} here (Debian has it in {PACKAGES[name]})")
    return path


def processes(home: Path) -> dict[int, str]:
    """What runs on a host, by the variable that all its processes inherit."""
    mark = f"WORKSTREAM_TEST_HOME={home}".encode()
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            state = (entry / "stat").read_text(errors="replace").rpartition(")")[2][1]
            if state in "ZX" or mark not in (entry / "environ").read_bytes().split(
                b"\0"
            ):
                continue
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            found[int(entry.name)] = words.decode(errors="replace")
    return found


class Gate:
    """A named pipe: whoever comes first waits for the other.

    Attributes:
        path: Where it is. A command waits with ``read line <gate``, and tells with
            ``echo >gate``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    async def open(self) -> None:
        """Let a command that waits go on, as soon as it does."""
        await self._do(self.path.write_text, "\n")

    async def wait(self) -> str:
        """Wait until a command tells something."""
        return await self._do(self.path.read_text)

    async def _do(self, function: Callable[..., T], *args: object) -> T:
        with trio.fail_after(PATIENCE):
            return await trio.to_thread.run_sync(
                function, *args, abandon_on_cancel=True
            )


class Machine:
    """One "host": a port of this machine, with a home directory of its own.

    Attributes:
        home: Its home directory.
        port: Where its sshd listens.
        key: The file of its host key.
        host: How to come to it.
    """

    def __init__(
        self, home: Path, port: int, key: Path, client: Path, known: Path, extra: str
    ) -> None:
        self.home = home
        self.port = port
        self.key = key
        self.host = Host(
            "127.0.0.1",
            port=port,
            identity_file=str(client),
            known_hosts_file=str(known),
        )
        self._config = home.with_suffix(".conf")
        self._config.write_text(
            f"ListenAddress 127.0.0.1:{port}\n"
            f"HostKey {key}\n"
            f"AuthorizedKeysFile {client}.pub\n"
            "PidFile none\n"
            "StrictModes no\n"
            "UsePAM no\n"
            "PasswordAuthentication no\n"
            f"SetEnv HOME={home} WORKSTREAM_TEST_HOME={home}\n"
            f"{extra}\n"
        )
        self._sshd: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Have its sshd listen."""
        command = [program("sshd"), "-D", "-e", "-f", str(self._config)]
        self._sshd = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._sshd.stderr is not None
        said = ""
        for line in self._sshd.stderr:
            said += line
            if "Server listening" in line:
                return
        raise AssertionError(said)

    async def wait_for_login(self) -> None:
        """Wait until somebody has made a connection; each counts once."""
        assert self._sshd is not None
        stream = self._sshd.stderr
        assert stream is not None
        with trio.fail_after(PATIENCE):
            while True:
                line = await trio.to_thread.run_sync(
                    stream.readline, abandon_on_cancel=True
                )
                assert line, "sshd has ended"
                if "Accepted publickey" in line:
                    return

    def connections(self) -> list[int]:
        """The processes of its sshd that serve a connection each."""
        assert self._sshd is not None
        return _children(self._sshd.pid)

    def disconnect(self) -> None:
        """Cut all connections, as a network that fails does."""
        for pid in [p for top in self.connections() for p in (*_children(top), top)]:
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                if "sshd" in Path(f"/proc/{pid}/comm").read_text():
                    os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Nobody listens any more, and all connections are cut."""
        if self._sshd is not None:
            self.disconnect()
            self._sshd.kill()
            with self._sshd:
                pass
            self._sshd = None

    def running(self) -> dict[int, str]:
        """What runs on it."""
        return processes(self.home)

    def wait_until_idle(self) -> None:
        """Wait until nothing runs on it that was begun there."""
        while found := self.running():
            for pid in found:
                wait_for_end(pid)

    def crash(self) -> None:
        """Kill all that runs on it, as a power cut does."""
        self.stop()
        while found := self.running():
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in found:
                wait_for_end(pid)

    def gate(self, name: str = "gate") -> Gate:
        """A pipe by which a test and a command on the host wait for one another."""
        os.mkfifo(self.home / name)
        return Gate(self.home / name)

    def jobs(self) -> list[Path]:
        """What the host remembers of commands."""
        return sorted((self.home / ".workstream" / "jobs").glob("[!.]*"))


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def wait_for_end(pid: int) -> None:
    """Wait for the end of a process that need not be our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        assert poll.poll(PATIENCE * 1000), f"process {pid} does not end"
    finally:
        os.close(fd)


@attrs.define
class Recorder(NoSignals):
    """A context that keeps what it is told, and lets a test wait for it."""

    plan_id: UUID = attrs.field(factory=uuid4)
    action_id: UUID = attrs.field(factory=uuid4)
    path: str = "Plan / Block / Sequence / Action"
    attempt: int = 1
    deadline: datetime | None = None
    idempotency_key: str = attrs.field(factory=lambda: str(uuid4()))
    notes: Mapping[str, NoteValue] = attrs.field(factory=dict[str, NoteValue])
    lines: list[str] = attrs.field(factory=list[str])
    keep_lines: bool = True
    _told: trio.Event = attrs.field(factory=trio.Event)

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        if self.keep_lines:
            self.lines.append(message)
        self._told.set()
        self._told = trio.Event()

    async def remember(self, **notes: NoteValue) -> None:
        self.notes = {**self.notes, **notes}

    def again(self) -> Recorder:
        """The context of the next attempt of the same action."""
        return Recorder(
            plan_id=self.plan_id,
            action_id=self.action_id,
            attempt=self.attempt + 1,
            idempotency_key=self.idempotency_key,
            notes=dict(self.notes),
        )

    async def until(self, text: str) -> None:
        """Wait until a line that holds this text was reported."""
        with trio.fail_after(PATIENCE):
            while not any(text in line for line in self.lines):
                await self._told.wait()


def is_a_context(recorder: Recorder) -> Context:
    """Let the type checkers see that a Recorder is what plugins are given."""
    return recorder


class Client:
    """The plugins of one engine, called as the engine calls them."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.run_plugin = SshRun(connections)
        self.check_plugin = SshCheck(connections)
        self.copy_plugin = SshCopy(connections)

    async def run(
        self, request: RunOn | ShellOn, context: Recorder | None = None
    ) -> RunResult:
        """One attempt of ``ssh.run``."""
        with trio.fail_after(PATIENCE):
            return await self.run_plugin.execute(context or Recorder(), request)

    async def reconcile(self, request: RunOn | ShellOn, context: Recorder) -> object:
        """What a crash means to ``ssh.run``."""
        with trio.fail_after(PATIENCE):
            return await self.run_plugin.reconcile(context, request)

    async def check(
        self, request: RunOn | ShellOn, context: Recorder | None = None
    ) -> RunResult:
        """One attempt of ``ssh.check``."""
        with trio.fail_after(PATIENCE):
            return await self.check_plugin.execute(context or Recorder(), request)

    async def copy(
        self, request: CopyTo | CopyFrom, context: Recorder | None = None
    ) -> CopyResult:
        """One attempt of ``ssh.copy``."""
        with trio.fail_after(PATIENCE):
            return await self.copy_plugin.execute(context or Recorder(), request)

    async def error(
        self, request: RunOn | ShellOn, context: Recorder | None = None
    ) -> PluginError:
        """The error of an attempt of ``ssh.run`` that fails."""
        with pytest.raises(PluginError) as caught:
            await self.run(request, context)
        return caught.value

    async def copy_error(
        self, request: CopyTo | CopyFrom, context: Recorder | None = None
    ) -> PluginError:
        """The error of an attempt of ``ssh.copy`` that fails."""
        with pytest.raises(PluginError) as caught:
            await self.copy(request, context)
        return caught.value


class MakeMachine(Protocol):
    """What the fixture ``make_machine`` gives."""

    def __call__(self, name: str = ..., *, extra: str = ...) -> Machine: ...


class MakeClient(Protocol):
    """What the fixture ``make_client`` gives."""

    def __call__(self, limits: Limits | None = ...) -> Client: ...


def make_keys(path: Path) -> Path:
    """A new pair of keys."""
    command = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="session")
def client_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key that all hosts let in."""
    return make_keys(tmp_path_factory.mktemp("client") / "id_ed25519")


@pytest.fixture(scope="session")
def host_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key that hosts show."""
    return make_keys(tmp_path_factory.mktemp("host") / "host_ed25519")


@pytest.fixture
def make_machine(
    tmp_path: Path, client_key: Path, host_key: Path
) -> Iterator[MakeMachine]:
    """Makes hosts; none of them, and nothing on them, outlives the test."""
    for name in ("ssh", "setsid"):
        program(name)
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd insists on it
    known = tmp_path / "known_hosts"
    with ExitStack() as stack:

        def make(name: str = "web-1", *, extra: str = "") -> Machine:
            home = tmp_path / name
            home.mkdir(exist_ok=True)
            port = free_port()
            machine = Machine(home, port, host_key, client_key, known, extra)
            public = host_key.with_suffix(".pub").read_text()
            with known.open("a") as file:
                file.write(f"[127.0.0.1]:{port} {public}")
            stack.callback(machine.crash)
            machine.start()
            return machine

        yield make


@attrs.frozen
class Login:
    """A user of this machine who is not root, and a host that lets that user in.

    Attributes:
        name: The user's name.
        password: What sudo asks for.
        machine: The host.
    """

    name: str
    password: str
    machine: Machine

    @property
    def place(self) -> str:
        """Where the host keeps what it knows of root's commands: not in root's home."""
        return f"{self.machine.home}/.workstream-root"

    def allow(self, *rules: str) -> None:
        """Have sudo obey these rules."""
        # What runs as root is found by this variable when the test has ended.
        keep = f'Defaults:{self.name} env_keep += "WORKSTREAM_TEST_HOME"'
        path = Path("/etc/sudoers.d", self.name)
        path.write_text("".join(f"{line}\n" for line in (keep, *rules)))
        path.chmod(0o440)

    def allow_all(self) -> None:
        """Have sudo let the user do everything, and ask nothing."""
        self.allow(f"{self.name} ALL=(ALL) NOPASSWD: ALL")


@pytest.fixture
def login(client_key: Path, host_key: Path) -> Iterator[Login]:
    """A user who is not root, and may not yet become root either."""
    if os.getuid() != 0:
        pytest.skip("users are made here (it takes root)")
    for name in ("ssh", "setsid", "sudo", "useradd"):
        program(name)
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    with ExitStack() as stack:
        # Not in pytest's directory, which is closed to all other users.
        root = Path(stack.enter_context(TemporaryDirectory(prefix="workstream-ssh-")))
        root.chmod(0o755)
        name, password, home = f"ws-{uuid4().hex[:10]}", uuid4().hex, root / "home"
        add = ["useradd", "-d", str(home), "-M", "-s", "/bin/bash", name]
        subprocess.run(add, check=True)
        # Its last session may still be going.
        stack.callback(subprocess.run, ["userdel", "--force", name], check=True)
        known = f"{name}:{password}"
        subprocess.run(["chpasswd"], input=known, text=True, check=True)
        stack.callback(Path("/etc/sudoers.d", name).unlink, missing_ok=True)
        home.mkdir()
        shutil.chown(home, name, name)
        key = root / "id"
        for suffix in ("", ".pub"):
            shutil.copy(f"{client_key}{suffix}", f"{key}{suffix}")
        port = free_port()
        public = host_key.with_suffix(".pub").read_text()
        (root / "known").write_text(f"[127.0.0.1]:{port} {public}")
        machine = Machine(home, port, host_key, key, root / "known", "")
        machine.host = attrs.evolve(machine.host, user=name)
        stack.callback(machine.crash)
        machine.start()
        yield Login(name, password, machine)


@pytest.fixture
def doas(login: Login) -> Iterator[Login]:
    """The user, whom doas lets do everything and asks nothing."""
    program("doas")
    path = Path("/etc/doas.conf")
    rule = f"permit nopass setenv {{ WORKSTREAM_TEST_HOME }} {login.name}\n"

    def change(before: str, after: str) -> None:
        with path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            text = file.read()
            file.seek(0)
            file.truncate()
            file.write(text.replace(before, "") + after)

    was_there = path.exists()
    change(rule, rule)
    yield login
    change(rule, "")
    if not was_there and not path.read_text():
        path.unlink()  # without rules it says no more than if it were not there


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for one megabyte, within a host's home."""
    path = tmp_path / "web-1" / "disk"
    path.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(path)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("mount may not be used here (it takes root)")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def machine(make_machine: MakeMachine) -> Machine:
    """A host."""
    return make_machine()


@pytest.fixture
def host(machine: Machine) -> Host:
    """How to come to the host."""
    return machine.host


@pytest.fixture
def clock() -> MockClock:
    """A clock that runs as real ones do, and can be put forward."""
    return MockClock(rate=1)


@pytest.fixture
def context() -> Recorder:
    """What a plugin is told about an attempt."""
    return Recorder()


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    """Makes engines' worth of plugins, and ends their connections."""
    with ExitStack() as stack:

        def make(limits: Limits | None = None) -> Client:
            connections = Connections(limits)
            stack.callback(connections.close)
            return Client(connections)

        yield make


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    """The plugins."""
    return make_client()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
