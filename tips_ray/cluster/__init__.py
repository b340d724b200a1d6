"""A study on a Ray cluster, sent and followed by ssh."""

import tips_ray.campaign  # noqa: F401  (what Ray reads when it is imported)
