"""How are files of segments read, compared and reported?

Layouts: `coco` and `id_folders`, Cityscapes among them; `images` reads and compares, `report` shows
the results. Something to try it on: `make_sample`.
"""
