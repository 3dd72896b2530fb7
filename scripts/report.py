"""python scripts/report.py does what spatial-keras report does."""

import sys

from spatial_keras import commands

if __name__ == "__main__":
    commands.main(["report", *sys.argv[1:]])
