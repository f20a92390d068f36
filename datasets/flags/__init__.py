"""Which flags do scripts share that build or read records?

`building` of builders, `records` of scripts that read them, `augmentation` of training.
"""
