"""Observers are told what happens to plans (section 34)."""
