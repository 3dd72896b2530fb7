"""The names that flags take are those of the rooms that they are for."""

from spatial_keras.configuration import choices
from spatial_keras.data import images_on_disk
from spatial_keras.experiments import building, distribution
from spatial_keras.geometry import sampling, warp
from spatial_keras.models import applications
from spatial_keras.training import optimizers
from spatial_keras.zoo import classifiers


def test_they_are_those_of_the_rooms():
    assert choices.COMPOSITIONS == warp.COMPOSITIONS
    assert {*choices.DISTRIBUTIONS} == {"auto", *distribution.BUILDERS}
    assert choices.FILLS == sampling.FILLS
    assert choices.PRECISIONS == tuple(building.POLICIES)
    assert choices.SCHEDULES == tuple(optimizers.SCHEDULES)
    assert choices.STREAMS == images_on_disk.STREAMS
    assert choices.APPLICATION == applications.PREFIX
    assert choices.ZOO == classifiers.PREFIX
