"""Addresses of repositories: which there are, and what may be shown of them."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

SCHEMES = ("https", "http", "ssh", "git", "file")
SCP = re.compile(
    r"(?:[^-@/:\s][^@/:\s]*@)?(?:[^-@/:\s][^@/:\s]*|\[[0-9a-fA-F:.]+\]):(?!//)\S+"
)
"""``user@host:path``, as scp has it."""

LOGIN = re.compile(r"(?<=://)[^/@\s]+@")


def is_local(address: str) -> bool:
    """Whether it is a path on this machine."""
    return address.startswith("/")


def is_ssh(address: str) -> bool:
    """Whether ssh goes there."""
    return address.startswith("ssh://") or (
        not is_local(address) and "://" not in address
    )


def origin_of(address: str) -> str:
    """Scheme and server of a URL: what a password is good for."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}"


def hidden(text: str) -> str:
    """A text with whatever stands before the ``@`` in its URLs taken out.

    That may be a password: git's own configuration can put one there
    (``url.<base>.insteadOf``).
    """
    return LOGIN.sub("", text)


def fault(address: object) -> str | None:
    """What is wrong with an address; it is not repeated, for it may hold a password."""
    if not isinstance(address, str):
        return f"it must be text, not {type(address).__name__}"
    if not address:
        return "it is empty"
    if re.search(r"[\x00-\x20\x7f]", address) and not is_local(address):
        return "it holds white space or control characters"
    if "\0" in address:
        return "it holds a NUL character"
    if is_local(address):
        return None
    if "::" in address.partition("/")[0] and not address.startswith("["):
        return "remote helpers (scheme::address) are not used"
    if "://" in address:
        return _url_fault(address)
    if SCP.fullmatch(address) is None:
        return (
            "it must be a URL (https://host/path, ssh://host/path), host:path, or an "
            "absolute path"
        )
    return None


def _url_fault(address: str) -> str | None:
    try:
        parts = urlsplit(address)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        return f"it is not a valid URL: {error}".partition(":")[0]
    if parts.scheme not in SCHEMES:
        return f"its scheme must be one of {', '.join(SCHEMES)}"
    if parts.scheme != "file" and not host:
        return "it names no host"
    if host and host.startswith("-"):
        return "its host begins with a hyphen"
    if unquote(parts.username or "").startswith("-"):
        return "its user begins with a hyphen, which ssh takes for an option"
    if parts.password is not None or (parts.username and parts.scheme != "ssh"):
        return "it holds a login: give it as user= and password=SecretRef(...)"
    if parts.query or parts.fragment:
        return "it may have no query (?) and no fragment (#)"
    return None
