"""Where plans are stored: memory, LMDB, nowhere; and who owns which plan."""
