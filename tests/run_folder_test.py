"""A run's folder belongs to one set of flags, and its files are whole or absent."""

import pytest

from spatial_keras.run_folder import FLAGS_FILE, RunFolder, check

FLAGS = {"defense": "wo10_kl", "steps": "800"}


def test_flags_are_kept_as_a_flagfile(tmp_path):
    RunFolder(tmp_path / "a" / "b", FLAGS)
    assert (tmp_path / "a/b" / FLAGS_FILE).read_text() == "--defense=wo10_kl\n--steps=800\n"


def test_the_same_flags_may_come_back(tmp_path):
    RunFolder(tmp_path, FLAGS)
    RunFolder(tmp_path, dict(reversed(FLAGS.items())))
    assert (tmp_path / FLAGS_FILE).read_text() == "--defense=wo10_kl\n--steps=800\n"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**FLAGS, "steps": "801"}, "--steps is 800 there, 801 here"),
        ({"steps": "800"}, "--defense is wo10_kl there, not set here"),
        ({**FLAGS, "lambda": "1.0"}, "--lambda is not set there, 1.0 here"),
    ],
)
def test_other_flags_are_refused_by_name(tmp_path, values, message):
    RunFolder(tmp_path, FLAGS)
    with pytest.raises(ValueError, match=message) as error:
        RunFolder(tmp_path, values)
    assert str(error.value).count("there") == 1  # names only what differs


def test_a_check_leaves_nothing(tmp_path):
    check(tmp_path / "new", FLAGS)
    assert not (tmp_path / "new").exists()
    RunFolder(tmp_path / "old", FLAGS)
    check(tmp_path / "old", FLAGS)
    with pytest.raises(ValueError, match="--steps is 800 there, not set here"):
        check(tmp_path / "old", {"defense": "wo10_kl"})


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write to"):
        RunFolder(tmp_path / "file" / "run", FLAGS)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    folder = RunFolder(tmp_path, FLAGS)
    folder.write_text("a.txt", "old")

    def fail(path):
        path.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        folder.write("a.txt", fail)
    assert (tmp_path / "a.txt").read_text() == "old"


def test_results_come_back(tmp_path):
    folder = RunFolder(tmp_path, FLAGS)
    assert folder.read_results() is None
    folder.write_results({"accuracies": {"grid": 0.5}})
    assert folder.read_results() == {"accuracies": {"grid": 0.5}}
