"""What does eval.py count, and how is it shown?

`segmentation_metrics` and `boundary_metrics` are the numbers, `image_results` those of each image;
`report` and `html_report`, the page and its charts, show them.
"""
