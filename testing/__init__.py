"""What do tests share?

Tiny things to run on: `tiny_run`, `tiny_trees`, `tiny_cluster`, `shallow_network`. Running:
`forked_scripts`, `slow`. The pages: `documentation_pages`, `documented_commands`. Damage: `damage`,
`folders`. Pictures and pages: `wide_png`, `browser`. Networks: `golden_weights`, `atrous`. Flags:
`script_flags`, `make_flag_listing`.
"""
