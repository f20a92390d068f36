"""What happens to an image between its file and the network, and back to a picture?

What varies: `augmentation`. Where pixels go: `resizing`, `geometry`, `affine`, `crop_geometry`,
`leg_cut`. Their colours: `photometric`. All in one pass over the file: `one_pass_crop`. Checks
before and inside the graph: `limits`, `input_errors`. Before them, from files: `orientation`,
`wide_pictures`. After them, for people: `painting`.
"""
