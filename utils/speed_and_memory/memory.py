"""Memory of a training: what there is, what a step takes, and a readable end if that is too much.

    bytes of a step = weights, their gradients and slots + share * what gradients keep of the images

The second is a sum over tensors of the forward pass, and its share is measured.

Reference for what there is: https://docs.kernel.org/admin-guide/cgroup-v2.html, "Memory Interface
Files", and https://docs.kernel.org/admin-guide/cgroup-v1/memory.html, section 3.
"""
import collections
import contextlib
import os
import re
import typing

from absl import logging

from deeplab.core import tf_compat
from deeplab.core.storage import errors
from deeplab.core.tf_compat import tf
from deeplab.utils.speed_and_memory import graph_rewrites, recomputation

# TensorFlow's pool of memory for tensors on the processor, as it has one on GPUs.
_CPU_POOL = 'TF_CPU_ALLOCATOR_USE_BFC'
_CPU_POOL_LIMIT = 'TF_CPU_BFC_MEM_LIMIT_IN_MB'
# Value and slots of the optimizer apart: gradients, and as much again while they are made.
_GRADIENT_COPIES = 2
# Gradients of activations, work space and operations that run at the same time come on top of
# what is kept; the convolutions of TensorFlow 1.15 unfold their input. See g3doc/training.md.
# Of TensorFlow 2, of 1.15.
_PEAK_SHARE = (1.2, 1.7)
# Of the need by estimate beside the memory there is.
_CERTAINLY_TOO_LARGE = 1.35
_CERTAINLY_FITS = 0.6
# Of a picture that goes into the network: three float32.
_BYTES_PER_PIXEL = 12
_GB = 1e9

# Of operations: those of gradients, and those that are run again for them.
_SCOPE = re.compile(r'^(?:clone_\d+/)?(.*?/)?(gradients|%s)(?:_\d+)?/' % recomputation.SCOPE)
# Their result is the same memory as their input.
_PASSING = (
    'Enter', 'Exit', 'ExpandDims', 'Identity', 'PreventGradient', 'Reshape', 'Squeeze',
    'StopGradient')
# They only look at the shape of what they read.
_LOOKS = ('Rank', 'Shape', 'ShapeN', 'Size')


@contextlib.contextmanager
def readable_memory_errors(crop_size, options, clones=None):
  """Turns running out of memory in a step of the default graph into advice, a ValueError.

  On the processor, where convolutions of TensorFlow 2 end the process without a word when
  they get no memory, a step that is far too large by estimate is refused before the first.

  Images are of a crop size, (height, width); `clones` is a `model_deploy.SplitBatch` of several
  clones, or None for one model.
  """
  what = '%d image%s of %dx%d pixels per step' % (
      options.train_batch_size, '' if options.train_batch_size == 1 else 's', *crop_size)
  advice = _advice(options, clones.num_clones if clones else 1)
  if not (tf_compat.IS_TF1 or tf_compat.num_gpus()):
    _check_on_cpu(step_bytes(tf.get_default_graph(), options.precision), what, advice)
  try:
    yield
  except tf.errors.ResourceExhaustedError as error:
    if errors.trouble_of(error):
      raise  # The disk is full.
    raise ValueError('Out of memory with %s (%s). %s'
                     % (what, _allocation(str(error)), advice)) from error


def check_batch(batch_size, crop_size):
  """Stops, with a ValueError, at batches whose images alone do not fit into the memory there is.

  They are those of a step in this process, of a (height, width). The estimate of a step needs its
  graph, which of absurd sizes takes long or cannot be built.
  """
  need = batch_size * crop_size[0] * crop_size[1] * _BYTES_PER_PIXEL
  free = free_bytes()
  if free is not None and need > free:
    raise ValueError(
        '--train_batch_size=%d with --train_crop_size=%d,%d: the images of a step alone take %s, '
        'and there is %s. Lower one of them.' % (batch_size, crop_size[0], crop_size[1],
                                                 _gigabytes(need), _gigabytes(free)))


def pool_cpu_memory():
  """Has TensorFlow keep and reuse the memory of tensors on the processor; before any session.

  Without, each of the large tensors of a step is mapped, filled with zeros and given back by the
  system, and small ones leave gaps: slower, and more memory. The pool ends where the memory of
  the machine does, so that too large a batch is an error and not the end of the process by the
  system. Environment variables that are set already are left as they are.
  """
  os.environ.setdefault(_CPU_POOL, 'true')
  free = free_bytes()
  if free:
    os.environ.setdefault(_CPU_POOL_LIMIT, str(max(1, free >> 20)))


def cpu_memory_limit_bytes():
  """Returns the bytes that tensors on the processor may take in all, or None where not known."""
  if os.environ.get(_CPU_POOL, '').lower() not in ('true', '1'):
    return free_bytes()
  try:
    return int(os.environ[_CPU_POOL_LIMIT]) << 20
  except (KeyError, ValueError):
    return None


def step_bytes(graph, precision):
  """Returns the bytes of the tensors of a training step at its peak, by estimate.

  Of all devices together; what has no static shape counts nothing. Of the segments that are
  computed again, and of the images whose loss is computed, one is there at a time, the largest.
  The graph is one with gradients, the precision a key of PRECISIONS.
  """
  kept = collections.defaultdict(dict)
  readers = [(operation, reader) for operation, reader in (
      (each, _SCOPE.match(each.name)) for each in graph.get_operations()) if reader]
  # What is computed again is made of its input.
  passing = _PASSING + recomputation.CHEAP_TYPES if any(
      reader.group(2) == recomputation.SCOPE for _, reader in readers) else _PASSING
  for operation, reader in readers:
    if operation.type in _LOOKS:
      continue
    for tensor in (_origin(each, passing) for each in operation.inputs):
      maker = _SCOPE.match(tensor.op.name)
      if not (maker and maker.group(2) != recomputation.SCOPE or _is_lasting(tensor)):
        # Gradients within the forward pass are those of the loss, of one image after the other.
        scope = maker or (reader if reader.group(1) else None)
        kept[scope and scope.group()][tensor.name] = recomputation.num_bytes(tensor)
  forward = sum(kept.pop(None, {}).values())
  parts = [sum(part.values()) for part in kept.values()]
  images = _PEAK_SHARE[tf_compat.IS_TF1] * graph_rewrites.PRECISIONS[precision].memory_share * (
      forward + max(parts or [0]))
  variables = (graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
               + graph.get_collection(tf.GraphKeys.LOCAL_VARIABLES)
               + _GRADIENT_COPIES * graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES))
  return int(images) + sum(map(recomputation.num_bytes, variables))


def recomputation_level(graph, options):
  """Returns the key of `recomputation.LEVELS` for a graph with gradients, as TrainOptions say.

  On GPUs, whose memory is not known here, auto is what takes little at little cost.
  """
  if options.gradient_checkpointing:
    return recomputation.ALL
  if options.recompute != recomputation.AUTO:
    return options.recompute
  limit = None if tf_compat.num_gpus() else cpu_memory_limit_bytes()
  if limit and step_bytes(graph, options.precision) <= _CERTAINLY_FITS * limit:
    return recomputation.NOTHING
  logging.info('Batch norm and activations are computed again for gradients, to save memory at '
               'about a tenth of the speed: --recompute=nothing keeps them.')
  return recomputation.BATCH_NORM


def _origin(tensor, passing):
  """Returns the tensor that lies in memory for one that gradients read."""
  while tensor.op.type in passing and tensor.value_index == 0:
    tensor = tensor.op.inputs[0]
  return tensor


def _is_lasting(tensor):
  """Whether a tensor is there from the first step to the last: a variable or a constant."""
  return (tensor.dtype._is_ref_dtype or tensor.dtype == tf.resource
          or tensor.op.type in ('Const', 'ReadVariableOp'))


def _check_on_cpu(need, what, advice):
  """Warns of a step that may not fit into the memory; refuses one that is far too large."""
  limit = cpu_memory_limit_bytes()
  if not limit or need <= limit:
    return
  text = 'oo little memory for %s: by estimate a step takes %s, and there is %s. %s' % (
      what, _gigabytes(need), _gigabytes(limit), advice)
  if need > _CERTAINLY_TOO_LARGE * limit:
    raise ValueError('T' + text)
  logging.warning('Perhaps t%s', text)


def _advice(options, num_clones):
  """Returns a sentence of what takes less memory."""
  ways = ['a smaller --train_crop_size']
  half = options.train_batch_size // 2 // num_clones * num_clones
  if half:
    ways.insert(0, 'half the batch, --train_batch_size=%d' % half)
  if not options.gradient_checkpointing:
    ways.append('--gradient_checkpointing')
  return 'Try %s.' % ', or '.join(ways)


def _allocation(message):
  """Returns what could not be allocated, as far as the message says it."""
  match = re.search(r'allocating tensor with shape ?(\[[\d,]*\])[^\n]*? on (\S+)', message)
  return ('a tensor %s did not fit on %s' % match.groups() if match
          else message.strip().split('\n')[0][:200])


def _gigabytes(num_bytes):
  """Returns bytes as '1.9 GB'."""
  return ('%.2g GB' if num_bytes < 10 * _GB else '%.0f GB') % (num_bytes / _GB)


class ControlGroups(typing.NamedTuple):
  """Names of the files of a version of control groups."""
  root: str  # Folder of the groups of all processes.
  # Pattern of the line of /proc/self/cgroup that has the group of this process.
  own_group: typing.Pattern
  limit: str  # File with the largest bytes, or a word where there is no limit.
  taken: str  # File with the bytes that are taken.
  # Line of memory.stat with the bytes of these that are given up when they are needed.
  reclaimable: str


VERSIONS = (
    ControlGroups('sys/fs/cgroup', re.compile(r'^0::(.*)$', re.MULTILINE), 'memory.max',
                  'memory.current', 'inactive_file'),
    ControlGroups('sys/fs/cgroup/memory', re.compile(r'^\d+:(?:.*,)?memory(?:,.*)?:(.*)$',
                                                     re.MULTILINE),
                  'memory.limit_in_bytes', 'memory.usage_in_bytes', 'total_inactive_file'),
)


def free_bytes(root='/'):
  """Returns the bytes of memory that this process may take yet, or None where not known.

  That is what the machine has available, within what is left of the limits of its control group,
  as containers and batch systems set them, and of those above it. `root` has proc/ and sys/.
  """
  kilobytes = _number_after('MemAvailable:', _text_of(os.path.join(root, 'proc/meminfo')))
  if kilobytes is None:
    return None
  left = [left for version in VERSIONS for left in _left_in_groups(root, version)]
  return min([kilobytes << 10] + left)


def _left_in_groups(root, version):
  """Yields the bytes left in each group of this process that has a limit."""
  own = version.own_group.search(_text_of(os.path.join(root, 'proc/self/cgroup')))
  # In a container the group is called as outside of it, but its files are those of the root.
  group = own.group(1).strip('/') if own else ''
  while True:
    folder = os.path.join(root, version.root, group)
    try:
      limit = int(_text_of(os.path.join(folder, version.limit)))
      taken = int(_text_of(os.path.join(folder, version.taken)))
    except ValueError:
      pass  # Another version, no limit, or no such group.
    else:
      reclaimable = _number_after(version.reclaimable + ' ',
                                  _text_of(os.path.join(folder, 'memory.stat')))
      yield max(0, limit - max(0, taken - (reclaimable or 0)))
    if not group:
      return
    group = os.path.dirname(group)


def _number_after(name, text):
  """Returns the number behind a name at the start of a line, or None."""
  match = re.search(r'^%s\s*(\d+)' % re.escape(name), text, re.MULTILINE)
  return int(match.group(1)) if match else None


def _text_of(path):
  """Returns the text of a file of the system; '' where there is none."""
  try:
    with open(path) as stream:  # local: /proc and /sys
      return stream.read()
  except OSError:
    return ''
