"""What can be wrong with a record, and who finds it?

`rules` is the rule book: the table of faults, and what one record must satisfy. `examination` and
`report` are the doctor; `in_runs` is what training and evaluation do: the quick look before, the
checks in the graph, and the name of the record in the error.
"""
