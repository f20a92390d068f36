"""What network is a checkpoint of?

`inspect_checkpoint` is the program; `weight_names` reads names and finds the backbone,
`graph_strides` what a frozen graph strides; `architecture_guess` concludes on all options.
"""
