"""Speed and memory of training steps, beside the TF1 lane and PyTorch.

Absolute figures of shared machines drift: what is compared runs in turns, and the median of
the ratios counts.
"""
import os
import shutil
import tempfile
import typing

import numpy as np

from deeplab.core import registry, tf_compat
from deeplab.utils import benchmark_child, benchmark_input, benchmark_steps

_MODULE = 'deeplab.utils.benchmark_steps'
_PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'torch_peer.py')
_CROP = 513
# Of about the size of those of PASCAL VOC.
_PICTURE_SIZE, _NUM_PICTURES = (360, 480), 64
_MATRIX_SIZE = 2048
# Forward, gradients of the inputs, gradients of the weights.
_PASSES_OF_A_STEP = 3


class Training(typing.NamedTuple):
  """A row of TRAININGS: a backbone, how it is trained, and what is to be reached.

  Attributes:
    batch_size: images of a step.
    model: dict of fields of ModelOptions.
    has_peer: whether PyTorch has the same network.
    tf1_target: least speed as a multiple of the TF1 lane.
    peer_target: least speed as a multiple of PyTorch.
    memory_target_mib: most resident memory, in MiB.
    loss_target: largest share of a step that the loss takes, in percent.
    recompute_targets: with recomputation, most memory and least speed, in percent of without.
    input_target: least speed from files, in percent of that with a constant batch.
  """
  batch_size: int
  model: dict = {}
  has_peer: bool = False
  tf1_target: typing.Optional[float] = None
  peer_target: typing.Optional[float] = None
  memory_target_mib: typing.Optional[float] = None
  loss_target: typing.Optional[float] = None
  recompute_targets: typing.Tuple = (None, None)
  input_target: typing.Optional[float] = None


TRAININGS = {
    'mobilenet_v2': Training(
        4, has_peer=True, tf1_target=3.2, peer_target=4, memory_target_mib=2e9 / 2 ** 20,
        loss_target=8, input_target=85),
    'xception_65': Training(
        2, model={'atrous_rates': [6, 12, 18], 'decoder_output_stride': [4]}, tf1_target=2.7,
        recompute_targets=(60, 70)),
}


def measure_all(repeats, variants=None, peers=False):
  """Yields the rows of the benchmark; see `utils/benchmark.py`.

  Args:
    repeats: measurements of each figure; the median counts.
    variants: keys of TRAININGS, or None for all.
    peers: whether to measure PyTorch too.

  Raises:
    ValueError: there is no such variant here.
  """
  trainings = {variant: registry.lookup(TRAININGS, variant, what='backbone of this benchmark')
               for variant in variants or sorted(TRAININGS)}
  folder = tempfile.mkdtemp()
  try:
    records = os.path.join(folder, 'records')
    benchmark_input.write_records(records, _PICTURE_SIZE, _NUM_PICTURES, num_shards=2)
    for variant, training in trainings.items():
      for row in rows_of(variant, training, repeats, peers, records):
        yield row
  finally:
    shutil.rmtree(folder)


def rows_of(variant, training, repeats, peers, records):
  """Yields the rows of a backbone.

  Args:
    variant: key of BACKBONES.
    training: Training.
    repeats: number of measurements of each kind, in turns.
    peers: whether to measure PyTorch too.
    records: folder of the training records.
  """
  kinds, left_out = _kinds(variant, training, peers, records)
  measured = _Measured(variant, training, benchmark_child.measure_in_turns(kinds, repeats))
  for rows in (measured.of_step(), measured.of_peers(), measured.of_loss(),
               measured.of_variations(), measured.of_arithmetic()):
    for row in rows:
      yield row
  for what, reason in left_out:
    yield {'what': '%s, %s' % (variant, what), 'left_out': reason}


class _Measured(typing.NamedTuple):
  """What was measured of a backbone, and the rows that tell of it.

  Attributes:
    variant: key of BACKBONES.
    training: Training.
    runs: list, per turn a dict from the name of a kind to its figures.
  """
  variant: str
  training: Training
  runs: typing.Sequence[dict]

  def of_step(self):
    """Yields the rows of the training step as it is."""
    yield self._speed('float32')
    yield self._row('peak memory', _figure('float32', 'peak_memory_mib'), 'MiB', '<=',
                    self.training.memory_target_mib)
    yield self._row('peak memory, estimated', _figure('float32', 'estimated_memory_mib'), 'MiB')

  def of_peers(self):
    """Yields the rows of the TF1 lane and PyTorch, where they were measured."""
    for name, target in (('TF1 lane', self.training.tf1_target),
                         ('PyTorch', self.training.peer_target)):
      if name in self.runs[0]:
        yield self._speed(name)
        yield self._row('%s, peak memory' % name, _figure(name, 'peak_memory_mib'), 'MiB')
        yield self._row('speed / %s' % name, _ratio('float32', name), 'x', '>=', target)

  def of_loss(self):
    """Yields the row of the share that the loss takes of the step."""
    yield self._row('loss and its gradient in the step',
                    lambda run: 100 * run['loss']['loss_secs'] / run['loss']['step_secs'], '%',
                    '<=', self.training.loss_target)

  def of_variations(self):
    """Yields the rows of the step that is rewritten or reads files, beside float32."""
    for name, memory_target, speed_target in (
        ('bfloat16', None, None),
        ('xla', None, None),
        ('recomputation',) + self.training.recompute_targets,
        ('from files', None, self.training.input_target)):
      if name in self.runs[0]:
        yield self._row('%s, speed beside float32' % name, _ratio(name, 'float32', percent=True),
                        '%', '>=', speed_target)
        yield self._row('%s, memory beside float32' % name,
                        _ratio(name, 'float32', 'peak_memory_mib', percent=True), '%', '<=',
                        memory_target)

  def of_arithmetic(self):
    """Yields the rows of multiply-adds, and of their rate beside that of matrix products."""
    yield self._row('multiply-adds of a forward pass per image',
                    lambda run: run['float32']['multiply_adds'] / 1e9, 'G')
    yield self._row('convolutions reach', lambda run: _gflops(run['float32']), 'GFLOP/s')
    yield self._row('matrix products reach', _figure('matrix', 'gflops'), 'GFLOP/s')
    yield self._row('convolutions beside matrix products',
                    lambda run: 100 * _gflops(run['float32']) / run['matrix']['gflops'], '%')

  def _speed(self, name):
    return self._row('%s, batch %d' % (name, self.training.batch_size),
                     _figure(name, 'images_per_sec'), 'images/s')

  def _row(self, what, value, unit, *target):
    """Returns the row of the median over the runs of `value`, a function of a run."""
    made = {'what': '%s, %s' % (self.variant, what),
            'value': float(np.median([value(run) for run in self.runs])), 'unit': unit}
    if target and target[1] is not None:
      made['target'] = '%s %.4g' % target
    return made


def _figure(name, key):
  return lambda run: run[name][key]


def _ratio(name, other, key='images_per_sec', percent=False):
  return lambda run: (100 if percent else 1) * run[name][key] / run[other][key]


def _kinds(variant, training, peers, records):
  """Returns what to measure, name -> (arguments of `measure`, interpreter), and what not."""
  step = {'variant': variant, 'batch_size': training.batch_size, 'model': training.model,
          'crop': _CROP}
  this = lambda **more: ((_MODULE, 'step_speed', dict(step, **more)), None)  # noqa: E731
  kinds = {'float32': this(), 'matrix': ((_MODULE, 'matrix_speed', {'size': _MATRIX_SIZE}), None),
           'loss': ((_MODULE, 'loss_secs', step), None)}
  left_out = []
  tf1_python = benchmark_child.tf1_python()
  if tf1_python:
    kinds['TF1 lane'] = (this()[0], tf1_python)
  else:
    left_out.append(('TF1 lane', benchmark_child.NO_TF1))
  if peers and training.has_peer:
    peer_python = benchmark_child.peer_python()
    if peer_python:
      kinds['PyTorch'] = ((_PEER, 'train', {
          'batch_size': training.batch_size, 'crop': _CROP,
          'num_classes': benchmark_steps.NUM_CLASSES,
          'least_steps': benchmark_steps.LEAST_STEPS,
          'least_secs': benchmark_steps.LEAST_SECS}), peer_python)
    else:
      left_out.append(('PyTorch', benchmark_child.NO_PEER))
  kinds['recomputation'] = this(training={'gradient_checkpointing': True})
  kinds['from files'] = this(records=records)
  if tf_compat.IS_TF1:
    left_out.append(('bfloat16 and xla', 'they need TensorFlow 2'))
  else:
    kinds['bfloat16'] = this(training={'precision': 'bfloat16'})
    kinds['xla'] = this(training={'xla': True})
  return kinds, left_out


def _gflops(figures):
  # A multiply-add counts as two.
  return (2 * _PASSES_OF_A_STEP * figures['multiply_adds'] * figures['images_per_sec']) / 1e9
