"""Virtual time: by a loop of our own, and by trio's clock."""
