"""python scripts/tune.py does what spatial-keras tune does."""

import sys

from spatial_keras import commands

if __name__ == "__main__":
    commands.main(["tune", *sys.argv[1:]])
