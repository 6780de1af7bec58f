# What is your site's own, in one place. Copy to slurm/site.sh, which git ignores, edit, and before a run:
#
#     source slurm/site.sh
#     snakemake --profile slurm
#
# Jobs get the environment of the shell that runs Snakemake: modules and the virtual environment activated here hold there.

export ETHOS_SLURM_ACCOUNT=my_project     # leave out where Slurm knows your account
export ETHOS_SLURM_PARTITION=gpu          # leave out for the default partition
export ETHOS_SLURM_CPU_PARTITION=cpu      # of jobs without a GPU; leave out where they may go to the same
export ETHOS_SLURM_GPU_TYPE=a100          # as `sinfo --format=%G` has it; leave out for any, and where it has a hyphen
export ETHOS_SLURM_CONSTRAINT=80gb        # a feature that a GPU's node must have (`sinfo --format=%f`); leave out for none

# module load python/3.11 cuda
source .venv/bin/activate
