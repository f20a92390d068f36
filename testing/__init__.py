"""What do tests share?

Tiny things to run on: `tiny_run`, `tiny_trees`, `networks`, `foreign_graphs`. Running:
`forked_scripts`, `slow`. Damaged files: `damage`. The pages of the project: `documentation`; those
of reports: `browser`. Flags: `script_flags`, `make_flag_listing`.
"""
