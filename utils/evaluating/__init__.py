"""How are labels and predictions of a split counted?

`counting` is the graph and the pass over a split, `during_training` does it for each checkpoint of
a run.
"""
