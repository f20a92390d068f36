"""How does a checkpoint become one frozen graph?

`freezing` builds it, `folding` makes it smaller, on `editing`; `record` names the parts of exported
models, writes and reads export.json.
"""
