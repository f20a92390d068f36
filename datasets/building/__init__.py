"""How is a folder of pictures turned into shards?

`spec` declares a raw dataset, `listing` finds its files, `label_kinds` is the table of the forms
that labels have; `builder` shares the work out (`tasks` over machines), `shard_writer` writes a
shard, `manifests` tells finished shards. `public_sets` is what builders of published sets share;
`unpack` opens archives.
"""
