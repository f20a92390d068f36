"""What lies in the folder of a run?

`run_record` (run.json, and what differs from it when the run is continued), `run_lock` (one
training at a time), `loss_table` (losses.csv).
"""
