"""What do people run beside the pipeline?

`benchmarks` measures, `checkpoints` looks into weights, `cluster` starts many machines, `records`
draws training crops, `runs` compares and draws trainings.
"""
