"""How is a step made faster or smaller without changing what it computes?

`graph_rewrites` (precision, XLA, gradients as matrix products), `recomputation` (activations
computed twice), `memory` (what there is, and what a step takes).
"""
