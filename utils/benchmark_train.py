"""Speed and memory of training steps, beside the TF1 lane and PyTorch.

Absolute figures of shared machines drift: what is compared runs in turns, and the median of
the ratios counts.
"""
import os
import shutil
import tempfile
import typing

import numpy as np

from deeplab.core import registry
from deeplab.core.tf_compat import IS_TF1
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
  trainings = [registry.lookup(TRAININGS, variant, what='backbone of this benchmark')
               for variant in variants or sorted(TRAININGS)]
  folder = tempfile.mkdtemp()
  try:
    records = os.path.join(folder, 'records')
    benchmark_input.write_records(records, _PICTURE_SIZE, _NUM_PICTURES, num_shards=2)
    for variant, training in zip(variants or sorted(TRAININGS), trainings):
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
  runs = [{name: benchmark_child.measure(*call, python=python)
           for name, (call, python) in kinds.items()} for _ in range(repeats)]

  def median(value):
    return float(np.median([value(run) for run in runs]))

  def row(what, value, unit, *target):
    made = {'what': '%s, %s' % (variant, what), 'value': median(value), 'unit': unit}
    if target and target[1] is not None:
      made['target'] = '%s %.4g' % target
    return made

  def figure(name, key):
    return lambda run: run[name][key]

  def speed(name):
    return row('%s, batch %d' % (name, training.batch_size), figure(name, 'images_per_sec'),
               'images/s')

  def ratio(name, other, key='images_per_sec'):
    return lambda run: run[name][key] / run[other][key]

  def percent(name, key='images_per_sec'):
    return lambda run: 100 * ratio(name, 'float32', key)(run)

  yield speed('float32')
  yield row('peak memory', figure('float32', 'peak_memory_mib'), 'MiB', '<=',
            training.memory_target_mib)
  yield row('peak memory, estimated', figure('float32', 'estimated_memory_mib'), 'MiB')
  for name, target in (('TF1 lane', training.tf1_target), ('PyTorch', training.peer_target)):
    if name in kinds:
      yield speed(name)
      yield row('%s, peak memory' % name, figure(name, 'peak_memory_mib'), 'MiB')
      yield row('speed / %s' % name, ratio('float32', name), 'x', '>=', target)
  yield row('loss and its gradient in the step',
            lambda run: 100 * run['loss']['loss_secs'] / run['loss']['step_secs'], '%', '<=',
            training.loss_target)
  for name in ('bfloat16', 'xla', 'recomputation', 'from files'):
    if name not in kinds:
      continue
    memory_target, speed_target = (
        training.recompute_targets if name == 'recomputation' else
        (None, training.input_target if name == 'from files' else None))
    yield row('%s, speed beside float32' % name, percent(name), '%', '>=', speed_target)
    yield row('%s, memory beside float32' % name, percent(name, 'peak_memory_mib'), '%', '<=',
              memory_target)
  yield row('multiply-adds of a forward pass per image',
            lambda run: run['float32']['multiply_adds'] / 1e9, 'G')
  yield row('convolutions reach', lambda run: _gflops(run['float32']), 'GFLOP/s')
  yield row('matrix products reach', figure('matrix', 'gflops'), 'GFLOP/s')
  yield row('convolutions beside matrix products',
            lambda run: 100 * _gflops(run['float32']) / run['matrix']['gflops'], '%')
  for what, reason in left_out:
    yield {'what': '%s, %s' % (variant, what), 'left_out': reason}


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
    left_out.append(('TF1 lane', 'no Python 3.7 with TensorFlow 1.15; set TF1_PYTHON'))
  if peers and training.has_peer:
    peer_python = benchmark_child.peer_python()
    if peer_python:
      kinds['PyTorch'] = ((_PEER, 'train', {
          'batch_size': training.batch_size, 'crop': _CROP,
          'num_classes': benchmark_steps.NUM_CLASSES,
          'least_steps': benchmark_steps.LEAST_STEPS,
          'least_secs': benchmark_steps.LEAST_SECS}), peer_python)
    else:
      left_out.append(('PyTorch', 'no torch and transformers; set TORCH_PYTHON'))
  kinds['recomputation'] = this(training={'gradient_checkpointing': True})
  kinds['from files'] = this(records=records)
  if IS_TF1:
    left_out.append(('bfloat16 and xla', 'they need TensorFlow 2'))
  else:
    kinds['bfloat16'] = this(training={'precision': 'bfloat16'})
    kinds['xla'] = this(training={'xla': True})
  return kinds, left_out


def _gflops(figures):
  # A multiply-add counts as two.
  return (2 * _PASSES_OF_A_STEP * figures['multiply_adds'] * figures['images_per_sec']) / 1e9
