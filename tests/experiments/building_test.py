"""The parts of a run: what of its configuration reaches them."""

import pytest
import tensorflow as tf

from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.experiments import building


@pytest.mark.parametrize(
    ("config", "bounds"),
    [
        (RunConfig(max_rotation=12.0, max_translation=2.5), [2.5, 2.5, 12]),
        (RunConfig(max_translation="12.5%"), [6, 4, 30]),
        (EvaluateConfig(run="a"), [3, 3, 30]),
        (EvaluateConfig(run="a", max_translation="10%", max_rotation=5), [4.8, 3.2, 5]),
        (
            RunConfig(max_translation="12.5%", max_zoom=1.5, max_shear=9.0, flip=True),
            [6, 4, 30, 1.5, 9, 9, 1],
        ),
        (EvaluateConfig(run="a", max_yaw=8.0, field_of_view=90.0, flip=False), [3, 3, 30, 8]),
    ],
)
def test_the_set_of_transformations(config, bounds):
    assert [*building.transformations(config, 32, 48).bounds] == pytest.approx(bounds)


@pytest.mark.parametrize(("gpus", "expected"), [([], False), (["GPU"], True)])
def test_the_choice_of_xla(monkeypatch, gpus, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    found = [building.uses_xla(RunConfig(xla=choice)) for choice in ("auto", "on", "off")]
    assert found == [expected, True, False]
    assert not building.uses_xla(RunConfig(sync_batch_norm=True))
    assert building.uses_xla(EvaluateConfig(run="a")) == expected


@pytest.mark.parametrize("fill", [None, "reflect"])
def test_the_warp_fills_as_asked(fill):
    warp = building.warp(RunConfig(fill=fill), xla=True)
    assert (warp.fill, warp.implementation) == (fill or "black", "gather")
