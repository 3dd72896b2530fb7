"""python scripts/train.py does what python -m spatial_keras train does."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from spatial_keras import commands  # noqa: E402 - TensorFlow reads the level when it is imported

if __name__ == "__main__":
    commands.run("train", sys.argv[1:])
