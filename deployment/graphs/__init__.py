"""How does a checkpoint become one frozen graph?

`freezing` builds it, `folding` makes it smaller, on `editing`; `record` names its nodes and writes
export.json.
"""
