"""How is a training started on many machines, and how will it scale?

`cluster_scripts` writes files for Kubeflow and Slurm, `scaling_prediction` computes.
"""
