"""What is said of figures to readers who do not see them."""

import plotly.graph_objects as go

from tips_ray.report.alt_text import result_of
from tips_ray.report.base import plain


def said(figure: go.Figure) -> str:
    return result_of(plain(figure))


def test_of_lines_the_last_values_and_their_intervals_are_said() -> None:
    figure = go.Figure(
        [
            go.Scatter(x=[1, 2, 2, 1], y=[9, 9, 1, 1], mode="lines", showlegend=False),
            go.Scatter(
                x=[1, 2, 3],
                y=[50.0, 34.7, None],
                customdata=[[40, 60], [34.5, 35.3], [0, 0]],
                mode="lines",
                name="single (n = 4)",
            ),
            go.Scatter(x=[1, 2], y=[70.0, 58.9], mode="lines", name="a<b & c"),
        ]
    )
    figure.update_xaxes(title_text="epoch").update_yaxes(title_text="error (mm)")
    assert said(figure) == "error (mm) at epoch 2: single 34.7 (34.5 to 35.3), a<b & c 58.9."


def test_of_effects_the_uppermost_and_of_a_heat_map_the_largest_is_said() -> None:
    words = [["symmetry", "−2.0 mm (−3.0 to −1.0, n = 4)"], ["knees", "+1.0 mm"]]
    forest = go.Figure(
        go.Scatter(x=[-2, 1], y=[0, 1], error_x={"array": [1, 1]}, mode="markers", name="all epochs", customdata=words)
    )
    assert said(forest) == "in the first row, all epochs, symmetry: −2.0 mm (−3.0 to −1.0, n = 4)."
    heat = go.Figure(go.Heatmap(z=[[0.1, 0.2], [3.4, None]], x=["knee", "hip"], y=["knee", "hip"])).update_layout(
        title_text="parts"
    )
    assert said(heat) == "parts: the largest of 3 values is 3.4, at hip by knee."


def test_of_points_the_lowest_is_said_and_of_a_scene_nothing() -> None:
    points = go.Figure(go.Scatter(x=[0, 1], y=[40.0, 35.5], mode="markers"))
    points.update_xaxes(title_text="trial").update_yaxes(title_text="error (mm)")
    assert said(points) == "the lowest of 2 points by error (mm) has 35.5, at trial 1."
    assert said(go.Figure(go.Scatter3d(x=[0], y=[0], z=[0], mode="markers"))) == ""
    assert said(points.update_layout(meta={"result": "its own"})) == "its own"
