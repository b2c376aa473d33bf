"""What the environment variables of OpenTelemetry say; imports nothing of its SDK."""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "OTEL_EXPORTER_OTLP_"
SIGNALS = ("TRACES", "METRICS")


def signals(environment: Mapping[str, str]) -> frozenset[str]:
    """Which of ``TRACES`` and ``METRICS`` are to be sent.

    The specification would have a receiver on this machine, where none is named. A
    package that is installed everywhere must not knock there at every run.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return frozenset()
    return frozenset(
        signal
        for signal in SIGNALS
        if environment.get(f"OTEL_{signal}_EXPORTER", "otlp").strip() == "otlp"
        and any(
            environment.get(name, "").strip()
            for name in (
                f"OTEL_{signal}_EXPORTER",
                f"{PREFIX}ENDPOINT",
                f"{PREFIX}{signal}_ENDPOINT",
            )
        )
    )


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether there is anything to send."""
    return bool(signals(environment))


def protocol_fault(environment: Mapping[str, str]) -> str | None:
    """Why the protocol that is asked for cannot be spoken; None: it can."""
    for name in (
        f"{PREFIX}PROTOCOL",
        *(f"{PREFIX}{each}_PROTOCOL" for each in SIGNALS),
    ):
        asked = environment.get(name, "").strip()
        if asked not in ("", "http/protobuf"):
            return (
                f"{name} is {asked!r}, and workstream-otel speaks http/protobuf alone: "
                "set it to that, with the receiver's HTTP port (4318, as a rule)"
            )
    return None
