"""What ssh says, and what is made of it."""

from __future__ import annotations

import pytest

from workstream_ssh import Host, SshProblem
from workstream_ssh._connecting.problems import problem_of

HOST = Host("web-1", known_hosts_file="/etc/known")


@pytest.mark.parametrize(
    ("log", "problem", "permanent"),
    [
        (
            "ssh: Could not resolve hostname web-1: Name or service not known",
            SshProblem.NOT_RESOLVED,
            True,
        ),
        (
            "ssh: Could not resolve hostname web-1: Temporary failure in name resolution",
            SshProblem.NOT_RESOLVED,
            False,
        ),
        (
            "ssh: connect to host web-1 port 22: No route to host",
            SshProblem.UNREACHABLE,
            False,
        ),
        (
            "ssh: connect to host web-1 port 22: Connection timed out",
            SshProblem.UNREACHABLE,
            False,
        ),
        (
            "kex_exchange_identification: Connection closed by remote host\n"
            "Connection closed by 10.0.0.1 port 22",
            SshProblem.CONNECTION_LOST,
            False,
        ),
        (
            "@@@@\n@ WARNING: REVOKED HOST KEY DETECTED! @\n"
            "Host key verification failed.",
            SshProblem.HOST_KEY_CHANGED,
            True,
        ),
        (
            "Unable to negotiate with 10.0.0.1 port 22: no matching key exchange method",
            SshProblem.MISCONFIGURED,
            True,
        ),
        (
            "@@@@\n@ WARNING: UNPROTECTED PRIVATE KEY FILE! @\nPermissions 0644 for ...",
            SshProblem.MISCONFIGURED,
            True,
        ),
        ("Received disconnect: Too many authentication failures", 1006, True),
        ("something new", SshProblem.UNKNOWN, False),
        ("", SshProblem.UNKNOWN, False),
    ],
)
def test_problems_are_told_apart(log: str, problem: int, permanent: bool) -> None:
    """By their causes: those that may go by themselves are worth another try."""
    error = problem_of(HOST, log)

    assert (error.code, error.permanent) == (problem, permanent)
    assert error.message.startswith("web-1: ")
    assert "@" not in error.message


def test_what_ends_in_the_middle_was_lost() -> None:
    """Whatever ssh calls it."""
    for log in ("", "Timeout, server web-1 not responding.", "client_loop: disconnect"):
        error = problem_of(HOST, log, reached=True)

        assert error.code == SshProblem.CONNECTION_LOST
        assert "the connection was lost" in error.message


CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:5hTNaUAB8E2tPDLkDDbrsVaPSOwSaDfQlUzlDVFxvL4.
Please contact your system administrator.
Add correct host key in /etc/known to get rid of this message.
Offending ED25519 key in /etc/known:1
  remove with:
  ssh-keygen -f "/etc/known" -R "web-1"
Host key for web-1 has changed and you have requested strict checking.
Host key verification failed.
"""


def test_what_ssh_says_is_told_in_whole_lines_that_name_facts() -> None:
    """From the fingerprint on; what is to frighten people is left out."""
    message = problem_of(HOST, CHANGED).message

    assert "(ssh says: The fingerprint for the ED25519 key sent by the" in message
    assert "/ SHA256:5hTNaUAB8E2tPDLkDDbrsVaPSOwSaDfQlUzlDVFxvL4. /" in message
    assert message.endswith("/ Host key verification failed.)")
    assert "NASTY" not in message


def test_of_much_that_ssh_says_the_last_lines_are_told() -> None:
    """None of them is cut, and it shows that there were more."""
    lines = [f"line {number} {'x' * 90}" for number in range(20)]

    message = problem_of(HOST, "\n".join(lines)).message

    said = message.partition("(ssh says: ")[2].removesuffix(")").split(" / ")
    assert said == ["...", *lines[-8:]]
