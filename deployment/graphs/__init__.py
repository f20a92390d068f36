"""How does a checkpoint become one frozen graph?

`freezing` builds it, `folding` makes it smaller and `cutting` has it begin elsewhere, on `editing`;
`record` names the parts of exported models, writes and reads export.json; `ends` tells those of
models of others, and `fitting` fits pictures to them.
"""
