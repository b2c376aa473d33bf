"""The order of things, judging an action, and putting in order after a crash."""
