"""Values of a declared type as plain data: for a definition, a record, or JSON."""
