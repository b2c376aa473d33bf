"""A ``Workstream``: submit, start, wait, watch, stop, resume."""
