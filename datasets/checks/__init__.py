"""What can be wrong with a record, and who finds it?

`rules` is the rule book: the table of faults, and what one record must satisfy. `examination` and
`report` are the doctor; `quick_look` is before every run; `in_graph` is inside the input pipeline.
"""
