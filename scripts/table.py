"""python scripts/table.py does what spatial-keras table does."""

import sys

from spatial_keras import commands

if __name__ == "__main__":
    commands.main(["table", *sys.argv[1:]])
