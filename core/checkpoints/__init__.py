"""How is a checkpoint found, compared with a graph, and restored?

`folder` finds the newest whole one, and opens the session that saves; `restoring` compares and
restores it, and `other_models` says what differs and why; `initial_weights` starts a network from
another's weights.
"""
