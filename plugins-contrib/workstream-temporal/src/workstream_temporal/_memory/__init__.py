"""What a workflow knows of its plan while it runs it: ``memory``."""
