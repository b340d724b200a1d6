"""How far the time that `--plan` says is from what the study then takes: training and measuring.

    python benchmarks/plan.py    # a quick study of an arm and its student
    python benchmarks/plan.py --preset laptop --data poses.npz ...    # any study of arms

Both are of the machine as it is, so run nothing else. The last line is one JSON object; its ratio
is how many times the longer of the two is the shorter.
"""

import sys
import tempfile
import time

from rich.console import Console

from measure import publish
from tips_ray.campaign.estimate import plan_study
from tips_ray.campaign.run import run_study
from tips_ray.campaign.session import Session
from tips_ray.errors import user_errors
from tips_ray.studies.arm_study import campaign_of
from tips_ray.studies.options import parse
from tips_ray.studies.stability import Study

OPTIONS = ("--arms", "parts", "tips", "--num-epochs", "24")


def main() -> None:
    """Plan a study, carry it out, and publish both times."""
    start_seconds = time.process_time()
    options = sys.argv[1:] or OPTIONS
    with tempfile.TemporaryDirectory() as scratch, user_errors():
        study = parse(Study, "stability", [*options, "--storage", scratch], __doc__)
        campaign = campaign_of(study, "plan")
        session = Session(study.load(), study.data, study.placement, Console(stderr=True))
        plan = plan_study(campaign, session, start_seconds)
        session.console.print(f"Planned: {plan.seconds:.0f} s.")
        began = time.perf_counter()
        ending = run_study(campaign, session)
        took = time.perf_counter() - began
    if ending.unfinished:
        raise SystemExit(f"Not all epochs were trained: {ending}")
    publish(
        "plan",
        max(took, plan.seconds) / min(took, plan.seconds),
        1.3,
        at_least=False,
        options=list(options),
        planned_seconds=round(plan.seconds, 1),
        took_seconds=round(took, 1),
        epoch_seconds={arm.arm: round(arm.epoch_seconds, 3) for arm in plan.arms},
        start_seconds=round(start_seconds, 1),
    )


if __name__ == "__main__":
    main()
