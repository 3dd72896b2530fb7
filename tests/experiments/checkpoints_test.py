"""A restored run goes on bit for bit; a run that diverges stops."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.experiments import checkpoints
from tests import small
from tests.keras_state import optimizer_values


def fit(model, callback, steps):
    data = tf.data.Dataset.from_tensors((small.IMAGES, small.LABELS)).repeat()
    model.fit(data, steps_per_epoch=steps, callbacks=[callback], verbose=0)


def state(model):
    return [*model.classifier.get_weights(), *optimizer_values(model.optimizer)]


def test_a_restored_run_ends_with_the_same_bits(tmp_path):
    whole = small.robust_model()
    fit(whole, checkpoints.Checkpoints(whole, tmp_path / "whole", 100), 7)

    killed = small.robust_model()
    callback = checkpoints.Checkpoints(killed, tmp_path / "killed", 3)
    callback.on_train_end = lambda logs=None: None  # killed before it could save the end
    fit(killed, callback, 5)

    resumed = small.robust_model()
    callback = checkpoints.Checkpoints(resumed, tmp_path / "killed", 3)
    assert callback.restore() == 3
    fit(resumed, callback, 4)
    assert callback.step == 7
    for expected, found in zip(state(whole), state(resumed)):
        np.testing.assert_array_equal(expected, found)


def test_nothing_to_restore_is_step_0(tmp_path):
    assert checkpoints.Checkpoints(small.robust_model(), tmp_path / "none", 3).restore() == 0


def test_the_end_is_saved_once_and_two_are_kept(tmp_path):
    model = small.robust_model()
    fit(model, checkpoints.Checkpoints(model, tmp_path, 2), 6)
    assert {file.stem for file in tmp_path.glob("*.index")} == {"ckpt-4", "ckpt-6"}


@pytest.mark.parametrize("damage", ["data", "index", "list"])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    model = small.robust_model()
    fit(model, checkpoints.Checkpoints(model, tmp_path, 2), 2)
    if damage == "list":
        (tmp_path / "checkpoint").unlink()
    for file in tmp_path.glob(f"ckpt-2.{damage}*"):
        file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(ValueError, match="delete the") as error:
        checkpoints.Checkpoints(small.robust_model(), tmp_path, 2).restore()
    assert "\n" not in str(error.value)


def test_a_loss_that_is_nan_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    model = small.robust_model(learning_rate=1e30)
    with pytest.raises(checkpoints.DivergedError, match="at step"):
        fit(model, checkpoints.Checkpoints(model, tmp_path, 1), 20)
    good = small.robust_model()
    checkpoints.Checkpoints(good, tmp_path, 1).restore()
    assert all(np.isfinite(value).all() for value in state(good))


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    model = small.robust_model()
    callback = checkpoints.Checkpoints(model, tmp_path, 1)
    model.classifier.set_weights([w * np.nan for w in model.classifier.get_weights()])
    with pytest.raises(checkpoints.DivergedError, match="is not finite at step 0"):
        callback.save()
    assert not list(tmp_path.glob("*.index"))
