"""`python -m clustermgr.cli`: the same as `clusterctl`."""

import sys

from clustermgr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
