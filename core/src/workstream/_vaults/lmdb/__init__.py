"""The store of one machine, in LMDB."""
