"""Helpers for plugin authors; ``workstream.plugins`` is their public face."""
