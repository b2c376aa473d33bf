"""A plan as one file to hand over: who opens it needs no store and no network."""
