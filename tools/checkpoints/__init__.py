"""What network is a checkpoint of?

`inspect_checkpoint` is the program; `weight_names` reads names and finds the backbone,
`architecture_guess` concludes on all options.
"""
