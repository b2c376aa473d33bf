"""The index of an LMDB store: finding plans without reading all of them."""
