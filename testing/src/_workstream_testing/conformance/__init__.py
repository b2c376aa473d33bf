"""Running the conformance cases: ``check_runtime``, crashes, and what must hold."""
