"""Another runtime lifts alike."""

import numpy as np
import onnxruntime
import pytest

from tips_ray import Lifter
from tips_ray.lift.onnx import onnx_bytes


@pytest.mark.parametrize("shipped", [False, True])
def test_onnxruntime_lifts_as_the_lifter_does(shipped, lifter, pixels):
    lifter = Lifter.open() if shipped else lifter
    session = onnxruntime.InferenceSession(onnx_bytes(lifter), providers=["CPUExecutionProvider"])
    for count in (1, 7, 600):
        (poses,) = session.run(["poses"], {"keypoints": pixels[:count].astype(np.float32)})
        expected = lifter.lift(pixels[:count])
        assert np.abs(poses - expected).max() < 1e-4 * 200  # of a body that is 200 pixels large
    (point,) = session.run(["poses"], {"keypoints": np.full((2, 17, 2), 3, dtype=np.float32)})
    assert (point == 0).all()
