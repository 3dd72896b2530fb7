"""What is read back from TensorBoard's files."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from spatial_keras import callbacks
from spatial_keras.experiments import tensorboard
from spatial_keras.training.search import Search
from tests import small

SETTINGS = {"defense": "wo2_kl", "lambda": "0.5", "steps": "6"}


def train(folder, name="wo2_kl", steps=6, first_step=0, search=None, search_from=0, more=()):
    model = small.robust_model(name)
    model.search, model.search_from = search or model.search, search_from
    logs = tensorboard.TensorBoardLogs(
        model, folder, small.IMAGES, small.LABELS, ("a", "b", "c"), first_step, 2, SETTINGS, "a run"
    )
    data = tf.data.Dataset.from_tensors((small.IMAGES, small.LABELS)).repeat()
    history = []
    keep = tf.keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: history.append(dict(logs))
    )
    model.fit(data, steps_per_epoch=steps, callbacks=[*more, keep, logs], verbose=0)
    return logs, history


@pytest.fixture(name="logged", scope="module")
def train_once(tmp_path_factory):
    """The folder of a run's logs, the callback, and Keras's own logs of every step."""
    tf.keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("logs")
    return folder, *train(folder)


def test_scalars_are_the_means_since_the_last_log(logged):
    folder, _, history = logged
    events = small.logged(folder)
    for name in ("loss", "cross_entropy", "regularizer", "natural_accuracy", "worst_accuracy"):
        steps, values = zip(*events[f"train/{name}"])
        assert steps == (2, 4, 6)
        # Keras's running means start again after each log.
        np.testing.assert_allclose(values, [float(history[i][name]) for i in (1, 3, 5)], rtol=1e-6)
    assert [round(float(v), 6) for _, v in events["train/learning_rate"]] == 3 * [0.01]


def test_times_and_the_share_of_the_search(logged):
    folder, logs, _ = logged
    events = small.logged(folder)
    seconds = [float(value) for _, value in events["time/seconds_per_step"]]
    np.testing.assert_allclose(logs.times.seconds_per_step, np.median(seconds[1:]), rtol=1e-6)
    shares = [float(value) for _, value in events["time/search_share"]]
    assert len(shares) == 3 and all(share > 0 for share in shares)
    searches = np.multiply(shares, seconds)
    np.testing.assert_allclose(logs.times.seconds_per_search, np.median(searches[1:]), rtol=1e-4)


class Clock:
    """A clock that stands still but for what takes time by definition."""

    SEARCH = {"ce": 2.0, "kl": 1.0}
    GRADIENT = 5.0

    def __init__(self):
        self.now = 0.0
        self.gradient = tf.keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: self.wait(self.GRADIENT)
        )

    def perf_counter(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


class TimedSearch(Search):
    """Finds nothing, in the time that its objective takes."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.seeds = {"ce": set(), "kl": set()}

    def __call__(self, classifier, images, labels, objective, seed):
        def find(seed):
            self.clock.wait(Clock.SEARCH[objective.name])
            self.seeds[objective.name].add(tuple(seed))
            return np.zeros(shape, np.float32)

        shape = (images.shape[0], 3)
        return tf.ensure_shape(tf.numpy_function(find, [seed], tf.float32), shape)


@pytest.mark.parametrize(
    "name, searches", [("std", None), ("wo2_at", 2.0), ("wo2_kl", 1.0), ("wo2_kl_mix", 1.0 + 2.0)]
)
def test_a_step_is_its_searches_and_its_gradient(tmp_path, monkeypatch, name, searches):
    clock = Clock()
    monkeypatch.setattr(tensorboard, "time", clock)
    search = searches and TimedSearch(clock)
    logs, _ = train(tmp_path, name, search=search, more=[clock.gradient])
    assert logs.times.seconds_per_search == searches
    assert logs.times.seconds_per_gradient == Clock.GRADIENT
    assert logs.times.seconds_per_step == Clock.GRADIENT + (searches or 0)


def test_steps_before_the_search_begins_are_timed_apart(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(tensorboard, "time", clock)
    logs, _ = train(
        tmp_path, "wo2_at", 10, search=TimedSearch(clock), search_from=6, more=[clock.gradient]
    )
    assert logs.times.searches == [0.0, 0.0, 2.0, 2.0]
    assert (logs.times.seconds_per_search, logs.times.seconds_per_gradient) == (2.0, Clock.GRADIENT)
    assert logs.times.seconds_per_step == Clock.GRADIENT + 2.0 / 2
    shares = [float(share) for _, share in small.logged(tmp_path)["time/search_share"]]
    np.testing.assert_allclose(shares, [0, 0, 0, 2 / 7, 2 / 7], rtol=1e-6)


def test_a_run_that_ends_before_its_search_begins(tmp_path):
    logs, _ = train(tmp_path, steps=6, search_from=6)
    assert logs.times.seconds_per_search is None
    assert logs.times.seconds_per_gradient == logs.times.seconds_per_step > 0


def test_the_two_searches_of_a_step_have_draws_of_their_own(tmp_path):
    search = TimedSearch(Clock())
    train(tmp_path, "wo2_kl_mix", search=search)
    assert len(search.seeds["ce"]) == len(search.seeds["kl"]) > 6
    assert not search.seeds["ce"] & search.seeds["kl"]


def test_pictures_of_the_worst_case(logged):
    ((step, value),) = small.logged(logged[0])["worst-case examples"]
    pixels = tf.io.decode_png(value[2])
    assert step == 2 and pixels.shape[0] > 100 and np.std(pixels) > 0


def test_histograms_of_the_worst_transformations(logged):
    events = small.logged(logged[0])
    for name, bound in (("tx_pixels", 3), ("ty_pixels", 3), ("rotation_degrees", 30)):
        steps, values = zip(*events[f"worst/{name}"])
        assert steps == (2, 4, 6)
        for histogram in values:  # rows of (left, right, count)
            assert histogram[:, 2].sum() == len(small.IMAGES)
            assert -bound <= histogram[0, 0] < histogram[-1, 1] <= bound


def test_the_run_is_described(logged):
    events = event_accumulator.EventAccumulator(str(logged[0])).Reload()
    (text,) = small.logged(logged[0])["flags"]
    assert b"--lambda=0.5\n" in text[1].item()
    metadata = events.summary_metadata["_hparams_/session_start_info"]
    found = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
    hparams = found.session_start_info.hparams
    assert hparams["lambda"].number_value == 0.5 and hparams["steps"].number_value == 6
    assert hparams["defense"].string_value == "wo2_kl"
    assert found.session_start_info.group_name == "a run"
    graph = tf.compat.v1.GraphDef.FromString(events.Graph().SerializeToString())
    assert {"images"} < {node.name for node in graph.node}
    assert any(node.op == "MatMul" for node in graph.node)


def test_accuracies_on_the_test_images(tmp_path):
    tensorboard.log_accuracies(tmp_path, 7, {"natural": 0.75, "grid": 0.5})
    events = small.logged(tmp_path)
    assert events == {"test/natural_accuracy": [(7, 0.75)], "test/grid_accuracy": [(7, 0.5)]}


@pytest.mark.parametrize("last", [3, 9])
def test_profile(tmp_path, last):
    train(tmp_path / "logs", "std", steps=4, more=[tensorboard.Profile(tmp_path, 2, last)])
    (file,) = tmp_path.glob("plugins/profile/*/*.xplane.pb")
    assert file.stat().st_size > 1000


def test_impossible_steps_to_profile_are_refused(tmp_path):
    for steps in [(1, 2), (3, 2), (2.5, 3)]:
        with pytest.raises((TypeError, ValueError), match="step to profile must be"):
            tensorboard.Profile(tmp_path, *steps)


def test_without_a_search_there_is_nothing_of_it(tmp_path):
    logs, _ = train(tmp_path, "std")
    tags = set(small.logged(tmp_path))
    assert not {"time/search_share", "worst-case examples", "worst/rotation_degrees"} & tags
    assert logs.times.seconds_per_search is None and logs.times.seconds_per_step > 0


def test_a_resumed_run_goes_on_at_its_step(tmp_path):
    train(tmp_path, steps=3, first_step=7)
    assert [step for step, _ in small.logged(tmp_path)["train/loss"]] == [8, 10]


@pytest.mark.parametrize("steps", [1, 2])
def test_no_time_is_given_that_has_the_tracing_in_it(tmp_path, steps):
    logs, _ = train(tmp_path, steps=steps)
    assert logs.times.seconds_per_step is None and logs.times.seconds_per_search is None
    assert logs.times.data_share is None


def test_the_share_of_a_step_that_waits_for_data(tmp_path, monkeypatch):
    clock, waited = Clock(), [0.0]
    monkeypatch.setattr(tensorboard, "time", clock)

    def wait(batch, logs):
        waited[0] += (3.0, 0.0)[batch == 3]
        clock.wait((3.0, 0.0)[batch == 3])

    model = small.robust_model("std")
    classes = ("a", "b", "c")
    logs = tensorboard.TensorBoardLogs(
        model, tmp_path, small.IMAGES, small.LABELS, classes, every=2, waited=lambda: waited[0]
    )
    watching = [clock.gradient, tf.keras.callbacks.LambdaCallback(on_train_batch_begin=wait), logs]
    data = tf.data.Dataset.from_tensors((small.IMAGES, small.LABELS)).repeat()
    model.fit(data, steps_per_epoch=6, callbacks=watching, verbose=0)
    found = [float(share) for _, share in small.logged(tmp_path)["time/data_share"]]
    expected = [6 / 16, 3 / 13, 6 / 16]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(logs.times.data_share, np.mean(expected[1:]))


@pytest.mark.parametrize(("per_execution", "steps"), [(4, (4, 8)), (8, (8,)), (1, (2, 4, 6, 8))])
def test_logs_come_at_steps_and_not_at_calls(tmp_path, per_execution, steps):
    model = small.robust_model("std")
    model.compile("sgd", jit_compile=False, steps_per_execution=per_execution)
    logs = tensorboard.TensorBoardLogs(
        model, tmp_path / "logs", small.IMAGES, small.LABELS, ("a", "b", "c"), every=2
    )
    grid = callbacks.GridAccuracy(small.IMAGES, small.LABELS, every=2, counts=(1, 1, 3))
    profile = tensorboard.Profile(tmp_path, 2, 3)
    data = tf.data.Dataset.from_tensors((small.IMAGES, small.LABELS)).repeat(8)
    model.fit(data, callbacks=[logs, grid, profile], shuffle=False, verbose=0)
    assert tuple(step for step, _ in small.logged(tmp_path / "logs")["train/loss"]) == steps
    assert tuple(step for step, *_ in grid.history) == steps
    assert bool(list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))) == (per_execution < 8)
