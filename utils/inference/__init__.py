"""How does the network run on a split or on pictures of any size?

`batches` of a split and `tiles` of pictures; `sessions` over checkpoints; `flags`
are the flags of both.
"""
