"""Figures of the Similarity page's panels, by their traces and ids."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

from core.plots.matching import grouped_matrix, sorted_match, sparse_path, unit_matrix
from core.plots.pictures import data_uri, image_strip
from core.plots.task_geometry import (
    complexity_figure,
    cosine_figure,
    decodability_figure,
    depth_figure,
    information_figure,
)


def test_every_pair_of_units_has_its_id() -> None:
    values = np.array([[0.9, 0.1, -0.5], [0.2, 0.8, 0.0]])
    figure = unit_matrix(values, [4, 7], [0, 3, 5])
    click = figure.data[1]
    assert [c[0] for c in click.customdata] == ["u4-0", "u4-3", "u4-5", "u7-0", "u7-3", "u7-5"]
    assert "0.90" in click.hovertext[0]
    assert np.array_equal(figure.data[0].z, values)
    assert (figure.data[0].zmin, figure.data[0].zmax) == (-1, 1)


def test_matches_are_sorted_best_first() -> None:
    figure = sorted_match([0.2, 0.9, 0.5], [0.9, 0.6, 0.9], 0.1)
    lines = {t.name: list(t.y) for t in figure.data}
    assert lines["one to one"] == [0.9, 0.5, 0.2]
    assert lines["best partner, repeats allowed"] == [0.9, 0.9, 0.6]
    assert lines["mean for shuffled samples"] == [0.1, 0.1]


def test_the_knee_of_the_sparse_path_is_marked() -> None:
    figure = sparse_path([0, 2, 9], [0, 0.8, 0.82], knee=1)
    assert (figure.data[1].x, figure.data[1].y) == ((2,), (0.8,))


def test_units_are_ordered_by_group_and_groups_divided() -> None:
    values = np.arange(12).reshape(3, 4) / 12
    figure = grouped_matrix(values, [1, 0, 1], [0, 1, 0, 1], [0, 1, 2], [0, 1, 2, 3])
    assert np.array_equal(figure.data[0].z, values[[1, 0, 2]][:, [0, 2, 1, 3]])
    assert len(figure.layout.shapes) == 2


def test_a_model_is_a_line_of_growing_points() -> None:
    path = [("0", "stem", 0.9, 0.1), ("1", "<b>", 0.5, 0.5), ("2", "head", 0.3, 0.9)]
    figure = depth_figure({"m": path}, baseline=0.4, titles={"m": "largest"})
    trace = figure.data[0]
    assert [c[0] for c in trace.customdata] == ["0", "1", "2"]
    assert list(trace.x) == [0.9, 0.5, 0.3]
    assert (np.diff(trace.marker.size) > 0).all()
    assert "&lt;b&gt;" in trace.hovertext[1]
    assert figure.layout.shapes[0].y0 == 0.4


def test_readouts_are_percent_over_relative_depth() -> None:
    figure = decodability_figure({"a": (["x", "y"], [0.5, 1.0])}, chance=0.1)
    assert list(figure.data[0].y) == [50, 100]
    assert list(figure.data[0].x) == [0, 1]
    assert figure.layout.shapes[0].y0 == 10


def test_white_is_the_simplex() -> None:
    cosines = np.array([[1, -0.2, -0.6], [-0.2, 1, -0.5], [-0.6, -0.5, 1.0]])
    trace = cosine_figure(cosines, ["a", "b", "c"], title="A").data[0]
    assert (trace.zmin + trace.zmax) / 2 == -0.5
    assert np.isnan(np.diag(np.array(trace.z, float))).all()


def test_features_are_sorted_by_complexity_and_keep_their_ids() -> None:
    information = np.array([[0.1, 0.2], [0.9, 1.0], [0.5, 0.6]])
    figure = information_figure(information, np.array([0.85, 0.05, 0.45]), ["stem", "head"])
    assert np.array_equal(figure.data[0].z, information[[1, 2, 0]])
    assert [c[0] for c in figure.data[1].customdata] == ["f1", "f1", "f2", "f2", "f0", "f0"]
    scatter = complexity_figure(np.array([0.85, 0.05]), np.array([0.25, 0.75])).data[0]
    assert list(scatter.y) == [25, 75]
    assert [c[0] for c in scatter.customdata] == ["f0", "f1"]


def test_pictures_are_exact_and_captions_escaped() -> None:
    images = np.zeros((2, 1, 3, 3), np.float32)
    images[0, 0, 1, 2] = 1
    html = image_strip(images, ["<script>", "ok"], marked=[False, True])
    assert "<script>" not in html
    assert html.count("ps-marked") == 1
    encoded = re.findall(r"base64,([^\"]+)", html)
    decoded = np.array(Image.open(io.BytesIO(base64.b64decode(encoded[0]))))
    assert decoded[1, 2] == 255
    assert decoded.sum() == 255


def test_color_images_stay_in_color() -> None:
    image = np.zeros((3, 2, 2), np.float32)
    image[1] = 0.5
    encoded = data_uri(image).split(",")[1]
    decoded = np.array(Image.open(io.BytesIO(base64.b64decode(encoded))))
    assert decoded.shape == (2, 2, 3)
    assert decoded[0, 0].tolist() == [0, 128, 0]
