"""Campaigns executed on Ray, and searches led by Optuna: Tune trials are configs, which train over
several seeds."""

import os
from pathlib import Path

# Ray reads this when it is imported, and a client without it cannot join a cluster that wants a
# token.
if os.environ.get("RAY_ADDRESS") and Path("~/.ray/auth_token").expanduser().exists():
    os.environ.setdefault("RAY_AUTH_MODE", "token")
