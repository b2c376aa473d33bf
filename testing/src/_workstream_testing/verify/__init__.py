"""Searching for the worst that can happen to a plan, before it happens."""
