"""What does eval.py count, and how is it shown?

`segmentation_metrics` and `boundary_metrics` are the numbers, `image_results` those of each image;
`report`, `charts` and `html_report` show them.
"""
