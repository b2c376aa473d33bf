"""The engine's own resolvers: environment variables, files and keyrings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, NoKeyringError

from workstream._secrets.lookups import resolve_env, resolve_file, resolve_keyring
from workstream._values.errors import SecretError


def test_env_gives_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable's value is taken as it is, blanks included."""
    monkeypatch.setenv("DEPLOY_TOKEN", " hunter2\n")
    assert resolve_env("DEPLOY_TOKEN") == " hunter2\n"


def test_env_names_a_missing_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is not set, or empty, is an error that names it."""
    monkeypatch.delenv("DEPLOY_TOKEN", raising=False)
    with pytest.raises(SecretError, match="DEPLOY_TOKEN is not set: set it"):
        resolve_env("DEPLOY_TOKEN")
    monkeypatch.setenv("DEPLOY_TOKEN", "")
    with pytest.raises(SecretError, match="DEPLOY_TOKEN is empty"):
        resolve_env("DEPLOY_TOKEN")


@pytest.mark.parametrize(
    ("data", "secret"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"hunter2\n\n", "hunter2\n"),
        (b" hunter2 \n", " hunter2 "),
        ("schlüssel\n".encode(), "schlüssel"),
    ],
)
def test_file_loses_one_line_break(tmp_path: Path, data: bytes, secret: str) -> None:
    """Editors end a file with a line break that is no part of the secret."""
    path = tmp_path / "token"
    path.write_bytes(data)
    assert resolve_file(str(path)) == secret


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n"])
def test_empty_file_is_refused(tmp_path: Path, data: bytes) -> None:
    """An empty secret is nearly always a mistake."""
    path = tmp_path / "token"
    path.write_bytes(data)
    with pytest.raises(SecretError, match="token is empty"):
        resolve_file(str(path))


def test_missing_file_is_named(tmp_path: Path) -> None:
    """The error names the file that is not there."""
    with pytest.raises(SecretError, match=r"there is no file /.*nowhere"):
        resolve_file(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("path", ["\0", "~nobody-of-this-name/token"])
def test_impossible_path_is_refused(path: str) -> None:
    """A path that cannot exist is a SecretError like any other."""
    with pytest.raises(SecretError, match="cannot be read"):
        resolve_file(path)


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    """What cannot be read is told with the system's reason."""
    with pytest.raises(SecretError, match="cannot be read: Is a directory"):
        resolve_file(str(tmp_path))


AS_SOMEBODY = """
import os, sys
from workstream._secrets.lookups import resolve_file

if os.geteuid() == 0:  # who can read every file, until then
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for path in sys.argv[1:]:
    try:
        print(resolve_file(path))
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_file_of_others_is_refused() -> None:
    """A file without permission is told with the system's reason."""
    # Not in tmp_path, whose parents nobody else may enter.
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        mine, open_to_all = Path(name, "mine"), Path(name, "open")
        for path, mode in ((mine, 0), (open_to_all, 0o444)):
            path.write_text("hunter2")
            path.chmod(mode)
        command = [sys.executable, "-c", AS_SOMEBODY, str(open_to_all), str(mine)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)

    could, could_not = done.stdout.splitlines()
    assert could == "hunter2"
    assert could_not.startswith("SecretError ")
    assert f"{mine} cannot be read: Permission denied" in could_not


def test_file_that_is_no_text_keeps_its_bytes_to_itself(tmp_path: Path) -> None:
    """The error tells that it is not UTF-8 and shows nothing of what is in it."""
    path = tmp_path / "token"
    path.write_bytes(b"hunter2\xff")
    with pytest.raises(SecretError, match="not a text in UTF-8") as caught:
        resolve_file(str(path))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_file_in_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tilde is the home directory of the user who runs the plan."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "token").write_text("hunter2\n")
    assert resolve_file("~/token") == "hunter2"


class Memory(KeyringBackend):
    """A keyring that a test fills; what it holds may be an exception to raise."""

    priority = 1.0  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    def __init__(self, entries: dict[tuple[str, str], str | Exception]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries = entries

    def get_password(self, service: str, username: str) -> str | None:
        found = self.entries.get((service, username))
        if isinstance(found, Exception):
            raise found
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


@pytest.fixture
def fill() -> Iterator[Callable[..., None]]:
    """Makes a keyring with these entries the user's."""
    before = keyring.get_keyring()

    def fill(entries: dict[tuple[str, str], str | Exception]) -> None:
        keyring.set_keyring(Memory(entries))

    yield fill
    keyring.set_keyring(before)


@pytest.mark.parametrize(
    ("entry", "service", "user"),
    [
        ("deploy/robot", "deploy", "robot"),
        ("https://git.example/x/robot", "https://git.example/x", "robot"),
    ],
)
def test_keyring_gives_the_password_of_a_user(
    fill: Callable[..., None], entry: str, service: str, user: str
) -> None:
    """The last slash parts the service, which may be a URL, and the user's name."""
    fill({(service, user): " hunter2\n"})
    assert resolve_keyring(entry) == " hunter2\n"


@pytest.mark.parametrize("entry", ["deploy", "/robot", "deploy/", "/"])
def test_keyring_entry_has_two_parts(entry: str) -> None:
    """A reference that does not name both is refused, with an example."""
    with pytest.raises(SecretError, match=r'SecretRef\("keyring:deploy/robot"\)'):
        resolve_keyring(entry)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, "no password of 'robot' for 'a b': .*`keyring set 'a b' robot`"),
        ("", "an empty password of 'robot'"),
        (KeyringLocked("hunter2"), "is locked: unlock it"),
        (NoKeyringError("hunter2"), "no keyring here: `keyring diagnose`"),
        (OSError("hunter2"), "the keyring failed with OSError"),
    ],
)
def test_keyring_says_what_to_do_and_nothing_of_what_it_holds(
    fill: Callable[..., None], found: str | Exception | None, told: str
) -> None:
    """What a backend says may quote what it looked up, so it is not passed on."""
    fill({} if found is None else {("a b", "robot"): found})
    with pytest.raises(SecretError, match=told) as caught:
        resolve_keyring("a b/robot")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_keyring_without_its_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The engine does without the package until a plan asks for it."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SecretError, match=r"install workstream-engine\[keyring\]"):
        resolve_keyring("deploy/robot")
