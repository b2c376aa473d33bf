"""Plugins that are installed for one test, where other processes find them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["install_module"]


def install_module(site: Path, name: str, source: str, hooks: str = "") -> None:
    """Install a distribution of one module, both of this name.

    Args:
        site: The directory for it; it is made. Processes find it by their ``PYTHONPATH``.
        name: What ``WORKSTREAM_PLUGINS`` and ``import`` call it.
        source: The text of the module.
        hooks: The only kind of hooks that it has; "": any.
    """
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{name}.py").write_text(source)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    )
    entry = f"{name}.{hooks}" if hooks else name
    (info / "entry_points.txt").write_text(f"[workstream]\n{entry} = {name}\n")
