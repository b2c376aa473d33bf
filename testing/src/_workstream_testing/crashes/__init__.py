"""What a crash leaves, and ``crash_everywhere``: a death at every write, the ends compared."""
