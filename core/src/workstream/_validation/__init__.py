"""Whether a plan can be accepted, every fault at once (section 2 of the rules)."""
