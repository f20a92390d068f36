"""What can be wrong with a record, and who finds it?

`findings` is the table of faults. `scan` looks at a shard in numpy; `examination` and `report` are
the doctor; `quick_look` is before every run; `in_graph` and `bad_records` are inside the input
pipeline.
"""
