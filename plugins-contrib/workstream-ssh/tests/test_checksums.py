"""Checksums, compared with those of the programs that make them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from workstream_ssh._copying.checksums import Checksum


@pytest.mark.parametrize(
    ("kind", "program"), [("sha256", "sha256sum"), ("cksum", "cksum")]
)
@pytest.mark.parametrize("size", [0, 1, 255, 256, 100_000])
def test_they_are_as_the_programs_have_them(kind: str, program: str, size: int) -> None:
    """Whatever the pieces are that the bytes come in."""
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program} here (Debian has it in coreutils)")
    data = bytes(number * number % 251 for number in range(size))
    checksum = Checksum(kind)
    checksum.update(data[:100])
    checksum.update(data[100:])

    said = subprocess.run([program], input=data, capture_output=True, check=True)

    assert checksum.value() == said.stdout.split()[0].decode()
