"""Everything that is drawn on a terminal; ``screen`` is the base of the others."""
