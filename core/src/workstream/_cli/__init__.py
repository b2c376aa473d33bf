"""The command ``workstream``.

``main`` is the command itself and lists the subcommands. Each subcommand is a function in
a module of ``commands``, imported when it is called: ``workstream --help`` imports none.
``draw`` writes to terminals. Nothing outside of this package imports rich.
"""
