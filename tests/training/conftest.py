"""What the tests of searches judge: a small classifier, and a batch of images with their labels."""

import numpy as np
import pytest

from tests import search_oracles as oracles


@pytest.fixture(scope="module")
def classifier():
    return oracles.classifier()


@pytest.fixture(scope="module")
def batch():
    return oracles.images(oracles.BATCH).astype(np.float32), oracles.labels(oracles.BATCH)
