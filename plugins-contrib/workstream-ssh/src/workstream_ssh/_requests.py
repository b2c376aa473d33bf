"""What a plan asks of a host, and what it gets.

There are two requests for commands and no ``shell=True``: whether a shell reads the
words is seen at a glance, and a text cannot be handed to the one that wants words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import attrs

from workstream import SecretRef

from ._connecting.become import Become, as_become
from ._connecting.hosts import Host, as_host

KEEP = 64 * 1024
MOST_KEPT = 4 * 1024 * 1024
GRACE = 10.0


def _words(value: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    # A text is left as it is, to be refused later: tuple("ls") is ("l", "s").
    return tuple(value) if isinstance(value, list) else value


def _unless(
    value: tuple[str, ...] | list[str] | str | None,
) -> tuple[str, ...] | str | None:
    return tuple(value) if isinstance(value, list) else value


def _variables(value: Mapping[str, str | SecretRef]) -> dict[str, str | SecretRef]:
    # Anything else is left as it is, to be refused later.
    is_mapping = isinstance(cast("object", value), Mapping)
    return dict(value) if is_mapping else cast("Any", value)


@attrs.frozen
class Options:
    """What ``RunOn`` and ``ShellOn`` have in common; the fields are described there."""

    host: Host = attrs.field(converter=as_host)
    cwd: str | None = attrs.field(default=None, kw_only=True)
    env: dict[str, str | SecretRef] = attrs.field(
        default={}, converter=_variables, kw_only=True
    )
    stdin: str | SecretRef | None = attrs.field(default=None, kw_only=True)
    expected_exit_codes: tuple[int, ...] = attrs.field(default=(0,), kw_only=True)
    keep: int = attrs.field(default=KEEP, kw_only=True)
    grace: float = attrs.field(default=GRACE, kw_only=True)
    become: Become | None = attrs.field(default=None, converter=as_become, kw_only=True)
    creates: str | None = attrs.field(default=None, kw_only=True)
    removes: str | None = attrs.field(default=None, kw_only=True)
    unless: tuple[str, ...] | str | None = attrs.field(
        default=None, converter=_unless, kw_only=True
    )
    detached: bool = attrs.field(default=False, kw_only=True)
    directory: str = attrs.field(default="~/.workstream", kw_only=True)


@attrs.frozen
class RunOn(Options):
    """Start a program on a host with exactly these words; no shell reads them.

    Attributes:
        host: Where; a plain text is its address.
        argv: The program and its arguments, one word each:
            ``("tar", "-xf", archive)``. Anybody on the host can see these words: hand
            secrets over in ``env`` or ``stdin``.
        cwd: The directory to run in, an absolute path or one that begins with ``~/``;
            None: the home directory.
        env: Variables to set. A ``SecretRef`` is resolved just before the start; its
            value is taken out of the output. No argument of any process shows them.
        stdin: Text for its standard input, sent as UTF-8; None: nothing to read.
        expected_exit_codes: The codes, 0 to 255, that count as success.
        keep: How many characters of stdout, and of stderr, the response holds: half
            from the beginning, half from the end. All of it goes to watchers.
        grace: Seconds between TERM and KILL when it has to be ended; 0: KILL at once.
        become: The user to run it as, by sudo or doas; a plain text is that user's
            name. None: as the user that logs in.
        creates: A path on the host: if it exists, the command is skipped.
        removes: A path on the host: if it does not exist, the command is skipped.
        unless: A command that changes nothing, as words, or as a text for ``/bin/sh``:
            if it exits with code 0, the command is skipped. It has the same user,
            directory and variables.
        detached: Whether the command continues when the connection or the engine is
            lost, so that the next attempt finds it. A command that is not detached ends
            then. A timeout ends both. ``ssh.check`` refuses detached commands.
        directory: The directory on the host for records about commands: an absolute
            path or one that begins with ``~/``.
    """

    argv: tuple[str, ...] = attrs.field(converter=_words)


@attrs.frozen
class ShellOn(Options):
    """Have a shell on a host run a script.

    Never put values into the script's text; give them as ``args`` and write ``"$1"``::

        ShellOn("web-1", 'df -P "$1" | tail -n 1', args=(folder,))

    Attributes:
        host: Where; a plain text is its address.
        script: The script's text.
        args: The script's arguments: ``$1``, ``$2`` and so on.
        interpreter: The shell and its options, for example
            ``("/bin/bash", "-euo", "pipefail")``.
        cwd: As for ``RunOn``.
        env: Variables to set.
        stdin: Text for its standard input.
        expected_exit_codes: The codes that count as success.
        keep: How many characters of stdout, and of stderr, the response holds.
        grace: Seconds between TERM and KILL.
        become: The user to run it as.
        creates: A path on the host: if it exists, the script is skipped.
        removes: A path on the host: if it does not exist, the script is skipped.
        unless: A command: if it exits with code 0, the script is skipped.
        detached: Whether the command continues when the connection is lost.
        directory: The directory on the host for records about commands.
    """

    script: str
    args: tuple[str, ...] = attrs.field(default=(), converter=_words, kw_only=True)
    interpreter: tuple[str, ...] = attrs.field(
        default=("/bin/sh",), converter=_words, kw_only=True
    )


@attrs.frozen(kw_only=True)
class RunResult:
    """How a command that succeeded ended.

    Attributes:
        exit_code: One of the expected ones; 0 if it was skipped.
        stdout: Its output; or the first and last part of it, and a line between them
            that says how much is missing. U+FFFD replaces bytes that are not UTF-8.
        stderr: Likewise.
        stdout_left_out: How many characters ``stdout`` lacks; 0: it is all there.
        stderr_left_out: Likewise.
        output_lost: Whether the output is lost: the engine died, and the command, which
            was not detached, ended by itself at that moment.
        skipped: Why it was not begun: which of ``creates``, ``removes`` and ``unless``
            was the reason. None: it was run.
    """

    exit_code: int
    stdout: str = ""
    stderr: str = ""
    stdout_left_out: int = 0
    stderr_left_out: int = 0
    output_lost: bool = False
    skipped: str | None = None


@attrs.frozen
class CopyTo:
    """Copy a file, or a directory with its content, to a host.

    It gets a temporary name beside its place, and its own when its checksum is right.
    A copy that is there already is not made again. A file that is there is replaced; its
    owner, group and permissions stay, unless they are given here. In a directory that is
    there, what differs or is missing is updated, each file for itself; what else is in
    it stays. A symbolic link at the target is neither replaced nor followed.

    Attributes:
        host: The host to copy to; a plain text is its address.
        source: An absolute path on this machine. The copy follows a symbolic link, and
            copies links within a directory as links.
        target: Its place on the host, name included: an absolute path, or one that
            begins with ``~/``.
        owner: The new owner, by name or number, also of all files in a directory. None:
            an existing file keeps its owner.
        group: The new group, by name or number.
        mode: The permissions of a file, for example ``0o644``; None: a file that is there
            keeps its own, a new one has those of the source. Files in a directory always
            do so, and are programs there if they are programs here.
        exclude: Patterns for what of a directory is not copied, such as ``"__pycache__"``,
            ``"*.pyc"`` or ``".git"``: for a name anywhere in it, or with a slash for a
            path from its top. What is within an excluded directory is excluded too.
        make_parents: Whether to make the directories above the target.
        become: The user to be on the host, by sudo or doas; a plain text is that user's
            name. None: the user that logs in.
    """

    host: Host = attrs.field(converter=as_host)
    source: str
    target: str
    owner: str | None = attrs.field(default=None, kw_only=True)
    group: str | None = attrs.field(default=None, kw_only=True)
    mode: int | None = attrs.field(default=None, kw_only=True)
    exclude: tuple[str, ...] = attrs.field(default=(), converter=_words, kw_only=True)
    make_parents: bool = attrs.field(default=False, kw_only=True)
    become: Become | None = attrs.field(default=None, converter=as_become, kw_only=True)


@attrs.frozen
class CopyFrom:
    """Copy a file from a host to this machine.

    It gets a temporary name beside its place, and its own when its checksum is right.
    A copy that is there already is not made again. A file that is there is replaced; its
    owner, group and permissions stay. A symbolic link at the target is neither replaced
    nor followed.

    Attributes:
        host: The host to copy from; a plain text is its address.
        source: The file on the host: an absolute path, or one that begins with ``~/``.
        target: Its place on this machine, name included, an absolute path.
        mode: Its permissions, for example ``0o600``; None: a file that is there keeps its
            own, a new one has those of the source.
        make_parents: Whether to make the directories above the target.
        become: The user to be on the host, by sudo or doas; a plain text is that user's
            name. None: the user that logs in.
    """

    host: Host = attrs.field(converter=as_host)
    source: str
    target: str
    mode: int | None = attrs.field(default=None, kw_only=True)
    make_parents: bool = attrs.field(default=False, kw_only=True)
    become: Become | None = attrs.field(default=None, converter=as_become, kw_only=True)


@attrs.frozen(kw_only=True)
class CopyResult:
    """The result of a copy.

    Attributes:
        changed: Whether anything was copied; False: the target was the same already.
        size: How many bytes the copy has; of a directory, all of its files together.
        checksum: The kind of checksum and its value, for example ``sha256:9f86...``. Of
            a directory: the SHA-256 of the list of its content.
    """

    changed: bool
    size: int
    checksum: str
