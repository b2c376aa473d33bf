"""The public face of the test harness: for tests of plans and of plugins.

::

    from workstream.testing import FakePlugin, simulate

Every name is loaded when it is first used, so that importing this costs nothing. The
strategies for Hypothesis are in ``workstream.testing.strategies``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _workstream_testing.conformance import RunsPlans as RunsPlans
    from _workstream_testing.conformance import check_runtime as check_runtime
    from _workstream_testing.crash_everywhere import CrashReport as CrashReport
    from _workstream_testing.crash_everywhere import (
        crash_everywhere as crash_everywhere,
    )
    from _workstream_testing.crash_stories import CalledTwice as CalledTwice
    from _workstream_testing.explore import Exploration as Exploration
    from _workstream_testing.explore import explore as explore
    from _workstream_testing.fake_all import fake_all as fake_all
    from _workstream_testing.fakes import FakeAction as FakeAction
    from _workstream_testing.fakes import FakeCheck as FakeCheck
    from _workstream_testing.fakes import FakePlugin as FakePlugin
    from _workstream_testing.faulty_vault import FaultyVault as FaultyVault
    from _workstream_testing.faulty_vault import VaultCall as VaultCall
    from _workstream_testing.history import Call as Call
    from _workstream_testing.history import Report as Report
    from _workstream_testing.memory_workstream import (
        MemoryWorkstream as MemoryWorkstream,
    )
    from _workstream_testing.plan_assertions import assert_plan as assert_plan
    from _workstream_testing.plugin_findings import ConformanceError as ConformanceError
    from _workstream_testing.plugin_findings import Finding as Finding
    from _workstream_testing.plugin_findings import PluginReport as PluginReport
    from _workstream_testing.plugin_kit import check_plugin as check_plugin
    from _workstream_testing.problems import CrashError as CrashError
    from _workstream_testing.problems import OrderError as OrderError
    from _workstream_testing.problems import ScriptError as ScriptError
    from _workstream_testing.problems import SimulationError as SimulationError
    from _workstream_testing.run_plan import PlanRun as PlanRun
    from _workstream_testing.run_plan import run_plan as run_plan
    from _workstream_testing.simulation import Simulation as Simulation
    from _workstream_testing.simulation import simulate as simulate
    from _workstream_testing.simulations import Simulations as Simulations
    from _workstream_testing.timeline import Event as Event
    from _workstream_testing.timeline import Timeline as Timeline
    from _workstream_testing.vault_kit import check_vault as check_vault
    from _workstream_testing.virtual_time import FakeClock as FakeClock
    from _workstream_testing.waiting import sleep as sleep

__all__ = [
    "Call",
    "CalledTwice",
    "ConformanceError",
    "CrashError",
    "CrashReport",
    "Event",
    "Exploration",
    "FakeAction",
    "FakeCheck",
    "FakeClock",
    "FakePlugin",
    "FaultyVault",
    "Finding",
    "MemoryWorkstream",
    "OrderError",
    "PlanRun",
    "PluginReport",
    "Report",
    "RunsPlans",
    "ScriptError",
    "Simulation",
    "SimulationError",
    "Simulations",
    "Timeline",
    "VaultCall",
    "assert_plan",
    "check_plugin",
    "check_runtime",
    "check_vault",
    "crash_everywhere",
    "explore",
    "fake_all",
    "run_plan",
    "simulate",
    "sleep",
]

_HOMES: dict[str, str] = {
    "RunsPlans": "conformance",
    "check_runtime": "conformance",
    "CrashReport": "crash_everywhere",
    "crash_everywhere": "crash_everywhere",
    "CalledTwice": "crash_stories",
    "Exploration": "explore",
    "explore": "explore",
    "fake_all": "fake_all",
    "FakeAction": "fakes",
    "FakeCheck": "fakes",
    "FakePlugin": "fakes",
    "FaultyVault": "faulty_vault",
    "VaultCall": "faulty_vault",
    "Call": "history",
    "Report": "history",
    "MemoryWorkstream": "memory_workstream",
    "assert_plan": "plan_assertions",
    "Finding": "plugin_findings",
    "ConformanceError": "plugin_findings",
    "PluginReport": "plugin_findings",
    "check_plugin": "plugin_kit",
    "CrashError": "problems",
    "OrderError": "problems",
    "ScriptError": "problems",
    "SimulationError": "problems",
    "PlanRun": "run_plan",
    "run_plan": "run_plan",
    "Simulation": "simulation",
    "simulate": "simulation",
    "Simulations": "simulations",
    "Event": "timeline",
    "Timeline": "timeline",
    "check_vault": "vault_kit",
    "FakeClock": "virtual_time",
    "sleep": "waiting",
}


def __getattr__(name: str) -> object:
    """Load an exported name when it is first used."""
    import importlib

    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(importlib.import_module(f"_workstream_testing.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What there is to be had, loaded or not."""
    return sorted(__all__)
