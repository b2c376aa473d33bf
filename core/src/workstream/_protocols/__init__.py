"""What a plugin, a vault and a runtime must be able to do."""
