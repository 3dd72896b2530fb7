"""python scripts/plot.py does what spatial-keras plot does."""

import sys

from spatial_keras import commands

if __name__ == "__main__":
    commands.main(["plot", *sys.argv[1:]])
