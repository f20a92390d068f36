"""How are files of segments read, matched and reported?

Formats: `coco`, `cityscapes`, `folder_pairs`, from `images` and `categories`. Then `matching` and
`report`. Something to try it on: `sample`, `make_sample`.
"""
