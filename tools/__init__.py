"""What do people run beside the pipeline?

`benchmarks` measures, `checkpoints` looks into weights, `cluster` starts many machines, `demo`
labels sample people before anything is trained, `records` draws training crops, `runs` compares and
draws trainings.
"""
