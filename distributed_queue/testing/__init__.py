"""What proves an engine: the conformance suite, the differential state machine, and what tests start servers with.

It ships with the package, so that an engine from elsewhere can be held to the same contract. Needs ``pytest`` and, for
``machine``, ``hypothesis``; nothing outside of tests imports it.
"""
