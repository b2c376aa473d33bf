"""Attempts on trio, and the journal that commits what was recorded."""
