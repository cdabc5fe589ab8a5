#!/bin/bash
# One training on two nodes of SLURM: sbatch assets/cluster/slurm.sh, from this folder, which all nodes see.
# The first node's first process writes into PARETOSCOPE_HOME; when time runs out, go on with `resume RUN` in the place of `train ...`.
#SBATCH --job-name=paretoscope
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
set -euo pipefail
MASTER=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MASTER
srun bash -c '.venv/bin/torchrun --nnodes="$SLURM_NNODES" --node-rank="$SLURM_NODEID" --nproc-per-node=4 \
    --master-addr="$MASTER" --master-port=29500 \
    -m core train digits-cnn --data digits --out my.safetensors'
