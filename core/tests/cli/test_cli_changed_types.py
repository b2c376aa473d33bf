"""A plugin package is upgraded while a plan of it lies in the store (STO-12)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from conftest import Child
