"""The conformance cases: data alone."""
