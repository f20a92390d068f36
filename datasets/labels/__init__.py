"""In which forms do labels come, and how do they become class ids?

Start with `pairs` (an image and its label map) and `label_sources` (what is not a PNG of class
ids). One file per form: `label_files`, `coco_labels`, `labelme`, `yolo_labels`, `datumaro_labels`,
`fashion_masks`; `areas` draws, `left_out` tells what was not drawn, `raw_files` and `jpeg_check`
look at the bytes. Names and colours: `class_names`; mappings: `label_maps`.
"""
