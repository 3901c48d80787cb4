"""The programs: ``dq`` and its commands. They put the parts together and hold no rules of their own."""
