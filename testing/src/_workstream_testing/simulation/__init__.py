"""``simulate`` and ``explore``: plans run in virtual time, without an event loop."""
