"""Colours for colour-blind readers, files that are whole, one style whatever the user's own."""

import itertools
import xml.etree.ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib import image as matplotlib_image
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from spatial_keras.figures import style

# Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB.
BLINDNESS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "none": np.eye(3),
}  # fmt: skip
D65 = np.array([0.95047, 1.0, 1.08883])
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lab(color, blindness):
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(BLINDNESS[blindness]) @ linear, 0, 1)
    x, y, z = np.cbrt(np.maximum(np.array(TO_XYZ) @ linear / D65, 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_colour_blind_readers_tell_the_colours_apart(blindness):
    seen = [lab(color, blindness) for color in (*style.PALETTE, "white")]
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
    assert min(distances) > 12  # about 2 is just noticeable
    # The control: red and green do not pass for those who cannot tell them apart.
    red, green = lab("#c04030", "deutan"), lab("#508020", "deutan")
    assert np.linalg.norm(red - green) < 12


def test_many_lines_differ_in_colour_or_mark():
    looks = [tuple(style.mark(number).values()) for number in range(63)]
    assert len(set(looks)) == 63
    for first, second in itertools.combinations(looks[:7], 2):
        assert first[0] != second[0] and first[1] != second[1]


def drawing():
    figure = style.new_figure(style.COLUMN, 1)
    figure.subplots().plot([1, 3, 2])
    return figure


def test_both_files_are_written_whole(tmp_path):
    png, svg = style.save(drawing(), tmp_path / "new", "a")
    assert [file.name for file in (png, svg)] == ["a.png", "a.svg"]
    assert sorted(file.name for file in png.parent.iterdir()) == ["a.png", "a.svg"]
    pixels = matplotlib_image.imread(png)
    assert pixels.shape[:2] == (300, 990) and pixels.std() > 0
    root = xml.etree.ElementTree.parse(svg).getroot()
    assert root.get("width").endswith("pt") and len(list(root.iter())) > 30


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    first, second = (
        [file.read_bytes() for file in style.save(drawing(), tmp_path / name, "a")]
        for name in ("one", "two")
    )
    assert first == second
    assert style.to_svg(drawing()) == style.to_svg(drawing())


def test_the_users_style_neither_matters_nor_changes(tmp_path):
    draw = style.styled(drawing)
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "svg.fonttype": "none"}):
        user = dict(matplotlib.rcParams)
        figure = draw()
        (_, svg) = style.save(figure, tmp_path, "a")
        assert dict(matplotlib.rcParams) == user
    assert figure.axes[0].lines[0].get_linewidth() == 1
    assert "<text" not in svg.read_text()  # letters are outlines


def test_a_figure_that_cannot_be_rendered_leaves_nothing(tmp_path):
    figure = Figure()
    figure.text(0, 0, r"$\no_such_symbol$")
    with pytest.raises(ValueError, match="no_such_symbol"):
        style.save(figure, tmp_path, "a")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_drawn_is_refused():
    for arrays, message in [
        ({"a": []}, "^a must not be empty"),
        ({"a": [1.0, np.nan]}, "^a must be finite"),
        ({"a": [1.0], "b": [np.inf]}, "^b must be finite"),
        ({"a": ["x", "y"], "b": [1.0]}, "^b must be as many as a, 2, got 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            style.check(**arrays)
