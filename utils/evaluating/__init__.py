"""How are labels and predictions of a split counted?

`counting` is the graph and the pass over a split, `checkpoints` does it for each checkpoint of a
run and keeps the best.
"""
