"""Start the API and a pool of workers: the same as ``dq serve``."""

import sys

from distributed_queue.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
