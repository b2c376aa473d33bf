"""A cluster as a client sees it: the connection, and what is not of one plan alone."""
