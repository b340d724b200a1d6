#!/bin/bash
# A study on Slurm: one Ray over all nodes of the job, which ends with it.
#
#   sbatch cluster.slurm.sh stability --preset paper --data poses.npz --num-workers 4    # from the root of the repository
#
# What follows the file's name is a command of tips-ray. Needs .venv (`make study` makes it) and this folder on a disk that all
# nodes see. A job that is preempted, or reaches its time limit, goes back into the queue and continues with every epoch that
# was stored. At its end Ray stops all Ray processes that you run on these nodes: hence --exclusive. Change what says CHANGE.
#SBATCH --job-name=tips-ray
#SBATCH --nodes=2                  # CHANGE
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
##SBATCH --gpus-per-node=4         # CHANGE: one # less, and give the study --gpus-per-worker
#SBATCH --time=24:00:00            # CHANGE
#SBATCH --requeue
#SBATCH --signal=TERM@120
#SBATCH --open-mode=append
set -uo pipefail
export PATH="$PWD/.venv/bin:$PATH" TIPS_RAY_STORAGE="${TIPS_RAY_STORAGE:-$PWD/reports}"
export RAY_AUTH_MODE=token         # who has the token below, and nobody else, can use this Ray
[ -f ~/.ray/auth_token ] || ray get-auth-token --generate > /dev/null
chmod 600 ~/.ray/auth_token
# Jobs on one node would disturb each other's ports: each has its own.
address=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):$((20000 + SLURM_JOB_ID % 10000))
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300 RAY_raylet_start_wait_time_s=300    # seconds: shared disks are slow
export ENDED="$PWD/.slurm-$SLURM_JOB_ID"    # holds the study's exit code; symmetric-run has none where Ray did not start
srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 \
  ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" --disable-usage-stats -- \
  env RAY_ADDRESS="$address" bash -c 'tips-ray "$@"; echo $? > "$ENDED"' tips-ray "$@"
code=$(cat "$ENDED" 2> /dev/null || echo 143)
rm -f "$ENDED"
# Ended by a signal, or never begun: again, but not for ever.
[ "$code" -ge 128 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ] && scontrol requeue "$SLURM_JOB_ID"
exit "$code"
