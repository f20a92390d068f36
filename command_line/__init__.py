"""How does a script read its command line, help with it, and end?

Knows no data and no training. A script's run: `running`, `ending`. Its flags: `declaring` (of
settings), `accepted_forms`, `flag_reading`, `idle_flags`, and those that many share,
`image_flags`. Its help: `flag_groups`, `flag_help`. The `deeplab` command: `subcommands`,
`completion`.
"""
