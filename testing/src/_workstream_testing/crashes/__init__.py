"""``crash_everywhere``: the engine dies at every write, and the end is compared."""
