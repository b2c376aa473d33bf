"""What keeps ssh from another repository: told apart by what it says, each with a cure.

Git only adds "Could not read from remote repository", whatever went wrong.
"""

from __future__ import annotations

import errno
import os
import re

import attrs
import trio

from workstream import PluginError

from ._requests import Remote


@attrs.frozen
class Problem:
    """What went wrong.

    Attributes:
        pattern: How to know it by what ssh and git say.
        what: What it is, for people.
        cure: What to do about it.
        permanent: Whether trying again is of no use.
    """

    pattern: str
    what: str
    cure: str
    permanent: bool = True


# The first that fits is taken: what is said later often follows from it.
_PROBLEMS = (
    Problem(
        r"IDENTIFICATION HAS CHANGED|Offending .* key",
        "the server shows another host key than the known one",
        "somebody may be in between, or it was set up anew: find out which, before you "
        "remove the old key from known_hosts",
    ),
    Problem(
        r"REVOKED HOST KEY|host key .* revoked",
        "the server's host key is marked as revoked",
        "find out why before you trust it",
    ),
    Problem(
        r"Host key verification failed|No .* host key is known",
        "the server's host key is not known",
        "compare it with the server's own, then add it to known_hosts, or name a file "
        "that has it as ssh_known_hosts_file",
    ),
    Problem(
        r"UNPROTECTED PRIVATE KEY FILE|bad permissions",
        "the file of the private key may be read by others, so ssh does not use it",
        "give it mode 0600",
    ),
    Problem(
        r"Load key .*(invalid format|error in libcrypto|not in|bad )",
        "the file of the private key holds no key that ssh can use",
        "see that ssh_key_file names the private key, not the public one",
    ),
    Problem(
        r"incorrect passphrase|passphrase supplied",
        "the private key needs a passphrase, and nobody is there to type it",
        "add it to the ssh agent of the engine's user, or use a key without one",
    ),
    Problem(
        r"Permission denied \(|Too many authentication failures|Permission denied,",
        "the server does not let us in",
        "see that it has the public key for this user, and that ssh_key_file, or the "
        "ssh agent of the engine's user, has the private one",
    ),
    Problem(
        r"Could not resolve hostname.*(Temporary|try again)",
        "the server's name cannot be looked up at the moment",
        "see that the name service answers",
        permanent=False,
    ),
    Problem(
        r"Could not resolve hostname",
        "there is no host of that name",
        "see how the URL is spelled",
    ),
    Problem(
        r"Connection refused",
        "nothing listens on the server's port",
        "see that its ssh server runs, and that the URL has the right port",
        permanent=False,
    ),
    Problem(
        r"timed out|No route to host|Network is unreachable|Host is down",
        "the server does not answer",
        "see that a way leads there from this machine",
        permanent=False,
    ),
    Problem(
        r"cannot run .*ssh|ssh: (command )?not found",
        "the program ssh cannot be started",
        "install it (Debian has it in openssh-client), or see GIT_SSH_COMMAND",
    ),
    Problem(
        r"Bad configuration option|terminating, \d+ bad|Bad owner or permissions",
        "ssh cannot use its configuration",
        "mend the file that it names",
    ),
    Problem(
        r"Unable to negotiate|no matching (host key|key exchange|cipher|MAC)",
        "ssh and the server have no method in common",
        "allow one of the server's methods in ssh's configuration",
    ),
    Problem(
        r"kex_exchange_identification|[Cc]onnection (closed|reset)|Broken pipe",
        "the connection ended before the server had answered",
        "see the server's log: it may let too few in at once, or refuse this address",
        permanent=False,
    ),
    Problem(
        r"does not appear to be a git repository|Repository not found",
        "the server has no such repository, or does not show it to this user",
        "see how the URL is spelled, and what its user may read there",
        permanent=False,
    ),
)


def problem_of(said: str) -> Problem | None:
    """What kept ssh from the other repository; None: it was something else."""
    for problem in _PROBLEMS:
        if re.search(problem.pattern, said):
            return problem
    return None


async def see_files(remote: Remote) -> None:
    """See that the files for ssh are there, as ssh goes on without one that is not.

    Raises:
        PluginError: One cannot be read; it is named with its field.
    """
    for field in ("ssh_key_file", "ssh_known_hosts_file"):
        path: str = getattr(remote, field)
        if not path:
            continue
        try:
            await trio.to_thread.run_sync(_read, path)
        except OSError as error:
            cure = "make it first, or name another one"
            if error.errno in (errno.EACCES, errno.EPERM):
                cure = "let the engine's user read it"
            message = f"{field}: {path} cannot be read: {error.strerror}; {cure}"
            raise PluginError(message, permanent=True) from error


def _read(path: str) -> None:
    with open(path, "rb") as file:
        if not os.path.isfile(path):
            raise OSError(errno.EINVAL, "it is no regular file", path)
        file.read(1)
