"""The immutable record of everything that shapes the network."""
import typing


class ModelOptions(typing.NamedTuple):
  """Options of the model graph; the same values in train, eval, vis and export.

  Attributes:
    outputs_to_num_classes: dict, output name -> number of classes, e.g. {'semantic': 21}.
    crop_size: (height, width) of the network input in pixels, or None when unknown.
    atrous_rates: rates of the 3x3 ASPP branches, or None for no such branch.
    output_stride: ratio of input size to backbone feature size.
    preprocessed_images_dtype: dtype the backbone computes in.
    merge_method: 'max' or 'avg' over the logits of an image pyramid.
    add_image_level_feature: whether ASPP has the image pooling branch.
    image_pooling_crop_size: (height, width) that sizes the pooling window; None: crop_size.
    image_pooling_stride: (vertical, horizontal) stride of the image pooling window.
    aspp_with_batch_norm: whether the ASPP branches exist (DeepLab v3); without them one
      convolution per atrous rate gives logits that are summed (DeepLab v2).
    aspp_with_separable_conv: whether 3x3 ASPP convolutions are depthwise separable.
    multi_grid: unit rates of the last backbone block, or None for the backbone's own.
    decoder_output_stride: list of strides refined by the decoder, descending; None: none.
    decoder_use_separable_conv: whether decoder convolutions are depthwise separable.
    logits_kernel_size: kernel size of the logits convolution.
    model_variant: row of the backbone table.
    depth_multiplier: width factor of MobileNet.
    divisible_by: MobileNet channel counts are rounded to multiples of it; None: 8 at
      multiplier 1, else 1.
    prediction_with_upsampled_logits: whether labels come from logits resized to the image
      size (True) or from resized labels (False).
    dense_prediction_cell_config: list of branch dicts that replace ASPP, or None.
    nas_stem_output_num_conv_filters: stem width of the NAS backbones.
    use_bounded_activation: whether activations are bounded to [0, 6] (Xception, head).
    batch_norm_decay: decay of the moving averages of batch norm while training, or None
      for each network's own (0.95 to 0.9997, made for tens of thousands of steps).
    quantize_delay_step: global step from which training simulates 8-bit integers, see
      core/quantization.py; without training every value >= 0 does; negative: never.
    quantize_freeze_step: global step from which such training uses the moving averages of
      batch norm; None: never.
  """
  outputs_to_num_classes: dict
  crop_size: typing.Optional[typing.Sequence[int]] = None
  atrous_rates: typing.Optional[typing.Sequence[int]] = None
  output_stride: int = 8
  preprocessed_images_dtype: typing.Any = 'float32'
  merge_method: str = 'max'
  add_image_level_feature: bool = True
  image_pooling_crop_size: typing.Optional[typing.Sequence[int]] = None
  image_pooling_stride: typing.Sequence[int] = (1, 1)
  aspp_with_batch_norm: bool = True
  aspp_with_separable_conv: bool = True
  multi_grid: typing.Optional[typing.Sequence[int]] = None
  decoder_output_stride: typing.Optional[typing.Sequence[int]] = None
  decoder_use_separable_conv: bool = True
  logits_kernel_size: int = 1
  model_variant: str = 'mobilenet_v2'
  depth_multiplier: float = 1.0
  divisible_by: typing.Optional[int] = None
  prediction_with_upsampled_logits: bool = True
  dense_prediction_cell_config: typing.Optional[typing.Sequence[dict]] = None
  nas_stem_output_num_conv_filters: int = 20
  use_bounded_activation: bool = False
  batch_norm_decay: typing.Optional[float] = None
  quantize_delay_step: int = -1
  quantize_freeze_step: typing.Optional[int] = None

  @property
  def pooling_window(self):
    """(height, width) that images must hold for image pooling, or None where any will do."""
    return self.image_pooling_crop_size if has_image_pooling(
        self.aspp_with_batch_norm, self.add_image_level_feature,
        self.dense_prediction_cell_config is not None) else None


def has_image_pooling(aspp_with_batch_norm, add_image_level_feature, dense_prediction_cell):
  """Whether the head of a network with these options pools; a cell does so by itself."""
  return bool(aspp_with_batch_norm and (add_image_level_feature or dense_prediction_cell))
