"""How is a network trained, evaluated and looked at?

Public names: `train_utils`, `save_annotation`, `get_dataset_colormap`. Folders: `training`,
`evaluating`, `pictures`; below them `inference`, `runs`, `speed_and_memory`.
"""
