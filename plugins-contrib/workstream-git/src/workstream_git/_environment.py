"""The variables git runs with: it asks nobody, runs nobody's hooks, tells no secret.

What the engine's user has configured for git holds, as far as it says how to reach
repositories and how to store files. What would make git wait for a person, page its
output, start an editor, run scripts of the repository or of a template, or go on in the
background, is switched off. That is done by variables, which stand above every
configuration file, the repository's own included.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping

from workstream import PluginError, SecretRef

from ._addresses import origin_of
from ._requests import Remote

KEPT = re.compile(
    r"GIT_(?:SSH|SSH_COMMAND|SSH_VARIANT|PROXY_COMMAND|ALLOW_PROTOCOL|EXEC_PATH"
    r"|SSL_.*|HTTP_.*|CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+))"
)
"""Of git's own variables, those that say how to reach something. Others would make it
work on another repository or file than the request says, or talk in between."""

DROPPED = {"SSH_ASKPASS", "LANGUAGE"}

SETTINGS: Mapping[str, str] = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "core.pager": "cat",
    "core.editor": "false",
    "core.fsync": "all",
    "core.fsyncMethod": "batch",
    # A fetch that is cut short must not leave a commit without the files in it: a pack
    # takes its place when it is whole, single objects one by one.
    "fetch.unpackLimit": "1",
    "credential.interactive": "false",
    "advice.detachedHead": "false",
    "color.ui": "false",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.pruneTags": "false",
    "fetch.writeCommitGraph": "false",
    "status.showUntrackedFiles": "normal",
}

PASSWORD = "WORKSTREAM_GIT_PASSWORD"
USER = "WORKSTREAM_GIT_USER"
HELPER = (
    f'!f() {{ test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    f'"${USER}" "${PASSWORD}"; }}; f'
)
"""What git asks for a login. The password is in the environment, which only the same
user can see, and in no file or command line."""


def environment(
    remote: Remote | None = None, url: str = ""
) -> dict[str, str | SecretRef]:
    """All variables for a run of git.

    Args:
        remote: How another repository is reached, if one is.
        url: Which one: the password is for its server alone.
    """
    env: dict[str, str | SecretRef] = {
        name: value
        for name, value in os.environ.items()
        if name not in DROPPED and (not name.startswith("GIT_") or KEPT.fullmatch(name))
    }
    env.update(
        GIT_TERMINAL_PROMPT="0",
        GIT_ASKPASS="",
        GIT_OPTIONAL_LOCKS="0",
        GIT_PAGER="cat",
        GIT_EDITOR="false",
        GIT_SSH_COMMAND=_ssh(remote),
        SSH_ASKPASS_REQUIRE="never",
        LC_ALL="C.UTF-8",
    )
    settings = list(SETTINGS.items())
    if remote is not None and remote.password is not None:
        at = origin_of(url)
        # An empty helper first: no other one is asked, nor told the password.
        settings += [(f"credential.{at}.helper", value) for value in ("", HELPER)]
        env[USER] = remote.user
        env[PASSWORD] = remote.password
    for number, (key, value) in enumerate(settings, _count(env)):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
        env["GIT_CONFIG_COUNT"] = str(number + 1)
    return env


def _count(env: Mapping[str, object]) -> int:
    """How many settings the engine's own environment has already."""
    count = str(env.get("GIT_CONFIG_COUNT") or "0")
    if not count.isdecimal():
        message = (
            f"GIT_CONFIG_COUNT in the engine's environment is no number: {count!r}"
        )
        raise PluginError(message, permanent=True)
    return int(count)


def _ssh(remote: Remote | None) -> str:
    """The ssh command, which asks nothing; a person's own command is kept."""
    inherited = os.environ.get("GIT_SSH_COMMAND")
    if not inherited:
        inherited = shlex.quote(os.environ.get("GIT_SSH") or "ssh")
    return " ".join([inherited, *map(shlex.quote, _ssh_options(remote))])


def _ssh_options(remote: Remote | None) -> Iterator[str]:
    # A log level in ssh's configuration must not hide why it failed.
    yield from ("-o", "BatchMode=yes", "-o", "LogLevel=ERROR")
    if remote is None:
        return
    if remote.ssh_key_file:
        yield from ("-i", remote.ssh_key_file, "-o", "IdentitiesOnly=yes")
    if remote.ssh_known_hosts_file:
        yield from ("-o", f"UserKnownHostsFile={remote.ssh_known_hosts_file}")
        yield from ("-o", "GlobalKnownHostsFile=/dev/null")
        yield from ("-o", "StrictHostKeyChecking=yes")
