"""Errors, states and attempts: what the engine writes, and values of its kind."""
