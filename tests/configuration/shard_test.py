"""Which images a part takes."""

import numpy as np

from spatial_keras.configuration.shard import Shard


def test_every_image_is_in_one_part():
    for images, count in ((17, 3), (8, 8), (5, 1)):
        places = [Shard(number, count).places(images) for number in range(1, count + 1)]
        assert sorted(np.concatenate(places)) == list(range(images))
    assert Shard.parse("2/8") == Shard(2, 8)
