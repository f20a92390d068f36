"""How do pictures become records, and records batches?

Builders: `build_data` (public helpers) and the other `build_*` scripts; each says on its first line
of what. Reading: `registry` (which sets there are), then `data_generator` (the input pipeline).
Looking: `doctor`, `remove_gt_colormap`. The folders: `labels`, `building`, `records`, `checks`,
`flags`, `forma`, `sample_people`.
"""
