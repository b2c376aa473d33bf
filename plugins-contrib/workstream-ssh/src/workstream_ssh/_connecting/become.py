"""Another user on a host, whom the login becomes to work there."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import cast

import attrs

from workstream import PluginError, SecretRef

from .hosts import Host, name_faults
from .problems import SshError, SshProblem


class BecomeMethod(enum.Enum):
    """The program by which a login becomes another user."""

    SUDO = "sudo"
    DOAS = "doas"


@attrs.frozen
class Become:
    """Another user on a host, whom the login becomes to work there.

    All of the work is that user's: what looks after a command too, so it can end
    whatever the command has started. ``~`` is that user's home. A request takes a plain
    text too: ``RunOn("web-1", ..., become="root")``.

    Attributes:
        user: The user to become.
        method: By which program. The host must let the login use it for ``/bin/sh``.
        password: What sudo asks for; None: it asks for nothing (``NOPASSWD``). It goes
            through the connection, when sudo asks, and is on no command line. doas
            asks at a terminal only, so it must ask for nothing (``nopass``).
    """

    user: str = "root"
    method: BecomeMethod = attrs.field(default=BecomeMethod.SUDO, kw_only=True)
    password: SecretRef | None = attrs.field(default=None, kw_only=True)

    def words(self, prompt: str) -> tuple[str, ...]:
        """The program and its arguments, to which a command is appended.

        Args:
            prompt: What sudo says when it wants the password.
        """
        if self.method is BecomeMethod.DOAS:
            return ("doas", "-n", "-u", self.user)
        ask = ("-n",) if self.password is None else ("-S", "-p", prompt)
        return ("sudo", "-H", *ask, "-u", self.user, "--")

    def answer(self) -> bytes:
        """The password, as sudo takes it.

        Raises:
            PluginError: It is none that could be typed.
        """
        assert self.password is not None
        password = self.password.reveal()
        if "\n" in password or "\0" in password:
            message = "the password of become holds a line break or a NUL character"
            raise PluginError(message, permanent=True)
        return f"{password}\n".encode()


def as_become(value: Become | str | None) -> Become | None:
    """A request's ``become``, which may be written as a text."""
    # What is none of it is left as it is, to be refused when the plan is submitted.
    return Become(value) if isinstance(value, str) else value


def become_faults(become: object) -> Iterator[str]:
    """All that can never work in a request's ``become``."""
    if become is None:
        return
    if not isinstance(become, Become):
        yield f"become must be a Become or a user's name, not {type(become).__name__}"
        return
    for fault in name_faults("user", become.user):
        yield f"become.{fault}"
    method = cast("object", become.method)
    if not isinstance(method, BecomeMethod):
        yield f"become.method must be a BecomeMethod, not {method!r}"
    password = cast("object", become.password)
    if not isinstance(password, (SecretRef, type(None))):
        yield f"become.password must be a SecretRef, not {type(password).__name__}"
    elif password is not None and method is BecomeMethod.DOAS:
        yield (
            "become.password is for sudo only: doas asks at a terminal, and there is "
            "none. Let doas.conf say nopass, or use sudo"
        )


@attrs.frozen
class _Rule:
    """How to know by what it says why a program does not let us become a user."""

    pattern: str
    permanent: bool
    advice: str


_RULES = (
    _Rule(
        r"incorrect password|Sorry, try again|[Aa]uthentication fail",
        True,
        "it does not accept the password. See what become.password refers to",
    ),
    _Rule(
        r"password is required|[Aa]uthentication required|terminal is required"
        r"|no tty present",
        True,
        "it asks for a password. Give one as become.password (sudo only), or allow the "
        "login to do without (NOPASSWD in sudoers, nopass in doas.conf)",
    ),
    _Rule(
        r"must have a tty|tty is required",
        True,
        "it works at a terminal only, and there is none. Take requiretty out of sudoers",
    ),
    _Rule(
        r"unknown user|invalid user",
        True,
        "it knows no such user",
    ),
    _Rule(
        r"not in the sudoers|may not run|not allowed|[Oo]peration not permitted",
        True,
        "it does not let this login do that. Allow it /bin/sh as {user}",
    ),
    _Rule(
        r"not found|No such file",
        True,
        "there is no program of that name",
    ),
)


def refusal(host: Host, become: Become, said: str, *, asked: bool = False) -> SshError:
    """Why a host does not let us become a user.

    Args:
        host: Which.
        become: Whom.
        said: What sudo or doas has said.
        asked: Whether it has asked for the password a second time.
    """
    words = " ".join(said.split())[-600:]
    detail = f" ({become.method.value} says: {words})" if words else ""
    what, permanent = "it ended, or did not come to an end, without a reason", False
    if asked:
        what, permanent = _RULES[0].advice, True
    else:
        for rule in _RULES:
            if re.search(rule.pattern, said):
                what, permanent = rule.advice, rule.permanent
                break
    message = (
        f"{host}: {become.method.value} does not let us become {become.user}: "
        f"{what.format(user=become.user)}{detail}"
    )
    return SshError(SshProblem.NOT_BECOME, message, permanent=permanent)
