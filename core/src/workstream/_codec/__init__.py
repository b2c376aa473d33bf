"""Plans to bytes and back, and to JSON and back."""
