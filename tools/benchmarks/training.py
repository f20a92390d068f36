"""Speed and memory of training steps, beside the TF1 lane and PyTorch.

Absolute figures of shared machines drift: what is compared runs in turns, and the median of
the ratios counts.
"""
import os
import tempfile
import typing

from deeplab.core import tf_compat, usage
from deeplab.tools.benchmarks import child, input_pipeline, steps

_MODULE = 'deeplab.tools.benchmarks.steps'
_PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'torch_peer.py')
_CROP = 513
# Of about the size of those of PASCAL VOC.
_PICTURE_SIZE, _NUM_PICTURES = (360, 480), 64


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
  """Yields the rows of `__main__`; variants: keys of TRAININGS, or None for all."""
  trainings = {variant: usage.lookup(TRAININGS, variant, what='backbone of this benchmark')
               for variant in variants or sorted(TRAININGS)}
  with tempfile.TemporaryDirectory() as folder:
    records = os.path.join(folder, 'records')
    input_pipeline.write_records(records, _PICTURE_SIZE, _NUM_PICTURES, num_shards=2)
    for variant, training in trainings.items():
      yield from rows_of(variant, training, repeats, peers, records)


def rows_of(variant, training, repeats, peers, records):
  """Yields the rows of a Training of a backbone from a folder of records."""
  kinds, left_out = _kinds(variant, training, peers, records)
  for row in _rows(training, child.measure_in_turns(kinds, repeats)):
    yield dict(row, what='%s, %s' % (variant, row['what']))
  for what, reason in left_out:
    yield {'what': '%s, %s' % (variant, what), 'left_out': reason}


def _rows(training, runs):
  """Yields the rows of runs, a list of dicts from a kind, see `_kinds`, to its figures."""

  def figures(name, key):
    return [run[name][key] for run in runs]

  def ratios(name, other, key='images_per_sec', factor=1):
    return [factor * run[name][key] / run[other][key] for run in runs]

  speed, memory = ', batch %d' % training.batch_size, 'peak_memory_mib'
  yield _row('float32' + speed, figures('float32', 'images_per_sec'), 'images/s')
  yield _row('peak memory', figures('float32', memory), 'MiB', '<=', training.memory_target_mib)
  yield _row('peak memory, estimated', figures('float32', 'estimated_memory_mib'), 'MiB')
  for name, target in (('TF1 lane', training.tf1_target), ('PyTorch', training.peer_target)):
    if name in runs[0]:
      yield _row(name + speed, figures(name, 'images_per_sec'), 'images/s')
      yield _row('%s, peak memory' % name, figures(name, memory), 'MiB')
      yield _row('speed / %s' % name, ratios('float32', name), 'x', '>=', target)
  yield _row('loss and its gradient in the step',
             [100 * run['loss']['loss_secs'] / run['loss']['step_secs'] for run in runs], '%',
             '<=', training.loss_target)
  for name, memory_target, speed_target in (
      ('bfloat16', None, None), ('xla', None, None),
      ('recomputation',) + training.recompute_targets,
      ('from files', None, training.input_target)):
    if name in runs[0]:
      yield _row('%s, speed beside float32' % name, ratios(name, 'float32', factor=100), '%',
                 '>=', speed_target)
      yield _row('%s, memory beside float32' % name, ratios(name, 'float32', memory, 100), '%',
                 '<=', memory_target)


def _row(what, values, unit, comparison='', target=None):
  return child.row(what, values, unit,
                   target and '%s %.4g' % (comparison, target))


def _kinds(variant, training, peers, records):
  """Returns what to measure, name -> (arguments of `measure`, interpreter), and what not."""
  step = {'variant': variant, 'batch_size': training.batch_size, 'model': training.model,
          'crop': _CROP}
  this = lambda **more: ((_MODULE, 'step_speed', dict(step, **more)), None)  # noqa: E731
  kinds = {'float32': this(), 'loss': ((_MODULE, 'loss_secs', step), None)}
  left_out = []
  tf1_python = child.tf1_python()
  if tf1_python:
    kinds['TF1 lane'] = (this()[0], tf1_python)
  else:
    left_out.append(('TF1 lane', child.NO_TF1))
  if peers and training.has_peer:
    peer_python = child.peer_python()
    if peer_python:
      kinds['PyTorch'] = ((_PEER, 'train', {
          'batch_size': training.batch_size, 'crop': _CROP,
          'num_classes': steps.NUM_CLASSES,
          'least_steps': steps.LEAST_STEPS,
          'least_secs': steps.LEAST_SECS}), peer_python)
    else:
      left_out.append(('PyTorch', child.NO_PEER))
  kinds['recomputation'] = this(training={'gradient_checkpointing': True})
  kinds['from files'] = this(records=records)
  if tf_compat.IS_TF1:
    left_out.append(('bfloat16 and xla', 'they need TensorFlow 2'))
  else:
    kinds['bfloat16'] = this(training={'precision': 'bfloat16'})
    kinds['xla'] = this(training={'xla': True})
  return kinds, left_out
