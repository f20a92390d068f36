"""How good is it?

The metrics of whole-image parsing, with public names: `base_metric`, `panoptic_quality`,
`parsing_covering`, `streaming_metrics` in a graph, `eval_coco_format` the script, `test_utils`
scenes for tests. Folders: `semantic` for eval.py, `panoptic` for files of
segments.
"""
