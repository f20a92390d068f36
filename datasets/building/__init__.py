"""How is a folder of pictures turned into shards?

`spec` declares a raw dataset and what of it a machine builds, `listing` finds its files,
`label_kinds` is the table of the forms that labels have; `builder` shares the work out,
`shard_writer` writes a shard and tells which are finished. `unpack` opens archives.
"""
