"""python scripts/evaluate.py does what spatial-keras evaluate does."""

import sys

from spatial_keras import commands

if __name__ == "__main__":
    commands.main(["evaluate", *sys.argv[1:]])
