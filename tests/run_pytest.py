"""Runs pytest on the files it is given: the main of each py_test, for a test file runs nothing."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["-p", "no:cacheprovider", *sys.argv[1:]]))
