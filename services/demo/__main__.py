"""`python -m services.demo [--quiet]` is `zhiku demo`."""

import sys

from services.cli.main import main

if __name__ == "__main__":
    sys.argv = ["zhiku", "demo", *sys.argv[1:]]
    main()
