"""Directories: packed as tar has it, and compared by what is in them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from workstream_ssh._copying.trees import Tree, named, parse_listing


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


def test_paths_are_named() -> None:
    """A few of them, and how many more there are."""
    paths = [f"./{number}" for number in range(5)]

    assert named(paths) == "./0, ./1, ./2 and 2 more"
    assert named(paths[:2]) == "./0, ./1"
