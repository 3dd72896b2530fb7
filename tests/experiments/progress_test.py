"""The bar counts steps and shows the metrics."""

import numpy as np

from spatial_keras.experiments import progress


def test_the_bar_goes_on_from_the_first_step_and_shows_the_metrics(capsys):
    bar = progress.ProgressBar(steps=10, first_step=8)
    bar.on_train_begin()
    for step in range(2):
        bar.on_train_batch_end(
            step, {"loss": np.float32(1.25), "worst_accuracy": 0.5, "other": 9.0}
        )
    bar.on_train_end()
    last = capsys.readouterr().err.split("\r")[-1]
    assert "10/10" in last and "loss=1.250" in last and "worst=0.500" in last
    assert "natural" not in last and "other" not in last


def test_a_bar_that_is_not_on_a_terminal_is_drawn_seldom():
    assert progress.bar(10, "grid", " points").mininterval >= 10


def test_passes_shrink_to_what_standing_images_need(capsys):
    with progress.PassBar("grid") as bar:
        bar.update(20, 80, 5)
        bar.update(40, 0, 2)
    last = capsys.readouterr().err.split("\r")[-1]
    assert "grid: 100%" in last and "40/40" in last and "survived=2" in last


def test_what_is_not_the_chief_shows_nothing(capsys):
    bar = progress.ProgressBar(steps=10, is_shown=False)
    bar.on_train_begin()
    for step in range(20):
        bar.on_train_batch_end(step, {"loss": np.float32(1.25)})
    bar.on_train_end()
    with progress.PassBar("grid", is_shown=False) as passes:
        for number in range(20):
            passes.update(20 * number, 80, 5)
    assert capsys.readouterr().err == ""


def test_a_long_training_says_once_how_long_it_takes(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    bar = progress.ProgressBar(steps=1000)
    bar.on_train_begin()
    for step in range(30):
        now[0] += 100.0 if step == 0 else 2.0  # the first one has the tracing
        bar.on_train_batch_end(step, {"loss": np.float32(1.25)})
    bar.on_train_end()
    said = [line for line in capsys.readouterr().err.splitlines() if "About" in line]
    assert len(said) == 1 and said[0].endswith("About 32:58 for the other 989 steps.")


def test_a_long_evaluation_says_once_how_long_it_takes_at_most(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.PassBar("grid of 20,925 points") as bar:
        for number in range(1, 31):
            now[0] += 100.0 if number == 1 else 0.5  # the first one has the tracing
            bar.update(256 * number, 1_000_000 - 256 * number, 360)
    said = [line for line in capsys.readouterr().err.splitlines() if "about" in line]
    assert len(said) == 1
    assert said[0].endswith("grid of 20,925 points: 997,184 passes more at most, about 32:27.")
