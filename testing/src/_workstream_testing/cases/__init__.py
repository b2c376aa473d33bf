"""The conformance cases, their notation, and ``check_runtime``, which runs them."""
