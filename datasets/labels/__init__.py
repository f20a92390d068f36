"""In which forms do labels come, and how do they become class ids?

Start with `pairs` (an image and its label map) and `label_sources` (what is not a PNG of class
ids). One file per form: `coco_labels`, `labelme`, `yolo_labels`, `datumaro_labels`, and
`forma_labels` for the sources of the Forma sets; `areas` draws, `raw_files` reads without loss.
Names and colours: `class_names`.
"""
