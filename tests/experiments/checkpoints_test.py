"""A restored run goes on bit for bit, from what is whole; a run that diverges stops."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.experiments import checkpoints
from spatial_keras.experiments.interruption import DivergedError
from spatial_keras.support import files
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


def trained(folder, steps=4):
    """Returns the state at each of the checkpoints of a run, by step."""
    model = small.robust_model()
    states = {}

    class Remember(checkpoints.Checkpoints):
        def save(self):
            super().save()
            states[self.step] = state(model)

    fit(model, Remember(model, folder, 2), steps)
    return states


def damage(file, kind):
    content = bytearray(file.read_bytes())
    if kind == "flipped":
        content[len(content) // 2] ^= 0xFF
    file.write_bytes({"cut": content[:40], "flipped": content, "empty": b""}[kind])


@pytest.mark.parametrize("kind", ["cut", "flipped", "empty"])
@pytest.mark.parametrize("part", ["data-00000-of-00001", "index"])
def test_of_damaged_checkpoints_the_newest_that_reads_is_restored(tmp_path, part, kind):
    states = trained(tmp_path)
    damage(tmp_path / f"ckpt-4.{part}", kind)
    model = small.robust_model()
    saver = checkpoints.Checkpoints(model, tmp_path, 2)
    assert saver.restore() == 2
    for expected, found in zip(states[2], state(model)):
        np.testing.assert_array_equal(expected, found)
    assert "ckpt-4 is damaged" in saver.notes[0] and "2 lost steps" in saver.notes[1]
    assert not any("\n" in note for note in saver.notes)
    fit(model, saver, 2)
    repaired = small.robust_model()
    assert checkpoints.Checkpoints(repaired, tmp_path, 2).restore() == 4
    for expected, found in zip(states[4], state(repaired)):
        np.testing.assert_array_equal(expected, found)


def test_half_a_checkpoint_is_not_restored(tmp_path):
    trained(tmp_path)
    (tmp_path / "ckpt-4.data-00000-of-00001").unlink()
    assert checkpoints.Checkpoints(small.robust_model(), tmp_path, 2).restore() == 2


@pytest.mark.parametrize("content", [None, b"", b"\x00\xff garbage"])
def test_the_list_of_checkpoints_is_not_needed(tmp_path, content):
    trained(tmp_path)
    (tmp_path / "checkpoint").unlink(missing_ok=True)
    if content is not None:
        (tmp_path / "checkpoint").write_bytes(content)
    assert checkpoints.Checkpoints(small.robust_model(), tmp_path, 2).restore() == 4


def test_if_none_reads_that_is_one_line_which_advises_no_deletion(tmp_path):
    trained(tmp_path)
    for file in tmp_path.glob("*.index"):
        damage(file, "cut")
    with pytest.raises(ValueError, match="no checkpoint in .* can be read") as error:
        checkpoints.Checkpoints(small.robust_model(), tmp_path, 2).restore()
    assert "\n" not in str(error.value) and "delete" not in str(error.value)


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(ValueError, match="is a file, where the checkpoints belong"):
        checkpoints.Checkpoints(small.robust_model(), tmp_path / "checkpoints", 2).restore()


@pytest.mark.parametrize("name", ["b[1]", "a*", "c?", "{d}"])
def test_folders_that_look_like_patterns(tmp_path, name):
    (tmp_path / "a1").mkdir()
    (tmp_path / "a1" / "ckpt-2.index").write_text("of another run")
    trained(tmp_path / name, 6)
    model = small.robust_model()
    assert checkpoints.Checkpoints(model, tmp_path / name, 2).restore() == 6
    assert {file.stem for file in (tmp_path / name).iterdir()} >= {"ckpt-4", "ckpt-6"}
    assert not (tmp_path / name / "ckpt-2.index").exists()
    assert (tmp_path / "a1" / "ckpt-2.index").exists()


def test_timings_survive(tmp_path):
    model = small.robust_model()
    saver = checkpoints.Checkpoints(model, tmp_path, 2)
    saver.times.steps += [0.5, 0.25, 0.75]
    saver.times.searches += [0.125]
    fit(model, saver, 2)
    assert saver.train_seconds > 0
    again = checkpoints.Checkpoints(small.robust_model(), tmp_path, 2)
    again.restore()
    assert 0 < again.train_seconds <= saver.train_seconds
    assert (again.times.steps, again.times.searches) == ([0.5, 0.25, 0.75], [0.125])


def test_a_save_that_fails_leaves_nothing_and_the_one_before(tmp_path, monkeypatch):
    states = trained(tmp_path, 2)
    model = small.robust_model()
    saver = checkpoints.Checkpoints(model, tmp_path, 1)
    saver.restore()

    def fail(self, path):
        pathlib.Path(f"{path}.data-00000-of-00001").write_bytes(b"half")
        raise tf.errors.ResourceExhaustedError(None, None, "x; No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.Checkpoint, "write", fail)
        with pytest.raises(files.WriteError, match="ckpt-3: No space left on device"):
            fit(model, saver, 1)
    assert not list(tmp_path.glob("*ckpt-3*"))
    model = small.robust_model()
    assert checkpoints.Checkpoints(model, tmp_path, 2).restore() == 2
    for expected, found in zip(states[2], state(model)):
        np.testing.assert_array_equal(expected, found)


def test_a_loss_that_is_nan_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    model = small.robust_model(learning_rate=1e30)
    with pytest.raises(DivergedError, match="at step"):
        fit(model, checkpoints.Checkpoints(model, tmp_path, 1), 20)
    good = small.robust_model()
    checkpoints.Checkpoints(good, tmp_path, 1).restore()
    assert all(np.isfinite(value).all() for value in state(good))


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    model = small.robust_model()
    callback = checkpoints.Checkpoints(model, tmp_path, 1)
    model.classifier.set_weights([w * np.nan for w in model.classifier.get_weights()])
    with pytest.raises(DivergedError, match="is not finite at step 0"):
        callback.save()
    assert not list(tmp_path.glob("*.index"))
