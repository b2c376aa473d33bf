"""What the engine costs, measured: ``nox -s bench`` prints one table.

``docs/explanation/performance.md`` tells what each figure means. A module here measures
one thing; none is part of a distribution.
"""
