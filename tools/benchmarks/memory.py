"""What training costs beside time per step: peak memory, and seconds to build the graph."""
import time
import typing

from deeplab.core import keys
from deeplab.core.tf_compat import tf
from deeplab.tools.benchmarks import child, training
from deeplab.utils.training import options

_ASPP = {'atrous_rates': [6, 12, 18], 'decoder_output_stride': [4]}
_ASPP_AT_8 = {'atrous_rates': [12, 24, 36], 'decoder_output_stride': [4], 'output_stride': 8}
# Graphs that are built: backbone -> most seconds that are aimed at, or None.
_GRAPHS = {'mobilenet_v2': None, 'resnet_v1_101_beta': None, 'xception_65': 12}
_GRAPH_BATCH, _GRAPH_CROP = 4, 513


class Configuration(typing.NamedTuple):
  """A row of CONFIGURATIONS."""
  variant: str  # Key of BACKBONES.
  batch_size: int  # Images of a step.
  crop: int  # Side of the square images in pixels.
  model: dict = {}  # Dict of fields of ModelOptions; output stride 16 without one.
  recomputes: bool = False  # Whether --gradient_checkpointing is on.

  @property
  def what(self):
    """The row in words."""
    return '%s, output stride %d, batch %d, crop %d%s%s' % (
        self.variant, self.model.get('output_stride', 16), self.batch_size, self.crop,
        ', ASPP and decoder' if 'atrous_rates' in self.model else '',
        ', recomputation' if self.recomputes else '')


CONFIGURATIONS = (
    Configuration('mobilenet_v2', 4, 321),
    Configuration('mobilenet_v2', 4, 513),
    Configuration('mobilenet_v2', 8, 513),
    Configuration('mobilenet_v2', 4, 513, {'output_stride': 8}),
    Configuration('mobilenet_v2', 4, 513, _ASPP),
    Configuration('mobilenet_v2', 4, 513, {}, recomputes=True),
    Configuration('xception_65', 2, 321, _ASPP),
    Configuration('xception_65', 2, 513, _ASPP),
    Configuration('xception_65', 2, 513, _ASPP, recomputes=True),
    Configuration('xception_65', 2, 513, _ASPP_AT_8),
    Configuration('resnet_v1_50_beta', 2, 513, _ASPP),
    Configuration('resnet_v1_101_beta', 2, 513, _ASPP),
)


def measure_all(settings):
  """Yields the rows of `__main__`: peaks hardly vary, so that once is enough."""
  for row in CONFIGURATIONS:
    if not settings.variants or row.variant in settings.variants:
      arguments = dict(row._asdict())
      figures = child.measure(child.Run(peak_of_steps, arguments))
      estimated = figures['estimated_memory_mib']
      yield dict(child.row(row.what, figures['peak_memory_mib'], 'MiB'), configuration=arguments,
                 estimated_memory_mib=estimated, note='estimated: %.0f' % estimated)


def peak_of_steps(variant, batch_size, crop, model, recomputes):
  """Runs steps on a constant batch; returns their 'estimated_memory_mib'; see `Configuration`."""
  return training.step_speed(variant, batch_size, crop, model,
                          {'gradient_checkpointing': recomputes}, num_steps=3)


def markdown_table(rows):
  """Returns the rows of `measure_all` as a table of Markdown, in GB of 10^9 bytes."""
  cells = []
  for row in rows:
    settings = Configuration(**row['configuration'])
    cells.append([
        '`%s`' % settings.variant, '%d' % settings.model.get('output_stride', 16),
        'ASPP, decoder' if 'atrous_rates' in settings.model else 'image pooling',
        '%d' % settings.batch_size, '%d' % settings.crop, 'yes' if settings.recomputes else '',
        '%.1f' % (row['value'] * 2 ** 20 / 1e9),
        '%.1f' % (row['estimated_memory_mib'] * 2 ** 20 / 1e9)])
  return '\n'.join(child.markdown_table(
      ['backbone', 'output stride', 'head', 'batch', 'crop', 'recomputes', 'peak GB',
       'estimated'], cells))


def measure_graphs(settings):
  """Yields a row per backbone: seconds for the train graph with gradients, on one core."""
  for variant in settings.variants or sorted(_GRAPHS):
    runs = {'graph': child.Run(train_graph_secs, {'variant': variant}, cores=1)}
    turns = [turn['graph'] for turn in child.measure_in_turns(runs, settings.repeats)]
    yield dict(child.row('%s, train graph with gradients' % variant,
                         [turn['secs'] for turn in turns], 's', '<', _GRAPHS.get(variant)),
               num_operations=turns[0]['num_operations'])


def train_graph_secs(variant):
  """Returns dict: 'secs' to build the train graph of a variant, its 'num_operations'."""
  with tf.Graph().as_default() as graph:
    shape = [_GRAPH_BATCH, _GRAPH_CROP, _GRAPH_CROP]
    samples = {keys.IMAGE: tf.placeholder(tf.float32, shape + [3]),
               keys.LABEL: tf.placeholder(tf.int32, shape + [1])}
    start = time.time()
    training.make_train_op(samples, variant, _GRAPH_CROP, _ASPP,
                        options.TrainOptions(train_logdir=''))
    return {'secs': time.time() - start, 'num_operations': len(graph.get_operations())}
