"""What a plan would change, asked without changing anything (section 24)."""
