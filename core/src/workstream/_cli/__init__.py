"""The command ``workstream``.

``_main`` is the command itself and ``_table`` lists the subcommands, each in a module
of its own (``_run``, ``_show`` ...), loaded when it is called: ``workstream --help``
imports none of them. Nothing outside this package imports click or rich.
"""
