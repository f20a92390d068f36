"""What is in a record, and what lies beside the shards?

`example` is the record format; `shards` the names and lengths of files; `dataset_info` the
description beside them, with the `image_range` of wide pictures; `class_frequency` counts classes;
`worker_share` is one worker's part.
"""
