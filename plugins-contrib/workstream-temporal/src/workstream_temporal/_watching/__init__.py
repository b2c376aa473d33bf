"""Continuous checks: one long activity that loops in its zone.

A check that passes decides nothing, so its passes cost no events. The activity waits and
runs the group, again and again; it ends with the first run in which an attempt fails, and
the workflow goes on with that run as with any other: retries, verdict, and what it means.
Now and then it tells the workflow that it still passes.

=============  =========================================================================
``loop``       the workflow's side: what the interpreter does with it
``passes``     the worker's side: the activity
=============  =========================================================================
"""
