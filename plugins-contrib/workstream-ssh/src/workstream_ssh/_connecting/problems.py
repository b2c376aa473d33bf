"""What can keep us from a host, told apart by what ssh says.

ssh ends with exit code 255 whatever went wrong, and so may a command. They are told
apart without looking at the code: what a command did is said by the program on the
host, and what ssh has to complain about goes to a log of its own.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence

import attrs

from workstream import PluginError

from .hosts import Host


class SshProblem(enum.IntEnum):
    """What went wrong between us and the host: the ``code`` of the error."""

    UNKNOWN = 1000
    """Something else; the message ends with what ssh said."""
    NOT_RESOLVED = 1001
    """The name of the host, or of one on the way to it, stands for no address."""
    REFUSED = 1002
    """The host is there and nothing listens on the port."""
    UNREACHABLE = 1003
    """No way leads to the host, or nothing answered in time."""
    HOST_KEY_CHANGED = 1004
    """The host shows another key than the known one."""
    HOST_KEY_UNKNOWN = 1005
    """The host's key is not known, and is not to be trusted unseen."""
    NOT_ADMITTED = 1006
    """The host is right and does not let us in."""
    MISCONFIGURED = 1007
    """ssh cannot use its configuration, or a file that it names."""
    CONNECTION_LOST = 1008
    """The connection ended in the middle."""
    HOST_UNSUITED = 1009
    """The host lacks what is needed there, or does not let us run programs."""
    NO_ROOM = 1010
    """The host cannot store what must be stored there."""
    NOT_BECOME = 1011
    """The host does not let the login become the user."""
    NOT_PERMITTED = 1012
    """The user may not write there."""
    STILL_RUNNING = 1013
    """What an earlier attempt has started still runs, and the user may not end it."""


class SshError(PluginError):
    """ssh could not do its part.

    Attributes:
        problem: Which part.
    """

    def __init__(self, problem: SshProblem, message: str, *, permanent: bool) -> None:
        super().__init__(message, code=int(problem), permanent=permanent)
        self.problem = problem


MOST_SAID = 800
"""Characters of ssh's own words that a message has, but for one line at the least."""


@attrs.frozen
class _Rule:
    """How to know a problem by what ssh says, and what to make of it."""

    pattern: str
    problem: SshProblem
    permanent: bool
    advice: str


# The first that fits is taken: what is said later in a log often follows from it.
_RULES = (
    _Rule(
        r"IDENTIFICATION HAS CHANGED|differs from the key|Offending .* key",
        SshProblem.HOST_KEY_CHANGED,
        True,
        "it shows another key than the known one: someone may be in between, or it was "
        "set up anew. See which, before removing the old key from {known}",
    ),
    _Rule(
        r"REVOKED HOST KEY|host key .* revoked",
        SshProblem.HOST_KEY_CHANGED,
        True,
        "the key that it shows is marked as revoked in {known}",
    ),
    _Rule(
        r"Host key verification failed|No .* host key is known",
        SshProblem.HOST_KEY_UNKNOWN,
        True,
        "its key is not in {known}. Add it, after comparing it with the host's, or say "
        "known_hosts=KnownHosts.ACCEPT_NEW",
    ),
    _Rule(
        r"Could not resolve hostname.*(Temporary|try again)",
        SshProblem.NOT_RESOLVED,
        False,
        "its name cannot be looked up at the moment",
    ),
    _Rule(
        r"Could not resolve hostname",
        SshProblem.NOT_RESOLVED,
        True,
        "there is no host of that name",
    ),
    _Rule(
        r"Permission denied \(|Too many authentication failures|Permission denied,",
        SshProblem.NOT_ADMITTED,
        True,
        "it does not let us in. See that its user has our public key, and that the "
        "private key is in an agent or named by identity_file; nobody can be asked for "
        "a password",
    ),
    _Rule(
        r"Bad configuration option|terminating, \d+ bad|Bad owner or permissions"
        r"|Can't open user config file|[Mm]issing argument|[Uu]nsupported option"
        r"|keyword .* extra arguments|no argument after keyword|Bad (key|number|port)",
        SshProblem.MISCONFIGURED,
        True,
        "ssh cannot use its configuration",
    ),
    _Rule(
        r"UNPROTECTED PRIVATE KEY FILE",
        SshProblem.MISCONFIGURED,
        True,
        "the file of the private key may be read by others, so ssh does not use it",
    ),
    _Rule(
        r"Unable to negotiate|no matching (host key|key exchange|cipher|MAC)",
        SshProblem.MISCONFIGURED,
        True,
        "the two sides have no method in common",
    ),
    _Rule(
        r"Connection refused",
        SshProblem.REFUSED,
        False,
        "nothing listens on its port",
    ),
    _Rule(
        r"timed out|No route to host|Network is unreachable|Host is down"
        r"|Connection timeout|not responding",
        SshProblem.UNREACHABLE,
        False,
        "it does not answer",
    ),
    _Rule(
        r"[Cc]onnection (closed|reset)|Broken pipe|banner exchange|[Dd]isconnect"
        r"|client_loop|mux_client|Connection to .* closed",
        SshProblem.CONNECTION_LOST,
        False,
        "the connection ended",
    ),
)


def problem_of(host: Host, log: str, *, reached: bool = False) -> SshError:
    """What kept us from a host.

    Args:
        host: Which.
        log: What ssh has said.
        reached: Whether the host's program had already said something.
    """
    said = _last_words([line.strip() for line in log.splitlines() if _tells(line)])
    detail = f" (ssh says: {said})" if said else ""
    known = host.known_hosts_file or "the files of known hosts"
    for rule in _RULES if log.strip() else ():
        if re.search(rule.pattern, log):
            problem, permanent, what = rule.problem, rule.permanent, rule.advice
            if reached and not permanent:
                problem, what = SshProblem.CONNECTION_LOST, "the connection was lost"
            message = f"{host}: {what.format(known=known)}{detail}"
            return SshError(problem, message, permanent=permanent)
    if reached:
        message = f"{host}: the connection was lost{detail}"
        return SshError(SshProblem.CONNECTION_LOST, message, permanent=False)
    message = f"{host}: ssh could not connect{detail or ', and said nothing'}"
    return SshError(SshProblem.UNKNOWN, message, permanent=False)


def cannot_write(
    host: Host, what: str, obstacle: Sequence[str], detail: str, cure: str
) -> SshError:
    """That a host cannot store what must be stored there.

    Args:
        host: Which.
        what: What cannot be done, and where.
        obstacle: What the host's program says is in the way: ``home``, ``denied``, or
            how many KiB are free.
        detail: What else was said, as the end of a sentence.
        cure: How to name another place, as a sentence without its end.
    """
    (reason,) = obstacle or ("",)
    if reason in ("home", "denied"):
        why = "the user may not write there"
        if reason == "home":
            why = "the user has no home directory on the host"
        message = f"{host}: {what}: {why}. {cure}{detail}"
        return SshError(SshProblem.NOT_PERMITTED, message, permanent=True)
    room = f", where {int(reason):,} KiB are free" if reason.isdecimal() else ""
    message = f"{host}: {what}{room}{detail}"
    return SshError(SshProblem.NO_ROOM, message, permanent=False)


_ALARM = re.compile(
    r"IT IS POSSIBLE THAT|^Someone could be eavesdropping|^It is also possible that"
    r"|^Please contact your system admin"
)
"""Lines that ssh prints for whoever it may frighten; they name no fact."""


def _tells(line: str) -> bool:
    """Whether a line of the log says something, and is no frame or alarm around it."""
    return bool(line.strip()) and not line.startswith("@") and not _ALARM.search(line)


def _last_words(lines: list[str]) -> str:
    """The last lines that have room in a message, whole ones."""
    kept: list[str] = []
    for line in reversed(lines):
        if kept and sum(map(len, kept)) + len(line) > MOST_SAID:
            kept.append("...")
            break
        kept.append(line)
    return " / ".join(reversed(kept))
