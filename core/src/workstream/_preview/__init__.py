"""Dry runs: tell what a plan would change, and change nothing (section 24)."""
