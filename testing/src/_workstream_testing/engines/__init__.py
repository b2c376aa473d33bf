"""Real engines in tests: ``run_plan`` and ``MemoryWorkstream``."""
