"""What need not be tried: moments that are alike, and waves that others stand for."""
