"""The embedded default data: a kinematic generator of human motion. No human was measured."""

from tips_ray.data.synthetic.actions import ACTIONS
from tips_ray.data.synthetic.generate import synthesise

__all__ = ["ACTIONS", "synthesise"]
