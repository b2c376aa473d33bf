"""Directories: packed as tar has it, and compared by what is in them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from workstream_ssh._trees import Tree, difference, parse_listing


def test_what_is_packed_is_a_tar_of_the_size_that_was_told(tmp_path: Path) -> None:
    """Names of any length, files of any size."""
    (tmp_path / ("long" * 50)).mkdir()
    (tmp_path / ("long" * 50) / ("name" * 50)).write_bytes(b"x" * 513)
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("target" * 30)
    tree = Tree.of(str(tmp_path))
    packed: list[bytes] = []

    tree.pack(packed.append)

    assert sum(map(len, packed)) == tree.packed_size
    with tarfile.open(fileobj=io.BytesIO(b"".join(packed))) as tar:
        assert [member.name for member in tar] == [m.name for m in tree.members]
        assert [member.size for member in tar] == [m.size for m in tree.members]


def test_a_listing_is_read_as_sha256sum_writes_it() -> None:
    """It escapes backslashes, and tells so by another one."""
    listing = parse_listing(b"d ./a\ns \\12ab  ./b\\\\c\ns 34cd  ./d\n")

    assert listing == {"d ./a", "s 12ab  ./b\\c", "s 34cd  ./d"}


def test_differences_are_named_by_path() -> None:
    """A few of them, and how many more there are."""
    ours = {f"s {number:04}  ./{number}" for number in range(5)}
    theirs = {f"s ffff  ./{number}" for number in range(5)} | {"d ./x"}

    assert difference(ours, theirs) == "./0, ./1, ./2 and 3 more"
    assert difference(ours, ours) == ""
