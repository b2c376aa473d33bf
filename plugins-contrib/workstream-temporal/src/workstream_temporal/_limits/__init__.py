"""What keeps a plan within the limits of a cluster, whatever its size.

A server warns of a history of 10,240 events or 10 MB, takes no payload of 2 MB, no
message of 4 MB, and no more than 2,000 activities of one workflow at a time. A worker's
watchdog ends an activation, the work between two answers to the server, after two
seconds. None of these is met by chance: each has a module here that sees to it.

==============  ========================================================================
``size``        which plans are too large, said at submit
``steps``       a large plan is loaded over several activations
``flight``      how many attempts are under way, how much is sent at once, and when a
                history is full
``shelves``     where responses and lines are kept that are too large for a history
==============  ========================================================================
"""
