"""How is a checkpoint found, compared with a graph, and restored?

`folder` finds the newest whole one, `restoring` compares and restores it (`hints` says what
differs), `initial_weights` starts a network from another's weights, `sessions` opens the session
that saves.
"""
