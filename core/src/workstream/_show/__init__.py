"""One view model of a plan and its progress, for whoever draws it.

A terminal, a page, a report and a JSON object show the same things of a plan: how far it
has come, what failed and why, what runs, what waits, and the tree with what went well cut
short. So these are worked out here, once, as plain objects and short texts. What is drawn
with which colour, sign or element is the drawer's business: this room knows neither rich
nor click nor HTML, and it writes nothing.

Two ways in:

- ``overview(store, plan_id)`` looks at a stored plan once, for a page or a report.
- ``Progress(snapshot)`` follows a plan: give it every event of ``Store.watch``. An event
  costs the same however large the plan is.

Whatever comes out has its secrets removed (WA-4). Texts of strangers (names, errors,
lines of output) come out as they are: whoever draws them makes them safe for where it
draws (``_values.display`` for terminals).

================  ==================================================================
``outcomes``      statuses and outcomes in short words
``words``         counts, errors and lengths of time in short words
``failures``      where a plan failed, and the failures put together by their cause
``consequences``  what followed from that: what ran, what did not, and why
``progress``      what a watcher knows: sections with counts, what runs, what failed
``waiting``       what waits, and why
``history``       all that happened, in order
``narration``     which changes are worth a line of their own, and what it says
``outline``       the plan as a tree, in brief
``overview``      all of that of one stored plan, at one look
``data``          the same as plain data, for JSON: names are added, none go
================  ==================================================================
"""
