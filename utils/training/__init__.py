"""What happens in a training step, and around it?

`options`, then `graph` (the whole step) from `losses`, `optimizing` (learning rate, gradients,
updates), `summaries`. Around it: `loop`, `session` (with its end by signals), `hooks`.
"""
