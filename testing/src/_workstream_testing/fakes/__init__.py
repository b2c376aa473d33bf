"""Plugins that do what a test says, and note how they were called."""
