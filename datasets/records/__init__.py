"""What is in a record, and what lies beside the shards?

`example` is the record format; `shards` the names and lengths of files, and one worker's part;
`dataset_info` the description beside them, with the `image_range` of wide pictures; `counts` of
sizes and classes, and the weights that balance classes.
"""
