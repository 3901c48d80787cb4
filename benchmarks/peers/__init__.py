"""The same work on other task queues, side by side with ours: ``python -m benchmarks.peers``.

::

    catalogue      the peers: versions, how each is run and why so, what each promises
    pins/          the versions, a file a peer
    environments   an environment a peer
    programs/      what runs in those: a file a peer, one to enqueue and one to count
    servers        the storages, emptied for each measurement
    sides          processes that enqueue and processes that work, and what they cost
    measure        one peer, one round
    run            all of them in turn
    report         the tables, the pictures and the JSON

What is compared is what a user gets: each peer at the fastest setting that its own documentation offers for short
tasks, by its own command, with the client that it ships.
"""
