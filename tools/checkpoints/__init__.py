"""What network is a checkpoint of?

`inspect_checkpoint` is the program; `weight_names` reads names, `backbone_guess` and
`architecture_guess` conclude; `published_kinds` are those to test against.
"""
