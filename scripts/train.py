"""python scripts/train.py does what spatial-keras train does."""

import sys

from spatial_keras import commands

if __name__ == "__main__":
    commands.main(["train", *sys.argv[1:]])
