"""What is the network made of, and what does everything stand on?

First `tf_compat` (the only door to TensorFlow), `keys`, `settings` and the `options` made of them,
`usage` (settings that cannot work). From an image to its features: `feature_extractor` runs a row
of the table in `backbones`; `mobilenet_v2`, `mobilenet_v3`, `xception`, `resnet_v1_beta`, and
`nas_network` with `nas_cell` and `nas_genotypes`. From features to class scores: `aspp` or
`dense_prediction_cell`, `decoder`, and `head`. What layers share: `layers`, `conv2d_ws`, `blocks`,
`quantization`, `utils`. Colours: `colormaps`. `preprocess_utils` has the public names of `images/`.
"""
