"""Plans in a store, for any process, with or without an engine.

A vault keeps bytes, an engine runs plans. Between the two is all that can be done with a
plan because it is *stored*: list it, find it, read it, watch it, ask it something, delete,
prune or export it. Engine, command line, page, report and observers stand on this room,
and none of them on a vault of its own.

A ``Store`` is an open store. ``open_store`` opens one for a program that only looks and
asks, without a plugin package; an engine (``Workstream``) is a ``Store`` that can also run
what it holds. So whoever draws plans takes a ``Store`` and never asks which it was given.

Four questions are answered here, and nowhere else:

**Has a plan crashed?** The store says that it runs, and no process does. One look is sure
only between two others: a plan that has just ended, or has just been begun, looks the same
for a moment. ``Store.entry`` looks so; an entry's ``crashed`` is the answer.
``Store.until_crashed`` waits for it, and lets the owner change hands meanwhile.

**Is there news of a plan?** A *ticket* returns when the store may hold more than at the
moment it was drawn (``news``). In this process whoever changes a plan pokes; what another
process may change is looked at four times a second. A feed turns news into events, read
once for all who watch (``feeds``, ``events``).

**What does it mean to ask?** Who asks, when and why go with each request (CT-1); the vault
keeps it and the plan's run takes it. A plan that was never started has no run: whoever asks
takes the request itself, and its effect is written in the request's place (``asking``).

**Which plan is meant?** ``last``, an id, or the digits that tell plans apart (``ids``).

=============  =====================================================================
``places``     a path, a ``scheme:location`` or nothing, to a vault
``store``      ``Store``, ``open_store``
``entries``    a plan in a list: its row, who runs it, whether it has crashed
``ids``        short ids, and which plan somebody means by one
``asking``     requests, and what they do to a plan that was never started
``pruning``    what ended long ago, removed
``news``       tickets and pokes
``events``     what a watcher sees
``feeds``      what all watchers of one plan share
=============  =====================================================================
"""
