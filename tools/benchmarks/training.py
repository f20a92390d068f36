"""Speed and memory of training steps, beside the TF1 lane and PyTorch; building their graphs."""
import os
import tempfile
import time
import typing

import numpy as np

from deeplab.core import keys, options, tf_compat, usage
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry as dataset_registry
from deeplab.tools.benchmarks import child, data
from deeplab.utils.speed_and_memory import graph_rewrites, memory
from deeplab.utils.training import graph as train_graph
from deeplab.utils.training import losses
from deeplab.utils.training import options as train_options

_NUM_CLASSES = 21
_CROP = 513
# Of about the size of those of PASCAL VOC.
_PICTURE_SIZE, _NUM_PICTURES = (360, 480), 64
_WARM_UP_STEPS, _LEAST_STEPS, _LEAST_SECS = 2, 4, 6.0
_IGNORE_LABEL = 255
_BATCH_NORM = 'batch norm recomputed'
_DATASET = 'pascal_voc_seg'
# Of the process beside tensors: libraries and threads, and what every operation of a graph takes:
# with TensorFlow 2, with 1.15.
_LIBRARY_BYTES = (600 << 20, 240 << 20)
_OPERATION_BYTES = (64 << 10, 28 << 10)
_ASPP = {'atrous_rates': [6, 12, 18], 'decoder_output_stride': [4]}
_ASPP_AT_8 = {'atrous_rates': [12, 24, 36], 'decoder_output_stride': [4], 'output_stride': 8}
# Graphs that are built: backbone -> most seconds that are aimed at, or None.
_GRAPHS = {'mobilenet_v2': None, 'resnet_v1_101_beta': None, 'xception_65': 12}
_GRAPH_BATCH_SIZE = 4


class Training(typing.NamedTuple):
  """A row of TRAININGS: a backbone, how it is trained, and what is to be reached."""
  batch_size: int  # Images of a step.
  model: dict = {}  # Dict of fields of ModelOptions.
  has_peer: bool = False  # Whether PyTorch has the same network.
  tf1_target: typing.Optional[float] = None  # Least speed as a multiple of the TF1 lane.
  peer_target: typing.Optional[float] = None  # Least speed as a multiple of PyTorch.
  memory_target_mib: typing.Optional[float] = None  # Most resident memory, in MiB.
  # Largest share of a step that the loss takes, in percent.
  loss_target: typing.Optional[float] = None
  # With recomputation of all, most memory and least speed, in percent of that of batch norm.
  recompute_targets: typing.Tuple = (None, None)
  # Least speed from files, in percent of that with a constant batch.
  input_target: typing.Optional[float] = None


TRAININGS = {
    'mobilenet_v2': Training(
        4, has_peer=True, tf1_target=3.2, peer_target=4, memory_target_mib=2e9 / 2 ** 20,
        loss_target=8, input_target=85),
    'xception_65': Training(2, model=_ASPP, tf1_target=2.7, recompute_targets=(60, 70)),
}


class Configuration(typing.NamedTuple):
  """A row of CONFIGURATIONS."""
  variant: str  # Key of BACKBONES.
  batch_size: int  # Images of a step.
  crop: int  # Side of the square images in pixels.
  model: dict = {}  # Dict of fields of ModelOptions; output stride 16 without one.
  recompute: str = 'batch_norm'  # Key of `recomputation.LEVELS`.

  @property
  def what(self):
    """The row in words."""
    return '%s, output stride %d, batch %d, crop %d%s%s' % (
        self.variant, self.model.get('output_stride', 16), self.batch_size, self.crop,
        ', ASPP and decoder' if 'atrous_rates' in self.model else '',
        ', recompute %s' % self.recompute if self.recompute != 'batch_norm' else '')


CONFIGURATIONS = (
    Configuration('mobilenet_v2', 4, 321),
    Configuration('mobilenet_v2', 4, 513),
    Configuration('mobilenet_v2', 8, 513),
    Configuration('mobilenet_v2', 4, 513, {'output_stride': 8}),
    Configuration('mobilenet_v2', 4, 513, _ASPP),
    Configuration('mobilenet_v2', 4, 513, {}, recompute='nothing'),
    Configuration('mobilenet_v2', 4, 513, {}, recompute='all'),
    Configuration('xception_65', 2, 321, _ASPP),
    Configuration('xception_65', 2, 513, _ASPP),
    Configuration('xception_65', 2, 513, _ASPP, recompute='nothing'),
    Configuration('xception_65', 2, 513, _ASPP, recompute='all'),
    Configuration('xception_65', 2, 513, _ASPP_AT_8),
    Configuration('resnet_v1_50_beta', 2, 513, _ASPP),
    Configuration('resnet_v1_101_beta', 2, 513, _ASPP),
)


def measure_all(settings):
  """Yields the rows of `__main__`; variants of the settings: keys of TRAININGS."""
  trainings = {variant: usage.lookup(TRAININGS, variant, what='backbone of this benchmark')
               for variant in settings.variants or sorted(TRAININGS)}
  with tempfile.TemporaryDirectory() as folder:
    records = os.path.join(folder, 'records')
    data.write_records(records, _PICTURE_SIZE, _NUM_PICTURES, num_shards=2)
    for variant, training in trainings.items():
      yield from rows_of(variant, training, settings, records)


def rows_of(variant, training, settings, records):
  """Yields the rows of a Training of a backbone from a folder of records."""
  runs, left_out = _runs(variant, training, settings.peers, records)
  for row in _rows(training, child.measure_in_turns(runs, settings.repeats)):
    yield dict(row, what='%s, %s' % (variant, row['what']))
  for what, reason in left_out.items():
    yield {'what': '%s, %s' % (variant, what), 'left_out': reason}


def _runs(variant, training, peers, records):
  """Returns what to measure, dict of Runs, and what not, dict of reasons."""
  arguments = {'variant': variant, 'batch_size': training.batch_size, 'model': training.model,
               'crop': _CROP}

  def step(**more):
    return child.Run(step_speed, dict(arguments, **more))

  runs = {'float32': step(), 'loss': child.Run(loss_secs, arguments)}
  of_others = {child.TF1_LANE: step(), child.PYTORCH: child.Run((child.TORCH_PEER, 'train'), {
      'batch_size': training.batch_size, 'crop': _CROP, 'num_classes': _NUM_CLASSES,
      'least_steps': _LEAST_STEPS, 'least_secs': _LEAST_SECS})}
  left_out = {}
  for name, python in child.other_interpreters(peers and training.has_peer).items():
    if python:
      runs[name] = of_others[name]._replace(python=python)
    else:
      left_out[name] = child.NO_INTERPRETER[name]
  runs[_BATCH_NORM] = step(training={'recompute': 'batch_norm'})
  runs['recomputation'] = step(training={'recompute': 'all'})
  runs['from files'] = step(records=records)
  if tf_compat.IS_TF1:
    left_out['bfloat16 and xla'] = 'they need TensorFlow 2'
  else:
    runs['bfloat16'] = step(training={'precision': 'bfloat16'})
    runs['xla'] = step(training={'xla': True})
  return runs, left_out


def _rows(training, turns):
  """Yields the rows of turns, a list of dicts of the figures of `_runs`."""

  def figures(name, key='images_per_sec'):
    return [turn[name][key] for turn in turns]

  def ratios(name, other, key='images_per_sec', factor=1):
    return [factor * turn[name][key] / turn[other][key] for turn in turns]

  speed, memory = ', batch %d' % training.batch_size, 'peak_memory_mib'
  yield child.row('float32' + speed, figures('float32'), 'images/s')
  yield child.row('peak memory', figures('float32', memory), 'MiB')
  yield child.row('peak memory, estimated', figures('float32', 'estimated_memory_mib'), 'MiB')
  yield child.row('%s, peak memory' % _BATCH_NORM, figures(_BATCH_NORM, memory), 'MiB', '<=',
                  training.memory_target_mib)
  for name, target in ((child.TF1_LANE, training.tf1_target),
                       (child.PYTORCH, training.peer_target)):
    if name in turns[0]:
      yield child.row(name + speed, figures(name), 'images/s')
      yield child.row('%s, peak memory' % name, figures(name, memory), 'MiB')
      yield child.row('speed / %s' % name, ratios('float32', name), 'x', '>=', target)
  yield child.row('loss and its gradient in the step',
                  [100 * turn['loss']['loss_secs'] / turn['loss']['step_secs'] for turn in turns],
                  '%', '<=', training.loss_target)
  for name, other, memory_target, speed_target in (
      ('bfloat16', 'float32', None, None), ('xla', 'float32', None, None),
      (_BATCH_NORM, 'float32', None, None),
      ('recomputation', _BATCH_NORM) + training.recompute_targets,
      ('from files', 'float32', None, training.input_target)):
    if name in turns[0]:
      yield child.row('%s, speed beside %s' % (name, other), ratios(name, other, factor=100),
                      '%', '>=', speed_target)
      yield child.row('%s, memory beside %s' % (name, other), ratios(name, other, memory, 100),
                      '%', '<=', memory_target)


def measure_memory(settings):
  """Yields the rows of `__main__` of memory: peaks hardly vary, so that once is enough."""
  for row in CONFIGURATIONS:
    if not settings.variants or row.variant in settings.variants:
      figures = child.measure(child.Run(step_speed, {
          'variant': row.variant, 'batch_size': row.batch_size, 'crop': row.crop,
          'model': row.model, 'training': {'recompute': row.recompute},
          'num_steps': 3}))
      estimated = figures['estimated_memory_mib']
      yield dict(child.row(row.what, figures['peak_memory_mib'], 'MiB'),
                 configuration=dict(row._asdict()), estimated_memory_mib=estimated,
                 note='estimated: %.0f' % estimated)


def memory_table(rows):
  """Returns the rows of `measure_memory` as a table of Markdown, in GB of 10^9 bytes."""
  cells = []
  for row in rows:
    settings = Configuration(**row['configuration'])
    cells.append([
        '`%s`' % settings.variant, '%d' % settings.model.get('output_stride', 16),
        'ASPP, decoder' if 'atrous_rates' in settings.model else 'image pooling',
        '%d' % settings.batch_size, '%d' % settings.crop, settings.recompute,
        '%.1f' % (row['value'] * 2 ** 20 / 1e9),
        '%.1f' % (row['estimated_memory_mib'] * 2 ** 20 / 1e9)])
  return '\n'.join(child.markdown_table(
      ['backbone', 'output stride', 'head', 'batch', 'crop', 'recompute', 'peak GB',
       'estimated'], cells))


def measure_graphs(settings):
  """Yields a row per backbone: seconds for the train graph with gradients, on one core."""
  for variant in settings.variants or sorted(_GRAPHS):
    run = child.Run(train_graph_secs, {'variant': variant}, cores=1)
    turns = [child.measure(run) for _ in range(settings.repeats)]
    yield dict(child.row('%s, train graph with gradients' % variant,
                         [turn['secs'] for turn in turns], 's', '<', _GRAPHS.get(variant)),
               num_operations=turns[0]['num_operations'])


def step_speed(variant, batch_size, crop, model=None, training=None, records=None,
               num_steps=None):
  """Returns 'step_secs' and 'images_per_sec' of training steps.

  And 'estimated_memory_mib', what the peak of memory is by `memory.step_bytes`.

  Args:
    variant: key of BACKBONES.
    batch_size, crop: images of a step, and the side of these squares in pixels.
    model, training: dict of fields of ModelOptions and of TrainOptions, or None.
    records: folder of records to read with augmentation, or None for a constant batch.
    num_steps: number of steps that count, or None for as many as a good figure of speed needs.
  """
  run_options = train_options.TrainOptions(train_logdir='', **training or {})
  graph_rewrites.check(run_options)
  memory.pool_cpu_memory()
  least = {'least_steps': num_steps, 'least_secs': 0.0} if num_steps else {}
  with tf.Graph().as_default() as graph:
    samples = (_read_samples(records, variant, batch_size, crop) if records else
               constant_samples(batch_size, crop))
    train_op = make_train_op(samples, variant, crop, model, run_options)
    estimated = (memory.step_bytes(graph, run_options.precision)
                 + _LIBRARY_BYTES[tf_compat.IS_TF1]
                 + _OPERATION_BYTES[tf_compat.IS_TF1] * len(graph.get_operations()))
    with tf.Session(config=graph_rewrites.session_config(run_options)) as session:
      session.run(tf.global_variables_initializer())
      secs, = median_secs([lambda: session.run(train_op)], **least)
  return {'step_secs': secs, 'images_per_sec': batch_size / secs,
          'estimated_memory_mib': estimated / 2. ** 20}


def loss_secs(variant, batch_size, crop, model=None):
  """Returns 'loss_secs', of loss and gradient, and 'step_secs', in turns; see `step_speed`."""
  run_options = train_options.TrainOptions(train_logdir='')
  memory.pool_cpu_memory()
  with tf.Graph().as_default() as graph:
    samples = constant_samples(batch_size, crop)
    train_op = make_train_op(samples, variant, crop, model, run_options)
    shape = graph.get_tensor_by_name(keys.OUTPUT_TYPE + ':0').shape
    # Not constant: TensorFlow would compute the loss before the first step.
    logits = tf.get_variable('logits_alone', shape)
    losses.add_softmax_cross_entropy_loss_for_each_scale(
        {'alone': logits}, samples[keys.LABEL], _NUM_CLASSES, _IGNORE_LABEL)
    loss = tf.losses.get_losses()[-1]
    gradient, = tf.gradients(loss, [logits])
    with tf.Session(config=graph_rewrites.session_config(run_options)) as session:
      session.run(tf.global_variables_initializer())
      loss_alone, step = median_secs([lambda: session.run([loss, gradient.op]),
                                      lambda: session.run(train_op)])
  return {'loss_secs': loss_alone, 'step_secs': step}


def median_secs(functions, least_steps=_LEAST_STEPS, least_secs=_LEAST_SECS):
  """Returns the median seconds of calls of each function, called in turns after a warm-up."""
  secs = child.secs_of_calls(functions, _WARM_UP_STEPS, least_steps, least_secs)
  return np.median(secs, axis=0).tolist()


def train_graph_secs(variant):
  """Returns dict: 'secs' to build the train graph of a variant, its 'num_operations'."""
  with tf.Graph().as_default() as graph:
    shape = [_GRAPH_BATCH_SIZE, _CROP, _CROP]
    samples = {keys.IMAGE: tf.placeholder(tf.float32, shape + [3]),
               keys.LABEL: tf.placeholder(tf.int32, shape + [1])}
    start = time.time()
    make_train_op(samples, variant, _CROP, _ASPP, train_options.TrainOptions(train_logdir=''))
    return {'secs': time.time() - start, 'num_operations': len(graph.get_operations())}


def make_train_op(samples, variant, crop, model, run_options, replica=None):
  """Adds a training graph; returns its train_op. See `step_speed`; run_options: TrainOptions."""
  model_options = options.NetworkOptions(
      {keys.OUTPUT_TYPE: _NUM_CLASSES}, crop_size=[crop, crop], model_variant=variant,
      **dict({'output_stride': 16}, **model or {}))
  return train_graph.build_train_graph(
      samples, dataset_registry.DATASETS[_DATASET], model_options, run_options,
      replica=replica).train_op


def constant_samples(batch_size, crop):
  """Returns a dict of constants, a batch of square images and labels of a crop's side."""
  random = np.random.RandomState(0)
  images = random.randint(0, 256, (batch_size, crop, crop, 3))
  # Regions as those of objects, and pixels that do not count between them.
  coarse = random.randint(0, _NUM_CLASSES, (batch_size, crop // 16 + 1, crop // 16 + 1, 1))
  labels = np.kron(coarse, np.ones((1, 16, 16, 1), int))[:, :crop, :crop]
  labels[:, ::16] = _IGNORE_LABEL
  return {keys.IMAGE: tf.constant(images.astype(np.uint8)),
          keys.LABEL: tf.constant(labels.astype(np.int32))}


def _read_samples(records, variant, batch_size, crop):
  dataset = data.make_dataset(records, 'forma', batch_size, (crop, crop), variant,
                              image_dtype=tf.uint8)
  return tf.data.make_one_shot_iterator(dataset.get_dataset()).get_next()
