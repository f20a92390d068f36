"""How does a script read its command line, help with it, and end?

Knows no data and no training. A script's run: `running`, `ending`, `end_signals`. Its flags:
`flag_reading`, `accepted_forms`, `blanks`, `number_flags`, `idle_flags`, and those that many share,
`resize_flags`, `image_limit_flag`, `image_range_flag`. Its help: `flag_groups`, `flag_help`. The
`deeplab` command: `subcommands`, `completion` (from `flag_listing`), `versions`.
"""
