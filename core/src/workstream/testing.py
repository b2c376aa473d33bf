"""The public face of the test harness: for tests of plans and of plugins."""

from __future__ import annotations

from _workstream_testing.vault_kit import check_vault
from _workstream_testing.virtual_time import FakeClock

__all__ = ["FakeClock", "check_vault"]
