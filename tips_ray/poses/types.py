"""Names for the shapes that travel through the package.

`poses` is any number of leading dimensions; `joints` is 16 inside the networks (the root is
excluded) and 17 in data files.
"""

from jaxtyping import Float
from torch import Tensor

Keypoints = Float[Tensor, "*poses joints 2"]
Depth = Float[Tensor, "*poses joints"]
Pose = Float[Tensor, "*poses joints 3"]
PerPose = Float[Tensor, "*poses"]

KeypointsBatch = Float[Tensor, "poses joints 2"]
DepthBatch = Float[Tensor, "poses joints"]
PoseBatch = Float[Tensor, "poses joints 3"]
Scalar = Float[Tensor, ""]
