"""Flags of figures that are refused."""

import pytest

from spatial_keras.configuration import command_line
from spatial_keras.configuration.plot_config import PlotConfig


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "^give either --figures=rotations,cost"),
        (("--all", "--figures=cost"), "^give either"),
        (("--figures=costs",), "unknown --figures 'costs': did you mean 'cost'"),
        (("--all", "--run=/none"), "--run: there is no folder '/none'"),
        (("--all", "--image=-1"), "--image must be in"),
        (("--all", "--image=1"), "--image has no effect without --run"),
        (("--figures=failures", "--run=.", "--data_dir=/none"), "there is no folder '/none'"),
        (("--figures=cost,cost", "--runs=."), "--figures has 'cost' 2 times"),
        (("--all", f"--output_dir={__file__}/x"), "--output_dir: '.*_test.py' is a file, where"),
        (("--figures=cost", "--run=."), "--run has no effect .*--figures=failures,rotations"),
        (("--figures=no_trade_off", "--runs=."), "--runs has no effect"),
        (("--figures=failures", "--run=.", "--image=1"), "--image has no effect .*=rotations"),
        (("--figures=rotations", "--run=.", "--axes=tx"), "--axes has no effect .*=failures"),
        (("--figures=failures", "--run=.", "--axes=tx,ty,zoom"), "--axes must be one or two"),
    ],
)
def test_mistakes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        command_line.parse(PlotConfig, arguments)
