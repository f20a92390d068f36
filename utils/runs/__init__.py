"""What lies in the folder of a run?

`run_record` (run.json), `continued_run` (what differs from it), `run_lock` (one training at a
time), `loss_table` (losses.csv), `best_checkpoint` (a copy of the best).
"""
