"""``python -m distributed_queue`` is the same as ``dq``."""

import sys

from distributed_queue.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
