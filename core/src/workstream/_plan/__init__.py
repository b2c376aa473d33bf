"""What a user writes, and every way of reading it: walk, paths, text, clone, secrets."""
