"""python scripts/zoo.py does what spatial-keras zoo does."""

import sys

from spatial_keras import commands

if __name__ == "__main__":
    commands.main(["zoo", *sys.argv[1:]])
