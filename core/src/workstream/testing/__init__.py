"""The public face of the test harness: for tests of plans and of plugins.

::

    from workstream.testing import FakePlugin, simulate

Every name is loaded when it is first used, so that importing this costs nothing. The
strategies for Hypothesis are in ``workstream.testing.strategies``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _workstream_testing.conformance.conformance import RunsPlans as RunsPlans
    from _workstream_testing.conformance.conformance import (
        check_runtime as check_runtime,
    )
    from _workstream_testing.crashes.crash_everywhere import CrashReport as CrashReport
    from _workstream_testing.crashes.crash_everywhere import (
        crash_everywhere as crash_everywhere,
    )
    from _workstream_testing.crashes.crash_stories import CalledTwice as CalledTwice
    from _workstream_testing.engines.memory_workstream import (
        MemoryWorkstream as MemoryWorkstream,
    )
    from _workstream_testing.engines.run_plan import PlanRun as PlanRun
    from _workstream_testing.engines.run_plan import run_plan as run_plan
    from _workstream_testing.fakes.fake_all import fake_all as fake_all
    from _workstream_testing.fakes.fakes import FakeAction as FakeAction
    from _workstream_testing.fakes.fakes import FakeCheck as FakeCheck
    from _workstream_testing.fakes.fakes import FakePlugin as FakePlugin
    from _workstream_testing.futures.rehearse import rehearse as rehearse
    from _workstream_testing.futures.what_if import WhatIf as WhatIf
    from _workstream_testing.futures.what_if import what_if as what_if
    from _workstream_testing.kits.faulty_vault import FaultyVault as FaultyVault
    from _workstream_testing.kits.faulty_vault import VaultCall as VaultCall
    from _workstream_testing.kits.observer_kit import check_observer as check_observer
    from _workstream_testing.kits.plugin_findings import (
        ConformanceError as ConformanceError,
    )
    from _workstream_testing.kits.plugin_findings import Finding as Finding
    from _workstream_testing.kits.plugin_findings import PluginReport as PluginReport
    from _workstream_testing.kits.plugin_kit import check_plugin as check_plugin
    from _workstream_testing.kits.vault_kit import check_vault as check_vault
    from _workstream_testing.plan_assertions import assert_plan as assert_plan
    from _workstream_testing.problems import CrashError as CrashError
    from _workstream_testing.problems import OrderError as OrderError
    from _workstream_testing.problems import ScriptError as ScriptError
    from _workstream_testing.problems import SimulationError as SimulationError
    from _workstream_testing.problems import VerifyError as VerifyError
    from _workstream_testing.simulation.explore import Exploration as Exploration
    from _workstream_testing.simulation.explore import explore as explore
    from _workstream_testing.simulation.history import Call as Call
    from _workstream_testing.simulation.history import Report as Report
    from _workstream_testing.simulation.simulation import Simulation as Simulation
    from _workstream_testing.simulation.simulation import simulate as simulate
    from _workstream_testing.simulation.simulations import Simulations as Simulations
    from _workstream_testing.simulation.timeline import Event as Event
    from _workstream_testing.simulation.timeline import Timeline as Timeline
    from _workstream_testing.verify.faults import Fault as Fault
    from _workstream_testing.verify.invariants import End as End
    from _workstream_testing.verify.invariants import Rule as Rule
    from _workstream_testing.verify.invariants import always_ends as always_ends
    from _workstream_testing.verify.invariants import at_most as at_most
    from _workstream_testing.verify.invariants import never as never
    from _workstream_testing.verify.verification import Broken as Broken
    from _workstream_testing.verify.verification import Suggestion as Suggestion
    from _workstream_testing.verify.verification import Verification as Verification
    from _workstream_testing.verify.verification import Worst as Worst
    from _workstream_testing.verify.verify import verify as verify
    from _workstream_testing.verify.world import Effect as Effect
    from _workstream_testing.verify.world import effect as effect
    from _workstream_testing.virtual.virtual_time import FakeClock as FakeClock
    from _workstream_testing.virtual.waiting import sleep as sleep

__all__ = [
    "Broken",
    "Call",
    "CalledTwice",
    "ConformanceError",
    "CrashError",
    "CrashReport",
    "Effect",
    "End",
    "Event",
    "Exploration",
    "FakeAction",
    "FakeCheck",
    "FakeClock",
    "FakePlugin",
    "Fault",
    "FaultyVault",
    "Finding",
    "MemoryWorkstream",
    "OrderError",
    "PlanRun",
    "PluginReport",
    "Report",
    "Rule",
    "RunsPlans",
    "ScriptError",
    "Simulation",
    "SimulationError",
    "Simulations",
    "Suggestion",
    "Timeline",
    "VaultCall",
    "Verification",
    "VerifyError",
    "WhatIf",
    "Worst",
    "always_ends",
    "assert_plan",
    "at_most",
    "check_observer",
    "check_plugin",
    "check_runtime",
    "check_vault",
    "crash_everywhere",
    "effect",
    "explore",
    "fake_all",
    "never",
    "rehearse",
    "run_plan",
    "simulate",
    "sleep",
    "verify",
    "what_if",
]

_HOMES: dict[str, str] = {
    "RunsPlans": "conformance.conformance",
    "check_runtime": "conformance.conformance",
    "CrashReport": "crashes.crash_everywhere",
    "crash_everywhere": "crashes.crash_everywhere",
    "CalledTwice": "crashes.crash_stories",
    "Exploration": "simulation.explore",
    "explore": "simulation.explore",
    "fake_all": "fakes.fake_all",
    "FakeAction": "fakes.fakes",
    "FakeCheck": "fakes.fakes",
    "FakePlugin": "fakes.fakes",
    "FaultyVault": "kits.faulty_vault",
    "VaultCall": "kits.faulty_vault",
    "Call": "simulation.history",
    "Report": "simulation.history",
    "MemoryWorkstream": "engines.memory_workstream",
    "assert_plan": "plan_assertions",
    "Finding": "kits.plugin_findings",
    "ConformanceError": "kits.plugin_findings",
    "PluginReport": "kits.plugin_findings",
    "check_observer": "kits.observer_kit",
    "check_plugin": "kits.plugin_kit",
    "CrashError": "problems",
    "OrderError": "problems",
    "ScriptError": "problems",
    "SimulationError": "problems",
    "VerifyError": "problems",
    "PlanRun": "engines.run_plan",
    "run_plan": "engines.run_plan",
    "Simulation": "simulation.simulation",
    "simulate": "simulation.simulation",
    "Simulations": "simulation.simulations",
    "Event": "simulation.timeline",
    "Timeline": "simulation.timeline",
    "End": "verify.invariants",
    "Rule": "verify.invariants",
    "always_ends": "verify.invariants",
    "at_most": "verify.invariants",
    "never": "verify.invariants",
    "Fault": "verify.faults",
    "rehearse": "futures.rehearse",
    "Broken": "verify.verification",
    "Suggestion": "verify.verification",
    "Verification": "verify.verification",
    "Worst": "verify.verification",
    "verify": "verify.verify",
    "WhatIf": "futures.what_if",
    "what_if": "futures.what_if",
    "Effect": "verify.world",
    "effect": "verify.world",
    "check_vault": "kits.vault_kit",
    "FakeClock": "virtual.virtual_time",
    "sleep": "virtual.waiting",
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
