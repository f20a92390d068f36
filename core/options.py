"""The settings that shape the network: one row each, in an immutable record."""
from deeplab.core import backbones, settings
from deeplab.core.settings import FLOATS, INTS, LIST, NO_FLAG, Setting

BACKBONE, NETWORK, HEAD = 'backbone', 'network', 'head of the network'
RESOLUTION = 'resolution of the features, quantisation'
FINE_TUNING, OPTIMISATION = 'fine-tuning', 'optimisation'

# Of the training alone: other scripts take such flags, and do without.
OF_TRAINING = (OPTIMISATION, FINE_TUNING)

# Not in the record: the network is built once for each scale.
IMAGE_PYRAMID = Setting(
    None, 'Input scale, over 0, whose logits are merged with those of the others; each costs a '
    'pass of the network. Default: 1 alone.', FLOATS, group=NETWORK)
# What scripts take unless told otherwise: size of crops; stride, but for export and records, which
# have that of the row.
CROP_SIZE = (513, 513)
OUTPUT_STRIDE = 16
# What ModelOptions holds itself, as dense_prediction_cell_config.
DENSE_PREDICTION_CELL_JSON = Setting(
    '', 'JSON file of a dense prediction cell that replaces ASPP, or the JSON text itself; empty: '
    'ASPP.', group=HEAD)
# Decided for each use of a network: weights fit whatever these are.
PER_USE = ('merge_method', 'prediction_with_upsampled_logits')


@settings.record
class Averaging(object):
  """Passes of the network over an image, whose probabilities are averaged."""
  eval_scales = Setting(
      (1.0,), 'Input scale, over 0, whose probabilities are averaged with those of the others: '
      'often more accurate, each costs a pass.', FLOATS, group='averaging over several passes')
  add_flipped_images = Setting(
      False, 'Also averages over left-right mirrored images; twice the passes.')


@settings.record
class NetworkOptions(object):
  """Options of the model graph; the same values in train, eval, vis and export."""
  outputs_to_num_classes = Setting({}, 'Output -> number of classes, e.g. {"semantic": 21}.')
  crop_size = Setting(None, '(height, width) of the input in pixels, or None when unknown.')
  atrous_rates = Setting(
      None, 'Rate of a 3x3 ASPP branch, in features: 6 12 18 at output_stride 16, 12 24 36 at 8. '
      'Default: no such branch.', INTS, at_least=1, group=RESOLUTION)
  output_stride = Setting(
      8, 'Input size over feature size: 8, 16 or 32; lower is finer, slower and takes more memory.',
      at_least=1)
  preprocessed_images_dtype = Setting(
      'float32', 'dtype the backbone computes in.', group=NO_FLAG)
  merge_method = Setting(
      'max', 'How the logits of an image pyramid are merged.', choices=('max', 'avg'),
      group=NETWORK)
  add_image_level_feature = Setting(
      True, 'Adds the image pooling branch to ASPP.', group=HEAD)
  image_pooling_crop_size = Setting(
      None, 'Height,width of the image pooling window, 1 or more, in input pixels. Default: the '
      'crop size.', LIST)
  image_pooling_stride = Setting(
      (1, 1), 'Vertical,horizontal stride of the image pooling window, 1 or more, in features.',
      LIST)
  aspp_with_batch_norm = Setting(
      True, 'Uses ASPP (DeepLab v3); without it logits come straight from the backbone, one '
      'convolution per atrous rate (DeepLab v2).')
  aspp_with_separable_conv = Setting(
      True, 'Makes the 3x3 convolutions of ASPP depthwise separable: fewer weights, faster.')
  multi_grid = Setting(
      None, 'Unit rates of the last backbone block (ResNet, Xception), one per unit, e.g. 1 2 4; '
      'ResNet-18 has two. Default: 1 for all.', INTS, at_least=1, group=NETWORK)
  decoder_output_stride = Setting(
      None, 'Strides, in pixels, refined by the decoder: one or more of 16, 8, 4, 2, descending; 4 '
      'suits most. Finer borders, slower. Default: no decoder.', LIST, group=HEAD)
  decoder_use_separable_conv = Setting(
      True, 'Makes the convolutions of the decoder depthwise separable: fewer weights, faster.')
  logits_kernel_size = Setting(
      1, 'Kernel side of the logits layer, in features; 1 unless aspp_with_batch_norm is off.',
      at_least=1)
  model_variant = Setting(
      'mobilenet_v2',
      'Backbone; MobileNets are fast. One of: %s; ResNets also with _beta.' % ', '.join(
          name for name in sorted(backbones.BACKBONES) if not name.endswith('_beta')),
      group=BACKBONE)
  depth_multiplier = Setting(
      1.0, 'Factor, over 0, on all channel counts of MobileNet: less is smaller, faster and less '
      'accurate.', is_over_zero=True, group=NETWORK)
  divisible_by = Setting(
      None, 'MobileNetV2 channel counts are multiples of this. Default: 8 at depth_multiplier 1, '
      'else 1.', int, at_least=1)
  prediction_with_upsampled_logits = Setting(
      True, 'Labels come from logits resized to the image (smooth borders) instead of resized '
      'labels (faster).', group=HEAD)
  dense_prediction_cell_config = Setting(
      None, 'List of branch dicts that replace ASPP, or None.', group=NO_FLAG)
  nas_stem_output_num_conv_filters = Setting(
      20, 'Filters of the NAS stem (20 or 32 in the papers).', at_least=1, group=NETWORK)
  use_bounded_activation = Setting(
      False, 'Bounds activations to [0, 6]; suits quantisation (Xception, head).')
  aspp_with_concat_projection = Setting(
      True, 'Projects the concatenated branches of ASPP to aspp_convs_filters channels, with '
      'dropout; off: all their channels go on.', group=HEAD)
  aspp_with_squeeze_and_excitation = Setting(
      False, 'Makes image pooling a gate: it multiplies the features of ASPP instead of being a '
      'branch (MobileNetV3).')
  aspp_convs_filters = Setting(
      256, 'Channels of each convolution of ASPP; fewer are faster.', at_least=1)
  decoder_use_sum_merge = Setting(
      False, 'The decoder adds low-level features to those of the encoder, after one convolution '
      'each; off: it concatenates them, and two convolutions follow.')
  decoder_filters = Setting(256, 'Channels of the decoder; fewer are faster.', at_least=1)
  decoder_output_is_logits = Setting(
      False, 'The decoder makes the logits itself, in linear convolutions; decoder_filters is then '
      'the number of classes.')
  image_se_uses_qsigmoid = Setting(
      False, 'The gate of aspp_with_squeeze_and_excitation is relu6(x + 3) / 6 instead of a '
      'sigmoid; suits quantisation.')
  label_weights = Setting(
      None, 'Factor, 0 or more, on the loss of each class, one number per class, or auto: median '
      'frequency / frequency of the class, by the dataset_info.json, within 0.1 to 10. Default: 1 '
      'for all.', LIST, group=OPTIMISATION)
  sync_batch_norm_method = Setting(
      'None', 'How statistics of batch norm are shared among clones: not at all.', group=NO_FLAG)
  batch_norm_decay = Setting(
      None, 'Decay of the moving averages of batch norm, 0..1; 0.99 suits runs of a thousand '
      "steps. Default: each network's own, made for long runs.", float, at_least=0, at_most=1,
      group=FINE_TUNING)
  nas_use_classification_head = Setting(
      False, 'Ends searched networks as image classifiers do: convolutions towards stride 32 and '
      'one of 2048 channels.', group=NETWORK)
  nas_remove_os32_stride = Setting(
      False, 'Cells at stride 32 stay at stride 16, with the same channels (nas_hnasnet).')
  quantize_delay_step = Setting(
      -1, 'Step at which 8-bit fake quantisation starts, 0 or more; negative: none.',
      group=RESOLUTION)
  quantize_freeze_step = Setting(
      None, 'Step from which such training uses the moving averages of batch norm; None: never.',
      group=NO_FLAG)

  @property
  def nas_architecture_options(self):
    """Dict of the settings of searched networks, as the reference groups them."""
    return {name: value for name, value in self._asdict().items() if name.startswith('nas_')}

  @property
  def pooling_window(self):
    """(height, width) that images must hold for image pooling, or None where any will do."""
    return self.image_pooling_crop_size if has_image_pooling(
        self.aspp_with_batch_norm, self.add_image_level_feature,
        self.dense_prediction_cell_config is not None) else None


def has_image_pooling(aspp_with_batch_norm, add_image_level_feature, dense_prediction_cell):
  """Whether the head of a network with these options pools; a cell does so by itself."""
  return bool(aspp_with_batch_norm and (add_image_level_feature or dense_prediction_cell))


# Flags that define the network: with another value the weights do not fit or mean something else.
# What is decided per use (crop sizes, input scales, how labels are resized) is not here.
ARCHITECTURE_FLAGS = tuple(sorted(
    [name for name, row in NetworkOptions.SETTINGS.items()
     if row.group not in (NO_FLAG,) + OF_TRAINING and name not in PER_USE]
    + ['dense_prediction_cell_json']))
