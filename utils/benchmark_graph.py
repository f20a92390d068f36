"""How long it takes to build the graphs of the models, before the first step runs."""
import time

from deeplab.core import keys, options
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.utils import benchmark_child, train_graph, train_options

_CROP = 513
_NUM_CLASSES = 21
_BATCH = 4
_TARGETS_SECS = {'xception_65': 12}
_VARIANTS = ('mobilenet_v2', 'resnet_v1_101_beta', 'xception_65')


def measure_all(repeats, variants=None):
  """Yields a row per variant: seconds for the train graph with gradients, on one core.

  Args:
    repeats: measurements of each; the median counts.
    variants: keys of BACKBONES, or None for a few that stand for the rest.
  """
  for variant in variants or _VARIANTS:
    figures = benchmark_child.median_of(repeats, __name__, 'train_graph_secs',
                                        {'variant': variant}, cores=1)
    row = {'what': '%s, train graph with gradients' % variant, 'value': figures['secs'],
           'unit': 's', 'num_operations': figures['num_operations']}
    if variant in _TARGETS_SECS:
      row['target'] = 'under %d s' % _TARGETS_SECS[variant]
    yield row


def train_graph_secs(variant):
  """Returns dict: 'secs' to build the train graph of a variant, its 'num_operations'."""
  model_options = options.ModelOptions(
      {keys.OUTPUT_TYPE: _NUM_CLASSES}, crop_size=[_CROP, _CROP], atrous_rates=[6, 12, 18],
      output_stride=16, decoder_output_stride=[4], model_variant=variant)
  run_options = train_options.TrainOptions(train_logdir='')
  with tf.Graph().as_default() as graph:
    samples = {
        keys.IMAGE: tf.placeholder(tf.float32, [_BATCH, _CROP, _CROP, 3]),
        keys.LABEL: tf.placeholder(tf.int32, [_BATCH, _CROP, _CROP, 1]),
    }
    start = time.time()
    train_graph.build_train_graph(samples, registry.DATASETS['pascal_voc_seg'], model_options,
                                  run_options)
    secs = time.time() - start
    return {'secs': secs, 'num_operations': len(graph.get_operations())}
