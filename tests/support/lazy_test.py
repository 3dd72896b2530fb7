import subprocess
import sys

import tensorflow

from spatial_keras.support.lazy import tf


def test_what_is_asked_for_is_tensorflows():
    assert tf.constant is tensorflow.constant and tf.keras is tensorflow.keras


def test_it_is_not_imported_before():
    script = (
        "import sys; sys.argv = ['spatial-keras']\n"
        "from spatial_keras.training.search import SEARCHES\n"
        "assert 'tensorflow' not in sys.modules and len(SEARCHES) == 3\n"
        "from spatial_keras.support.lazy import tf\n"
        "assert tf.__name__ == 'tensorflow' and 'tensorflow' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
