"""The body of the test harness; its face is ``workstream.testing``."""
