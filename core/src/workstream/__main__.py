"""``python -m workstream``, and what the command ``workstream`` calls."""

from __future__ import annotations

from ._cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
