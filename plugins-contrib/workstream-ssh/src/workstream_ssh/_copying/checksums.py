"""Checksums, as the programs on the other side make them."""

from __future__ import annotations

import hashlib
import zlib

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Checksum:
    """The checksum of bytes that come in pieces.

    Attributes:
        kind: ``sha256``, or ``cksum``: what POSIX has everywhere, for a host that has
            nothing better. It finds what went wrong on the way, not what was forged.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._sha256 = hashlib.sha256()
        self._crc = 0xFFFFFFFF
        self._size = 0

    def update(self, data: bytes) -> None:
        """Give the next piece."""
        if self.kind == "sha256":
            self._sha256.update(data)
        else:
            # zlib's CRC is the same but for the order of the bits, and for a final
            # complement that is undone here.
            self._crc = zlib.crc32(data.translate(_REVERSED), self._crc)
            self._size += len(data)

    def value(self) -> str:
        """As the program on the other side prints it."""
        if self.kind == "sha256":
            return self._sha256.hexdigest()
        size = self._size.to_bytes((self._size.bit_length() + 7) // 8, "little")
        crc = zlib.crc32(size.translate(_REVERSED), self._crc)
        return str(int(f"{crc:032b}"[::-1], 2))
