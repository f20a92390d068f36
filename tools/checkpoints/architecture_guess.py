"""Guesses the options of a model from the names and shapes of its weights.

    found = guess(shapes)               # dict, name -> shape, as of a checkpoint
    found.options                       # ModelOptions with the same variables
    to_flags(found)                     # the same for a command line
    compare(found, shapes)              # builds that model: does it have these variables?

What leaves no trace in names and shapes is filled with what is usual, and said in the notes.
"""
import itertools
import os
import re
import typing

from deeplab import model
from deeplab.core import backbones, dense_prediction_cell, options
from deeplab.core.aspp import ASPP_SCOPE, CONCAT_PROJECTION_SCOPE, IMAGE_POOLING_SCOPE
from deeplab.core.decoder import DECODER_SCOPE
from deeplab.core.keys import OUTPUT_TYPE
from deeplab.core.storage import json_text
from deeplab.core.tf_compat import tf
from deeplab.tools.checkpoints import graph_strides, weight_names

PUBLISHED_CELL = os.path.join(os.path.dirname(os.path.abspath(dense_prediction_cell.__file__)),
                              'dense_prediction_cell_branch5_top1_cityscapes.json')

_USUAL_OUTPUT_STRIDE = 16
_USUAL_DECODER_STRIDE = 4
# ASPP: rate step of the branches at output stride 16, section 4.1 of the v3 paper.
_RATE_STEP = 6
_WITH_MULTI_GRID = ('resnet_v1_50_beta', 'resnet_v1_101_beta')
# A size at which all networks and output strides can be built.
_BUILD_SIZE = 65


class Guess(typing.NamedTuple):
  """What the weights tell of their model."""
  options: options.NetworkOptions  # ModelOptions whose graph has these variables; crop_size None.
  has_head: bool  # Whether layers after the backbone are there; else only the backbone counts.
  # File of the dense prediction cell, None without a cell or where the file is not known; the
  # options then hold a cell with the same variables.
  cell_json: typing.Optional[str]
  seen: typing.List[str]  # List of sentences on what the names say.
  unseen: typing.List[str]  # List of sentences on what they cannot say.


class Comparison(typing.NamedTuple):
  """How a model differs from weights: sorted names. Image classifiers come under unused."""
  missing: typing.List[str]
  reshaped: typing.List[str]
  unused: typing.List[str]
  num_same: int


def guess(shapes, graph_def=None):
  """Returns the Guess for weights, a dict of variable names and their shapes, lists of int.

  The GraphDef of a frozen graph, where they are of one, tells the output stride. Raises ValueError
  if they are not of a model of this code; lists their scopes.
  """
  weights = weight_names.model_shapes(shapes)
  variant = weight_names.find_variant(weights)
  seen, unseen = [], []
  found = options.NetworkOptions({}, model_variant=variant)._replace(
      **weight_names.width_options(variant, weights, seen))
  stride = weight_names.known_output_stride(variant, weights)
  graph_stride = graph_def and graph_strides.output_stride(
      graph_def, backbones.row(variant).scope)
  if stride:
    seen.append('%s: its features have stride %d.' % (variant, stride))
  elif graph_stride:
    stride = graph_stride
    seen.append('output_stride: the convolutions of the graph stride %d pixels.' % stride)
  else:
    stride = _USUAL_OUTPUT_STRIDE
    unseen.append('output_stride: %d is usual; 8 is finer and slower, with twice the rates.'
                  % stride)
  found = found._replace(output_stride=stride)
  if '%s/classification_head_conv/weights' % backbones.BACKBONES[variant].scope in weights:
    found = found._replace(nas_use_classification_head=True)
  has_head = any(name.startswith(tuple(model.get_extra_layer_scopes())) for name in weights)
  cell_json = None
  if has_head:
    head, cell_json = _head_options(found, weights, seen)
    found = found._replace(**head)
    unseen.extend(_unseen_rates(found))
  else:
    seen.append('Backbone only, as trained on ImageNet: for train.py --tf_initial_checkpoint; '
                'eval, vis and export need a head.')
  if weight_names.range_shapes(shapes):
    found = found._replace(quantize_delay_step=0)
    seen.append('Trained with fake quantisation: its ranges are stored.')
    unseen.append('quantize_delay_step: any value from 0 builds the model; training may have '
                  'begun to quantise later.')
  unseen.extend(_always_unseen(found))
  return Guess(found, has_head, cell_json, seen, unseen)


def to_flags(found):
  """Returns the flags of a Guess but for defaults; a cell of unknown file is called CELL.json."""
  chosen = found.options
  flags = ['--model_variant=%s' % chosen.model_variant,
           '--output_stride=%d' % chosen.output_stride]
  flags += ['--atrous_rates=%d' % rate for rate in chosen.atrous_rates or ()]
  if chosen.decoder_output_stride:
    flags.append('--decoder_output_stride=%s' % ','.join(
        str(stride) for stride in chosen.decoder_output_stride))
  defaults = options.NetworkOptions({})
  for name in ('depth_multiplier', 'divisible_by', 'nas_stem_output_num_conv_filters',
               'nas_use_classification_head', 'logits_kernel_size', 'quantize_delay_step',
               'add_image_level_feature', 'aspp_with_batch_norm', 'aspp_with_separable_conv',
               'aspp_convs_filters', 'aspp_with_concat_projection',
               'aspp_with_squeeze_and_excitation', 'image_se_uses_qsigmoid',
               'decoder_use_separable_conv', 'decoder_use_sum_merge', 'decoder_filters',
               'decoder_output_is_logits'):
    value = getattr(chosen, name)
    if value != getattr(defaults, name):
      flags.append('--%s%s' % ('' if value else 'no', name) if isinstance(value, bool)
                   else '--%s=%g' % (name, value))
  if chosen.dense_prediction_cell_config:
    path = os.path.relpath(found.cell_json or 'CELL.json')
    flags.append('--dense_prediction_cell_json=%s' % (
        found.cell_json if path.startswith(os.pardir) else path))
  return flags


def compare(found, shapes):
  """Builds the model of a Guess in a graph of its own; returns its Comparison with weights.

  Raises ValueError if such a model cannot be built.
  """
  stored = dict(weight_names.model_shapes(shapes), **weight_names.range_shapes(shapes))
  weights = {name: list(shape) for name, shape in stored.items()}
  expected = graph_shapes(found)
  return Comparison(
      sorted(name for name in expected if name not in weights),
      sorted(name for name in expected if weights.get(name, expected[name]) != expected[name]),
      sorted(name for name in weights if name not in expected),
      sum(weights.get(name) == shape for name, shape in expected.items()))


def graph_shapes(found):
  """Returns dict, name -> shape of the variables of the model of a Guess."""
  chosen = found.options
  with tf.Graph().as_default():
    model.multi_scale_logits(
        tf.zeros([1, _BUILD_SIZE, _BUILD_SIZE, 3]),
        chosen._replace(outputs_to_num_classes=chosen.outputs_to_num_classes or {
            'semantic': 2}), None)
    variables = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
  if found.has_head:
    return variables
  scope = backbones.BACKBONES[chosen.model_variant].scope + '/'
  return {name: shape for name, shape in variables.items() if name.startswith(scope)}


def _head_options(found, weights, seen):
  """Returns dict of the options after the backbone, and the file of the cell or None."""
  scopes = {name.split('/')[0] for name in weights}
  head = {'aspp_with_batch_norm': bool(
      scopes & {ASPP_SCOPE + '0', model.META_ARCHITECTURE_SCOPE})}
  cell_json = None
  if model.META_ARCHITECTURE_SCOPE in scopes:
    head['dense_prediction_cell_config'], cell_json = _cell(weights, seen)
  elif head['aspp_with_batch_norm']:
    head.update(_aspp_options(scopes, weights, found.output_stride))
  if DECODER_SCOPE in scopes:
    head.update(_decoder_options(weights))
    head['decoder_output_stride'] = _decoder_strides(found, weights, seen)
  if head.get('decoder_output_is_logits'):
    head['outputs_to_num_classes'] = {OUTPUT_TYPE: head['decoder_filters']}
    # A gate for a decoder like this is that of the published MobileNetV3.
    head['image_se_uses_qsigmoid'] = head.get('aspp_with_squeeze_and_excitation', False)
  else:
    head.update(_logits_options(found._replace(**head), weights, seen))
  return head, cell_json


def _aspp_options(scopes, weights, output_stride):
  """Returns dict of the options of ASPP."""
  separable = [s for s in scopes if re.match(ASPP_SCOPE + r'[1-9]\d*_depthwise$', s)]
  plain = [s for s in scopes if re.match(ASPP_SCOPE + r'[1-9]\d*$', s)]
  return {
      'add_image_level_feature': IMAGE_POOLING_SCOPE in scopes,
      'aspp_with_separable_conv': not plain,
      'atrous_rates': _rates(len(separable) + len(plain), output_stride),
      'aspp_convs_filters': weights[ASPP_SCOPE + '0/weights'][-1],
      'aspp_with_concat_projection': CONCAT_PROJECTION_SCOPE in scopes,
      'aspp_with_squeeze_and_excitation': IMAGE_POOLING_SCOPE + '/biases' in weights,
  }


def _decoder_options(weights):
  """Returns dict of the options of the decoder but for its strides."""
  first = {name.split('/', 1)[1]: shape for name, shape in weights.items()
           if re.match(DECODER_SCOPE + r'/decoder_(split_sep_)?conv0(_pointwise)?/', name)}
  makes_logits = any(name.endswith('/biases') for name in first)
  return {
      # Decoders that make the logits do without, whatever the option says.
      'decoder_use_separable_conv': makes_logits or any('_pointwise/' in name for name in first),
      'decoder_use_sum_merge': any(re.match('decoder_(split_sep_conv0|conv0/weights)', name)
                                   for name in first),
      'decoder_filters': next(
          (shape[-1] for name, shape in first.items() if name.endswith('weights')),
          options.NetworkOptions().decoder_filters),
      'decoder_output_is_logits': makes_logits,
  }


def _rates(count, output_stride):
  """Returns as many rates as usual at an output stride, or None for none."""
  step = _RATE_STEP * _USUAL_OUTPUT_STRIDE // min(output_stride, _USUAL_OUTPUT_STRIDE)
  return [step * number for number in range(1, count + 1)] or None


def _logits_options(head, weights, seen):
  """Returns dict of classes per output; without ASPP also rates and kernel of the logits."""
  layers = {name.split('/')[1]: shape for name, shape in weights.items()
            if re.match(r'%s/[^/]+/weights$' % model.LOGITS_SCOPE_NAME, name)}
  if not layers:
    seen.append('No logits: the number of classes is not known.')
    return {}
  # Without ASPP there is one layer per rate and output: <output>, <output>_1, ...
  copies = {name: [] if head.aspp_with_batch_norm else _copies(name, layers) for name in layers}
  outputs = set(layers).difference(*copies.values())
  found = {'outputs_to_num_classes': {name: layers[name][-1] for name in sorted(outputs)}}
  if not head.aspp_with_batch_norm:
    kernel_size = next(iter(layers.values()))[0]
    num_rates = 1 + max(map(len, copies.values()))
    found['logits_kernel_size'] = kernel_size
    # Without rates the kernel is 1.
    has_rates = num_rates > 1 or kernel_size > 1
    found['atrous_rates'] = _rates(num_rates, head.output_stride) if has_rates else None
  if outputs != {'semantic'}:
    seen.append('Outputs: %s. The scripts know the output semantic only.' % ', '.join(
        '%s (%d classes)' % item for item in sorted(found['outputs_to_num_classes'].items())))
  return found


def _copies(name, layers):
  names = ('%s_%d' % (name, number) for number in itertools.count(1))
  return list(itertools.takewhile(layers.__contains__, names))


def _decoder_strides(found, weights, seen):
  """Returns the strides whose low-level features have the channels that the decoder takes."""
  row = backbones.BACKBONES[found.model_variant]
  depths = {stride: weight_names.end_point_channels(row, names[0], weights)
            for stride, names in row.decoder_end_points.items()}
  strides = []
  for stage in itertools.count():
    suffix = '_%d' % stage if stage else ''
    shape = weights.get('%s/feature_projection0%s/weights' % (DECODER_SCOPE, suffix))
    if shape is None:
      break
    num_channels = shape[2]
    fitting = [stride for stride, depth in depths.items() if depth == num_channels
               and stride <= (strides or [found.output_stride])[-1]]
    if not fitting:
      seen.append('No end point of %s has the %d channels that the decoder takes in '
                  'feature_projection0%s.' % (found.model_variant, num_channels, suffix))
    strides.append(_USUAL_DECODER_STRIDE if _USUAL_DECODER_STRIDE in fitting or not fitting
                   else max(fitting))
  return strides or None


def _cell(weights, seen):
  """Returns a dense prediction cell with the same variables, and its file if it is known."""
  kernels, depths = [], []
  for index in itertools.count():
    branch = '%s/branch%d' % (model.META_ARCHITECTURE_SCOPE, index)
    shape = weights.get(branch + '_depthwise/depthwise_weights') or weights.get(
        branch + '/weights')
    if shape is None:
      break
    kernels.append(shape[0])
    depths.append(shape[2])
  # The first branch always sees the backbone.
  inputs = [-1 if depth == depths[0] else 0 for depth in depths]
  published = json_text.read(PUBLISHED_CELL)
  if kernels == [branch['kernel'] for branch in published] and inputs == [
      min(branch['input'], 0) for branch in published]:
    seen.append('Dense prediction cell: the branches are those of the cell published for '
                'Cityscapes.')
    return published, PUBLISHED_CELL
  seen.append('Dense prediction cell of %d branches, with kernels %s; %s see the backbone. '
              'Write CELL.json to match: a kernel of 1 may be pyramid pooling, and rates and '
              'the inputs among branches leave no trace.' % (
                  len(kernels), ','.join(str(kernel) for kernel in kernels),
                  ', '.join('branch%d' % i for i, entry in enumerate(inputs) if entry == -1)))
  return [{'op': 'conv', 'kernel': kernel, 'input': entry, 'rate': [1, 1]}
          for kernel, entry in zip(kernels, inputs)], None


def _unseen_rates(found):
  if found.atrous_rates:
    return ['atrous_rates: there are %d, their values leave no trace; those shown are usual '
            '(three: 6,12,18 at output_stride 16, 12,24,36 at 8).' % len(found.atrous_rates)]
  return [] if found.aspp_with_batch_norm else ['atrous_rates: one rate and none look alike.']


def _always_unseen(found):
  notes = []
  if 'multi_grid' in backbones.BACKBONES[found.model_variant].settings:
    notes.append('multi_grid: ' + (
        'published _beta ResNets with a DeepLab head were trained with --multi_grid=1 '
        '--multi_grid=2 --multi_grid=4.' if found.model_variant in _WITH_MULTI_GRID
        else 'none is usual.'))
  if found.aspp_with_squeeze_and_excitation:
    notes.append('image_se_uses_qsigmoid: both kinds of gate have these weights; published '
                 'MobileNetV3 networks have it.')
  if found.model_variant == 'nas_hnasnet':
    notes.append('nas_remove_os32_stride.')
  return notes + ['The crop size, image_pooling_crop_size, image_pyramid, merge_method and '
                  'use_bounded_activation.']
