"""What happens in a training step, and around it?

`options`, then `graph` (the whole step) from `losses`, `learning_rate`, `gradients`, `summaries`.
Around it: `loop`, `session`, `hooks`. Its readable ends: `loss_errors`, `memory_errors`.
"""
