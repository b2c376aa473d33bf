"""Playing one future of a plan: a rehearsed one, or that of an earlier run."""
