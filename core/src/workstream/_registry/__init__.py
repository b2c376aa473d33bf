"""Plugin packages found, isolated and named; the hooks are in ``hookspecs``."""
