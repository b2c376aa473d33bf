"""The variables git runs with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from workstream import PluginError, SecretRef
from workstream_git import CloneRequest
from workstream_git._environment import SETTINGS, environment


def settings(env: dict[str, str | SecretRef]) -> list[tuple[object, object]]:
    """The settings that are given by variables."""
    count = int(str(env["GIT_CONFIG_COUNT"]))
    return [
        (env[f"GIT_CONFIG_KEY_{n}"], env[f"GIT_CONFIG_VALUE_{n}"]) for n in range(count)
    ]


def test_a_persons_own_settings_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine was started with is kept, and ours are added behind it."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "http.proxy")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "http://proxy.example")
    monkeypatch.setenv("GIT_SSL_CAINFO", "/ca.pem")

    env = environment()

    assert env["GIT_SSL_CAINFO"] == "/ca.pem"
    assert settings(env) == [("http.proxy", "http://proxy.example"), *SETTINGS.items()]
    monkeypatch.setenv("GIT_CONFIG_COUNT", "many")
    with pytest.raises(PluginError, match="GIT_CONFIG_COUNT in the engine's"):
        environment()


def test_git_understands_all_settings(tmp_path: Path) -> None:
    """They are names and values that the real git accepts, above a repository's own."""
    env = {name: str(value) for name, value in environment().items()}
    subprocess.run(["git", "init", "-q", str(tmp_path)], env=env, check=True)
    subprocess.run(
        ["git", "config", "core.hooksPath", "/elsewhere"], cwd=tmp_path, env=env
    )

    done = subprocess.run(
        ["git", "config", "--get", "core.hooksPath"],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout == "/dev/null\n"
    assert done.stderr == ""


def test_a_password_is_for_its_server_alone() -> None:
    """Other helpers are silenced for that server, and it is in one variable only."""
    secret = SecretRef("env:X").resolved("abracadabra")
    request = CloneRequest(
        url="https://a.example:8443/b", path="/b", user="me", password=secret
    )

    env = environment(request, request.url)

    key = "credential.https://a.example:8443.helper"
    (first, nothing), (second, helper) = settings(env)[-2:]
    assert (first, nothing, second) == (key, "", key)
    assert "abracadabra" not in str(helper)
    assert [name for name, value in env.items() if value is secret] == [
        "WORKSTREAM_GIT_PASSWORD"
    ]


QUIET = "-o BatchMode=yes -o LogLevel=ERROR"


def test_a_program_in_the_place_of_ssh_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command as it is, a program's path in quotes."""
    monkeypatch.setenv("GIT_SSH", "/opt/my ssh")
    assert environment()["GIT_SSH_COMMAND"] == f"'/opt/my ssh' {QUIET}"
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -F /etc/deploy")
    assert environment()["GIT_SSH_COMMAND"] == f"ssh -F /etc/deploy {QUIET}"
