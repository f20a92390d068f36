"""How is a step made faster or smaller without changing what it computes?

`graph_rewrites` (precision, XLA, memory of the processor), `recomputation` (activations computed
twice), `filter_gradients` (matrix products), `free_memory` (what there is).
"""
