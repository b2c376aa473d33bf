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
    """A file and its whole content (``files.write``).

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
        parents: Whether to make missing directories above the file.
        in_place: Whether to write over the content of a file that cannot be replaced,
            because it is a mount of its own, as ``/etc/hosts`` is in a container.
            Others may then see half of the new content. The plugin always replaces any
            other file as a whole.
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
        values: The values of the template's names: texts, numbers, and lists and dicts
            of them. A name without a value is an error.
        secrets: More names, with secret values.
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
        checksum: The checksum that the source must have, for example
            ``"sha256:9f86d0..."``. Empty: any.
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
        path: The link. The plugin refuses to replace a file or directory that is no
            link.
        target: The path that the link points to. A relative one starts at the link's
            own directory.
        must_exist: Whether the target must exist.
    """

    path: str
    target: str
    must_exist: bool = True


@attrs.frozen(kw_only=True)
class RemoveRequest:
    """A path to remove (``files.remove``).

    Attributes:
        path: A file, a link (not what it leads to), or a directory.
        recursive: Whether to remove a directory with its content; otherwise it must be
            empty.
    """

    path: str
    recursive: bool = False


@attrs.frozen(kw_only=True)
class WaitRequest:
    """A path to wait for, up to the action's timeout (``files.wait``).

    Attributes:
        path: A file, directory or link.
        present: True: until it is there. False: until it is gone.
        settled: How many seconds its size and time of change must have stayed the same,
            so that an upload that is not complete does not count.
        poll: Seconds between two looks.
    """

    path: str
    present: bool = True
    settled: float = 0.0
    poll: float = 1.0


@attrs.frozen(kw_only=True)
class ExistsRequest:
    """A path that must exist, or must not (``files.exists``).

    Attributes:
        path: Where to look. The check follows a link, unless ``kind`` is ``link``.
        present: False: nothing may be there, not even a link that leads nowhere.
        kind: What it must be: ``file``, ``directory``, ``link`` or ``any``.
        mode: The permissions it must have, as text: ``"0640"``.
        owner: The user it must belong to, by name or number.
        group: The group, likewise.
        max_age: The most seconds since its last change, to see whether last night's
            backup is there.
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
    """The content that a file must have; all conditions must hold (``files.content``).

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
    """The checksum that a file must have (``files.checksum``).

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
    """The result of an action that changes files.

    Attributes:
        path: Where.
        changed: Whether the action changed anything.
        details: The changes, one clause each: ``"mode: 0644 -> 0640"``.
    """

    path: str
    changed: bool
    details: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class FileFacts:
    """The facts about a path.

    Attributes:
        path: The path that the check looked at.
        kind: ``file``, ``directory``, ``link``, ``other``, or ``none``: nothing is
            there.
        size: In bytes.
        mode: Its permissions, as in ``"0644"``.
        owner: The user's name, or number if it has none.
        group: The group's.
        modified: The time of the last change: seconds since 1970, in UTC.
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
        path: The path that the check looked at.
        free: Bytes that the engine's user can still write.
        free_percent: The same, of the file system's size.
        free_inodes: How many files more it can hold; -1: it sets no limit.
    """

    path: str
    free: int
    free_percent: float
    free_inodes: int
