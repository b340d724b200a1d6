"""Searches with Optuna over the configs of a campaign."""

import tips_ray.campaign  # noqa: F401  (what Ray reads when it is imported)
