"""Plans that follow from one that has ended: its retry, and its undo."""
