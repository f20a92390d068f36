"""Which training was better?

`compare_runs` compares two evaluations, `plot_losses` draws the losses of several runs.
"""
