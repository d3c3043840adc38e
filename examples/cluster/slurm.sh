#!/bin/bash
# A study on several nodes of a SLURM cluster: `sbatch slurm.sh study.yaml results`.
# The first node is the head of a Ray cluster and runs nasaudit; the others join it. If the job is preempted, submit it again:
# what has a record is not done again.
#SBATCH --job-name=nasaudit
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-task=1
#SBATCH --mem=64G
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail
study=$1 out=$2

# The environment of every node, e.g. `module load python; source /shared/venv/bin/activate`: the same nasaudit everywhere.
nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head=${nodes[0]}
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}'):6379
export RAY_AUTH_MODE=token # of ~/.ray/auth_token, in a home that the nodes share: made once by `ray get-auth-token --generate`
cores=$SLURM_CPUS_PER_TASK gpus=${SLURM_GPUS_PER_TASK:-0}

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
  ray start --head --node-ip-address="${address%:*}" --port=6379 --num-cpus="$cores" --num-gpus="$gpus" --block &
until ray status --address "$address" > /dev/null 2>&1; do sleep 2; done
if ((SLURM_NNODES > 1)); then
  srun --nodes=$((SLURM_NNODES - 1)) --ntasks=$((SLURM_NNODES - 1)) --exclude="$head" --overlap \
    ray start --address="$address" --num-cpus="$cores" --num-gpus="$gpus" --block &
fi

# `exec` would lose the others; SLURM ends them with this script.
srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
  nasaudit study run "$study" --out "$out" --executor ray --address "$address" --task-gpus 0.25 --mode retry
