"""What a plan asks for, one class a plugin, and what it gets.

Paths are absolute: a plan may be carried out by another process than the one that made
it, in another directory.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import attrs

from workstream import SecretRef

Content: TypeAlias = str | bytes | SecretRef | tuple[str | SecretRef, ...]
"""What a file is to hold: text (as UTF-8), bytes, a secret, or pieces to be joined."""

Kind: TypeAlias = Literal["any", "file", "directory", "link"]
"""What may be found at a path; ``any``: whatever it is."""

READ_LIMIT = 16 * 1024 * 1024


@attrs.frozen(kw_only=True)
class _Placed:
    """What the requests that make a file have in common; described there."""

    path: str
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    parents: bool = False
    in_place: bool = False


@attrs.frozen(kw_only=True)
class WriteRequest(_Placed):
    """A file, and all that it is to hold (``files.write``).

    Attributes:
        path: The file: an absolute path. A symbolic link is not followed but refused.
        content: Text, written as UTF-8; bytes; a ``SecretRef``; or a tuple of texts
            and ``SecretRef`` objects, which are joined:
            ``("password=", SecretRef("env:DB_PASSWORD"), "\\n")``.
        mode: Its permissions in octal, as text: ``"0640"``. None: as the file has them
            already; a new one gets 0644, or 0600 if its content holds a secret.
        owner: A user, by name or number; None: as it is, or for a new file the
            engine's.
        group: A group, likewise.
        parents: Whether to make the directories it is to be in, where they are missing.
        in_place: Whether to write over the content of a file that cannot be replaced,
            because it is a mount of its own, as ``/etc/hosts`` is in a container.
            Others may then see half of the new content. Any other file is replaced
            whole, whatever this says.
    """

    content: Content


@attrs.frozen(kw_only=True)
class TemplateRequest(_Placed):
    """A file made from a Jinja template (``files.template``).

    Attributes:
        path: As for ``WriteRequest``.
        mode: As for ``WriteRequest``.
        owner: As for ``WriteRequest``.
        group: As for ``WriteRequest``.
        parents: As for ``WriteRequest``.
        in_place: As for ``WriteRequest``.
        template: The template's text; or else:
        source: The file that holds it, an absolute path. It may include others by
            names below its own directory.
        values: What the names in the template stand for: texts, numbers, and lists
            and dicts of them. A name that is not here is an error.
        secrets: More names; what they stand for is secret.
    """

    template: str | None = None
    source: str | None = None
    values: dict[str, Any] = attrs.field(factory=dict[str, Any])
    secrets: dict[str, SecretRef] = attrs.field(factory=dict[str, SecretRef])


@attrs.frozen(kw_only=True)
class CopyRequest(_Placed):
    """A file made as a copy of another (``files.copy``).

    Attributes:
        path: As for ``WriteRequest``.
        source: The file to copy; links to it are followed.
        checksum: What the source must be, for example ``"sha256:9f86d0..."``: nothing
            else takes its place. Empty: whatever it is.
        mode: As for ``WriteRequest``, but a new file gets the source's permissions.
        owner: As for ``WriteRequest``.
        group: As for ``WriteRequest``.
        parents: As for ``WriteRequest``.
        in_place: As for ``WriteRequest``.
    """

    source: str
    checksum: str = ""


@attrs.frozen(kw_only=True)
class LinkRequest:
    """A symbolic link, made or switched in one step (``files.link``).

    Attributes:
        path: The link. A file or directory that is no link is not replaced.
        target: Where it is to lead; if relative, from the link's own directory.
        must_exist: Whether there must be something there.
    """

    path: str
    target: str
    must_exist: bool = True


@attrs.frozen(kw_only=True)
class RemoveRequest:
    """What is to be gone (``files.remove``).

    Attributes:
        path: A file, a link (not what it leads to), or a directory.
        recursive: Whether a directory may be removed with all that is in it;
            otherwise it must be empty.
    """

    path: str
    recursive: bool = False


@attrs.frozen(kw_only=True)
class WaitRequest:
    """What to wait for, up to the action's timeout (``files.wait``).

    Attributes:
        path: A file, or whatever else there may be.
        present: True: until it is there. False: until it is gone.
        settled: For how many seconds its size and time of change must have stood
            still: what is being uploaded is not there yet.
        poll: Seconds between two looks.
    """

    path: str
    present: bool = True
    settled: float = 0.0
    poll: float = 1.0


@attrs.frozen(kw_only=True)
class ExistsRequest:
    """What must be there, or must not (``files.exists``).

    Attributes:
        path: Where to look. A link counts as a link only where ``kind`` asks for
            one; otherwise what it leads to counts.
        present: False: there must be nothing, not even a link that leads nowhere.
        kind: What it must be: ``file``, ``directory``, ``link`` or ``any``.
        mode: The permissions it must have, as text: ``"0640"``.
        owner: The user it must belong to, by name or number.
        group: The group, likewise.
        max_age: How many seconds ago it must have changed at most: is last night's
            backup there?
    """

    path: str
    present: bool = True
    kind: Kind = "any"
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    max_age: float | None = None


@attrs.frozen(kw_only=True)
class ContentRequest:
    """What a file must hold; all that is given must hold (``files.content``).

    Attributes:
        path: The file.
        equals: All of its content, as in ``WriteRequest``.
        contains: Text that is in it.
        matches: A regular expression that is found in it; ``^`` and ``$`` match at
            each line.
        limit: The most bytes that are read; a longer file fails the check.
    """

    path: str
    equals: Content | None = None
    contains: str | SecretRef | None = None
    matches: str = ""
    limit: int = READ_LIMIT


@attrs.frozen(kw_only=True)
class ChecksumRequest:
    """What a file's content must add up to (``files.checksum``).

    Attributes:
        path: The file, of any size.
        checksum: Algorithm and hexadecimal digest, ``"sha256:9f86d0..."``. The
            algorithms are sha256, sha384, sha512 and blake2b.
    """

    path: str
    checksum: str


@attrs.frozen(kw_only=True)
class SpaceRequest:
    """How much room a file system must have (``files.space``).

    Attributes:
        path: Anything on the file system.
        free: Bytes: ``"5 GiB"``, ``"500 MB"``, ``"4096"``.
        free_percent: Of the file system's size.
        free_inodes: How many files more it must be able to hold.
    """

    path: str
    free: str = ""
    free_percent: float = 0.0
    free_inodes: int = 0


@attrs.frozen(kw_only=True)
class FileChange:
    """What an action has done.

    Attributes:
        path: Where.
        changed: Whether anything had to be done.
        details: What, a clause each: ``"mode: 0644 -> 0640"``.
    """

    path: str
    changed: bool
    details: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class FileFacts:
    """What was found at a path.

    Attributes:
        path: Where it was looked.
        kind: What is there: ``file``, ``directory``, ``link``, ``other``; ``none``:
            nothing.
        size: In bytes.
        mode: Its permissions, as in ``"0644"``.
        owner: The user's name, or number if it has none.
        group: The group's.
        modified: When it was changed last: seconds since 1970, in UTC.
    """

    path: str
    kind: str
    size: int = 0
    mode: str = ""
    owner: str = ""
    group: str = ""
    modified: float = 0.0


@attrs.frozen(kw_only=True)
class SpaceFacts:
    """How much room there is.

    Attributes:
        path: Where it was looked.
        free: Bytes that the engine's user can still write.
        free_percent: The same, of the file system's size.
        free_inodes: How many files more it can hold; -1: it sets no limit.
    """

    path: str
    free: int
    free_percent: float
    free_inodes: int
