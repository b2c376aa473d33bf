"""Numbers of bytes, short enough for one glance."""

from __future__ import annotations

__all__ = ["size"]

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def size(count: int) -> str:
    """So many bytes: ``512 bytes``, ``4.0 KiB``, ``12 MiB``, ``1.5 GiB``."""
    if count < 1024:
        return f"{count} bytes"
    power = min((count.bit_length() - 1) // 10, len(_UNITS))
    value = count / 1024**power
    text = f"{value:.1f}" if value < 10 else f"{value:,.0f}"
    return f"{text} {_UNITS[power - 1]}"
