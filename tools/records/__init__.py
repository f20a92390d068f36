"""What will the network see of the records?

`preview` draws training crops, `build_part_labels` draws labels with an exported model.
"""
