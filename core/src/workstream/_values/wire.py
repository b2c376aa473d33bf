"""How plain data becomes bytes and bytes become plain data: msgpack, and a version.

Plain data is None, bool, int, float, str, bytes, list and dict, nested in each other.
msgpack carries all of it but three things, and here is what is done about them:

- integers beyond 64 bits travel as extension type 1, their big-endian bytes;
- texts with lone surrogates (file names that are no UTF-8) pass as they are;
- a tuple comes back as a list.

The first byte of all that is stored is the version of its form; so what an engine
reads, it knows how to read, and what it does not know, it refuses by name.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

# It brings no types; as ``Any`` it says so once, here.
msgpack: Any = importlib.import_module("msgpack")

BIG_INT = 1
_PIECE = 2**16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_DAY_MICROS = 86_400_000_000


def _pack_special(value: object) -> Any:
    if isinstance(value, int):  # Asked only for what is beyond 64 bits.
        size = value.bit_length() // 8 + 1
        return msgpack.ExtType(BIG_INT, int(value).to_bytes(size, "big", signed=True))
    message = f"{type(value).__name__} is not plain data"
    raise TypeError(message)


def _unpack_special(code: int, data: bytes) -> int:
    if code == BIG_INT:
        return int.from_bytes(data, "big", signed=True)
    message = f"extension type {code} is unknown"
    raise ValueError(message)


_UNPACKED: dict[str, Any] = {
    "ext_hook": _unpack_special,
    "unicode_errors": "surrogatepass",
    "strict_map_key": False,
}
_packer = msgpack.Packer(default=_pack_special, unicode_errors="surrogatepass")
pack_part: Callable[[object], bytes] = _packer.pack
"""Data that is a part of other data, as bytes: without a version."""


def pack(version: bytes, data: object) -> bytes:
    """The data as bytes, behind one byte that tells the version of its form.

    Raises:
        TypeError: It is not plain data.
        ValueError: It is nested too deeply.
    """
    return version + pack_part(data)


class PartPacker:
    """Packs data part by part, where all of it at once would take much memory.

    The parts follow each other as in the whole: a map's header, then each key and its
    value; an array's header, then each of its values.
    """

    def __init__(self, version: bytes) -> None:
        """Begin with the byte that tells the version of the form."""
        self._out = io.BytesIO()
        self._write = self._out.write
        self._write(version)

    def add(self, data: object) -> None:
        """Pack a key, or a value with all that is in it. Raises as ``pack`` does."""
        self._write(pack_part(data))

    def begin_map(self, size: int) -> None:
        """So many keys follow, each with its value."""
        self._write(_packer.pack_map_header(size))

    def begin_array(self, size: int) -> None:
        """So many values follow."""
        self._write(_packer.pack_array_header(size))

    def done(self) -> bytes:
        """All of it: what ``pack`` gives for the whole."""
        return self._out.getvalue()


def unpack(version: bytes, data: bytes) -> Any:
    """The data that was packed.

    Raises:
        ValueError: The bytes are not a form of this version.
    """
    return msgpack.unpackb(_checked(version, data), **_UNPACKED)


def unpacker(version: bytes, data: bytes) -> Any:
    """What unpacks the data part by part, as msgpack's own ``Unpacker``.

    Raises:
        ValueError: The bytes are not a form of this version.
    """
    size = len(_checked(version, data))
    # Read piece by piece, so that there is no second copy of it in memory.
    source = io.BytesIO(data)
    source.seek(len(version))
    return msgpack.Unpacker(
        source, read_size=min(size, _PIECE), max_buffer_size=max(size, 1), **_UNPACKED
    )


def _checked(version: bytes, data: bytes) -> memoryview:
    """The bytes behind the version, which must be this one."""
    if data[:1] != version:
        message = (
            f"its form is version {data[0]}, and this engine reads version {version[0]}"
            if data
            else "it is empty"
        )
        raise ValueError(message)
    return memoryview(data)[1:]


def to_micros(moment: datetime | None) -> int | None:
    """A time as whole microseconds since 1970, UTC; it must be timezone-aware."""
    return None if moment is None else micros_of(moment)


def new_micros_of(moment: datetime) -> int:
    """The same, of a time that is known, and that nobody has asked for before."""
    passed = moment - _EPOCH
    # Half the cost of dividing one timedelta by another; this is asked on every step.
    return passed.days * _DAY_MICROS + passed.seconds * 1_000_000 + passed.microseconds


# Of most times it is asked twice: of the end of one action, and the start of the next.
micros_of = lru_cache(maxsize=1024)(new_micros_of)
"""The same, of any time that is known."""


def from_micros(micros: int | None) -> datetime | None:
    """The time that ``to_micros`` was given, in UTC."""
    return None if micros is None else _EPOCH + micros * _MICRO


def moment(micros: int) -> datetime:
    """The same, of a time that is known."""
    return _EPOCH + micros * _MICRO
