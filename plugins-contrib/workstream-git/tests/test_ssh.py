"""A real sshd, and all that keeps git from it: each is told apart, with its cure."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from quickly import one_in

from workstream import PluginError
from workstream_git import CloneRequest, FetchRequest, GitClone, GitFetch

if TYPE_CHECKING:
    from conftest import Perform, Repo

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str, package: str) -> str:
    """The path of a program that the tests need; without it they are skipped."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")
    if path is None:
        pytest.skip(f"there is no {name} here (Debian has it in {package})")
    return path


def new_key(path: Path, passphrase: str = "") -> Path:
    """Make a key pair."""
    keygen = program("ssh-keygen", "openssh-client")
    subprocess.run(
        [keygen, "-q", "-t", "ed25519", "-N", passphrase, "-f", path], check=True
    )
    return path


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@attrs.frozen
class Server:
    """An sshd.

    Attributes:
        folder: Where its files, and those of its clients, are.
        port: Where it listens.
        key: The private key that it lets in.
        known: A file that has its host key.
        origin: The repository.
    """

    folder: Path
    port: int
    key: Path
    known: Path
    origin: Path

    def request(self, tree: Path, **fields: Any) -> CloneRequest:
        """A clone that works, but for these fields."""
        all_fields: dict[str, Any] = {
            "url": self.url(),
            "path": str(tree),
            "ssh_key_file": str(self.key),
            "ssh_known_hosts_file": str(self.known),
            **fields,
        }
        return CloneRequest(**all_fields)

    def url(self, host: str = "127.0.0.1", port: int | None = None) -> str:
        """The repository's address."""
        return f"ssh://{getpass.getuser()}@{host}:{port or self.port}{self.origin}"


@pytest.fixture
def server(origin: Repo, tmp_path: Path) -> Iterator[Server]:
    """An sshd of the test's own, on the loopback interface."""
    folder = tmp_path / "ssh"
    folder.mkdir()
    port = free_port()
    host_key, key = new_key(folder / "host"), new_key(folder / "client")
    known = folder / "known_hosts"
    words = host_key.with_suffix(".pub").read_text().split()
    known.write_text(f"[127.0.0.1]:{port} {words[0]} {words[1]}\n")
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\n"
        f"HostKey {host_key}\n"
        f"AuthorizedKeysFile {key}.pub\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
    )
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd insists on it
    sshd = subprocess.Popen(
        [program("sshd", "openssh-server"), "-D", "-e", "-f", str(config)],
        stderr=subprocess.PIPE,
        text=True,
    )
    with sshd:
        assert sshd.stderr is not None
        said = ""
        for line in sshd.stderr:
            said += line
            if "Server listening" in line:
                break
        else:
            raise AssertionError(said)
        yield Server(folder, port, key, known, origin.path)
        sshd.kill()


@pytest.mark.slow
def test_a_clone_over_ssh_works(server: Server, tree: Path, perform: Perform) -> None:
    """With the right key and the host's own key nothing stands against it."""
    assert perform(GitClone(), server.request(tree)).changed
    fetch = FetchRequest(
        path=str(tree),
        ssh_key_file=str(server.key),
        ssh_known_hosts_file=str(server.known),
    )
    assert not perform(GitFetch(), fetch).changed


def changes(problem: str, server: Server) -> dict[str, Any]:
    """What makes a clone fail."""
    folder = server.folder
    match problem:
        case "unknown host":
            (folder / "none").touch()
            return {"ssh_known_hosts_file": f"{folder}/none"}
        case "changed host":
            other = new_key(folder / "other").with_suffix(".pub").read_text()
            words = other.split()
            (folder / "changed").write_text(
                f"[127.0.0.1]:{server.port} {words[0]} {words[1]}\n"
            )
            return {"ssh_known_hosts_file": f"{folder}/changed"}
        case "not admitted":
            return {"ssh_key_file": str(new_key(folder / "stranger"))}
        case "passphrase":
            key = new_key(folder / "locked", "abracadabra")
            shutil.copy(f"{key}.pub", f"{server.key}.pub")
            return {"ssh_key_file": str(key)}
        case "open key":
            shutil.copy(server.key, folder / "open")
            (folder / "open").chmod(0o644)
            return {"ssh_key_file": f"{folder}/open"}
        case "public key":
            shutil.copy(f"{server.key}.pub", folder / "public")
            (folder / "public").chmod(0o600)
            return {"ssh_key_file": f"{folder}/public"}
        case "refused":
            return {"url": server.url(port=free_port())}
        case "no host":
            return {"url": server.url(host="nowhere.invalid")}
        case "no repository":
            return {"url": f"{server.url()}-gone"}
        case _:
            raise AssertionError(problem)


PROBLEMS = [
    (
        "unknown host",
        "the server's host key is not known",
        "ssh_known_hosts_file",
        True,
    ),
    (
        "changed host",
        "shows another host key than the known one",
        "be in between",
        True,
    ),
    ("not admitted", "the server does not let us in", "has the public key for", True),
    ("passphrase", "the server does not let us in|needs a passphrase", "agent", True),
    ("open key", "key may be read by others, so ssh", "give it mode 0600", True),
    ("public key", "no key that ssh can use|not let us in", "private", True),
    ("refused", "nothing listens on the server's port", "has the right port", False),
    ("no host", "there is no host of that name|cannot be looked up", "see ", None),
    ("no repository", "the server has no such repository", "how the URL is", False),
]


@pytest.mark.parametrize(("problem", "what", "cure", "permanent"), one_in(5, PROBLEMS))
def test_each_problem_is_told_with_its_cure(
    problem: str,
    what: str,
    cure: str,
    permanent: bool | None,
    server: Server,
    tree: Path,
    perform: Perform,
) -> None:
    """The cause comes first, then what ssh said, then what to do; nothing is left."""
    request = server.request(tree, **changes(problem, server))

    with pytest.raises(PluginError, match=what) as caught:
        perform(GitClone(), request)

    first, *_, last = caught.value.message.splitlines()
    assert first.startswith("git clone: ")
    assert last.startswith("to do: ")
    assert cure in last
    assert permanent in (None, caught.value.permanent)
    assert caught.value.code == 128
    assert not any(tree.parent.iterdir())


@pytest.mark.parametrize("field", ["ssh_key_file", "ssh_known_hosts_file"])
def test_a_missing_file_is_named_with_its_field(
    field: str, server: Server, tree: Path, perform: Perform
) -> None:
    """ssh would go on without it, and fail for another reason."""
    missing = f"{server.folder}/missing"

    with pytest.raises(PluginError) as caught:
        perform(GitClone(), server.request(tree, **{field: missing}))

    assert caught.value.message == (
        f"{field}: {missing} cannot be read: No such file or directory; make it first, "
        "or name another one"
    )
    assert caught.value.permanent
    with pytest.raises(PluginError, match=r"it is no regular file|Is a directory"):
        perform(GitClone(), server.request(tree, **{field: str(server.folder)}))


def test_a_missing_ssh_is_told(
    server: Server, tree: Path, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's own words say nothing of what to install."""
    monkeypatch.setenv("GIT_SSH", "/no/such/ssh")

    with pytest.raises(
        PluginError, match="the program ssh cannot be started"
    ) as caught:
        perform(GitClone(), server.request(tree))

    assert "Debian has it in openssh-client" in caught.value.message


def test_a_log_level_does_not_hide_the_reason(
    server: Server, tree: Path, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ssh's configuration says, it tells why it failed."""
    config = server.folder / "quiet"
    config.write_text("LogLevel QUIET\n")
    monkeypatch.setenv("GIT_SSH_COMMAND", f"ssh -F {config}")
    request = server.request(tree, **changes("not admitted", server))

    with pytest.raises(PluginError, match="the server does not let us in"):
        perform(GitClone(), request)
