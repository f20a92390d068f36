"""A readable end of a training that does not fit into memory: which batch and crop would."""
import contextlib
import re
import typing

from absl import logging

from deeplab.core import error_text, keys, tf_compat
from deeplab.core.tf_compat import tf
from deeplab.utils import free_memory, graph_rewrites, memory_estimate, train_graph

# Of the memory, left to what no estimate sees: batches in waiting, gaps, work space of
# convolutions.
_MARGIN = 0.15
# Crops of fewer pixels a side show too little of a picture to learn from.
_LEAST_SIDE = 65
_GB = 1e9
# Of a picture that goes into the network: three float32.
_BYTES_PER_PIXEL = 12
# Estimates are within a quarter of what is measured.
_CERTAINLY_TOO_LARGE = 1.35
_NO_MODEL = 'a smaller --model_variant or --depth_multiplier'


class Step(typing.NamedTuple):
  """A training step that did not fit.

  Attributes:
    batch_size: images over all clones.
    crop_size: (height, width) of the images.
    output_stride: crop sides are multiples of it plus one.
    num_clones: divides every batch.
    pooling_size: (height, width) of the window of image pooling, or None for the crop.
  """
  batch_size: int
  crop_size: typing.Sequence[int]
  output_stride: int = 16
  num_clones: int = 1
  pooling_size: typing.Optional[typing.Sequence[int]] = None


@contextlib.contextmanager
def readable_memory_errors(dataset, model_options, options, deployment=None):
  """Turns running out of memory in a step of the default graph into advice, a ValueError.

  On the processor, where convolutions of TensorFlow 2 end the process without a word when
  they get no memory, a step that is far too large by estimate is refused before the first.

  Args:
    dataset: DatasetDescriptor.
    model_options: ModelOptions with the crop size of the training.
    options: TrainOptions.
    deployment: `model_deploy.SplitBatch` of several clones, or None for one model.
  """
  num_clones = deployment.num_clones if deployment else 1
  training = _Training(dataset, model_options, options, num_clones)
  if not (tf_compat.IS_TF1 or tf_compat.num_gpus()):
    training.check_on_cpu()
  try:
    yield
  except tf.errors.ResourceExhaustedError as error:
    if error_text.trouble_of(error):
      raise  # The disk is full.
    raise ValueError(training.message(str(error))) from error


def check_batch(batch_size, crop_size):
  """Stops at batches whose images alone do not fit into the memory there is.

  The estimate of a step needs its graph, which of absurd sizes takes long or cannot be built.

  Args:
    batch_size: images of a step in this process.
    crop_size: (height, width) of the images.

  Raises:
    ValueError: names the flags.
  """
  need = batch_size * crop_size[0] * crop_size[1] * _BYTES_PER_PIXEL
  free = free_memory.free_bytes()
  if free is not None and need > free:
    raise ValueError(
        '--train_batch_size=%d with --train_crop_size=%d,%d: the images of a step alone take %s, '
        'and there is %s. Lower one of them.' % (batch_size, crop_size[0], crop_size[1],
                                                 _text(need), _text(free)))


class _Training(typing.NamedTuple):
  """What the default graph trains: the arguments of `readable_memory_errors`."""
  dataset: typing.Any
  model_options: typing.Any
  options: typing.Any
  num_clones: int

  def step(self):
    """Returns the Step."""
    return Step(self.options.train_batch_size, self.model_options.crop_size,
                self.model_options.output_stride, self.num_clones,
                self.model_options.pooling_window)

  def memory(self, num_here):
    """Returns the StepMemory of the default graph, for `num_here` of its clones."""
    return memory_estimate.of_step(tf.get_default_graph(), num_here).scaled(
        self._share() * num_here / self.num_clones)

  def memory_with_checkpointing(self, num_here):
    """Returns the StepMemory with gradient checkpointing; None if that is on already."""
    if self.options.gradient_checkpointing:
      return None
    graph = _graph_of_clone(self.dataset, self.model_options,
                            self.options._replace(gradient_checkpointing=True), self.num_clones)
    return memory_estimate.of_step(graph, num_here).scaled(self._share() * num_here)

  def _share(self):
    return graph_rewrites.PRECISIONS[self.options.precision].memory_share

  def check_on_cpu(self):
    """Warns of a step that may not fit into the memory there is.

    Raises:
      ValueError: it is far too large.
    """
    memory, limit = self.memory(self.num_clones), graph_rewrites.cpu_memory_limit_bytes()
    if not limit or memory.num_bytes() <= limit:
      return
    text = 'Too little memory for %s%s' % (self._images(), advice(
        self.step(), memory, self.memory_with_checkpointing(self.num_clones), limit))
    if memory.num_bytes() > _CERTAINLY_TOO_LARGE * limit:
      raise ValueError(text)
    logging.warning('Perhaps t%s', text[1:])

  def message(self, text):
    """Returns the message on a step that ran out of memory; text: of TensorFlow."""
    is_on_gpu = 'device:GPU' in text
    # Each GPU has one clone in its memory, the processor has all.
    num_here = 1 if is_on_gpu else self.num_clones
    limit = (tf_compat.gpu_memory_bytes() if is_on_gpu
             else graph_rewrites.cpu_memory_limit_bytes())
    return 'Out of memory with %s (%s)%s' % (
        self._images(), _allocation(text),
        advice(self.step(), self.memory(num_here), self.memory_with_checkpointing(num_here),
               limit))

  def _images(self):
    step = self.step()
    return '%d image%s of %dx%d pixels per step' % (
        step.batch_size, '' if step.batch_size == 1 else 's', step.crop_size[0],
        step.crop_size[1])


def _graph_of_clone(dataset, model_options, options, num_clones):
  """Returns the training graph of one of several clones."""
  shape = [options.train_batch_size // num_clones] + list(model_options.crop_size)
  with tf.Graph().as_default() as graph:
    train_graph.build_train_graph(
        {keys.IMAGE: tf.placeholder(tf.uint8, shape + [3]),
         keys.LABEL: tf.placeholder(tf.int32, shape + [1])}, dataset, model_options, options)
  return graph


def advice(step, memory, checkpointing=None, limit=None):
  """Returns text of what a step would take, and of settings that fit.

  Args:
    step: Step.
    memory: StepMemory of it.
    checkpointing: StepMemory of it with gradient checkpointing; None if that is on already.
    limit: bytes that may be taken, or None where not known: half the need is aimed at.
  """
  need = memory.num_bytes()
  said = '. '
  if limit:
    said = ': by estimate a step takes %s, and there is %s. ' % (_text(max(need, limit)),
                                                                _text(limit))
  fitting = (1 - _MARGIN) * limit if limit else need / 2.0
  # It did not fit, whatever the estimate says.
  correction = max(1.0, limit / need) if limit else 1.0
  room = fitting / correction
  ways = [_smaller_batch(step, memory, room), _smaller_crop(step, memory, room)]
  if checkpointing and checkpointing.num_bytes() <= room:
    ways.append('--gradient_checkpointing (about %s, slower)'
                % _text(correction * checkpointing.num_bytes()))
  ways = [way for way in ways if way]
  if not ways:
    ways = [_smallest(step, memory, checkpointing, room)]
  return '%sTry %s.' % (said, ', or '.join(ways))


def _smaller_batch(step, memory, room):
  """Returns the flag of the largest batch that fits, or None."""
  largest = int(_scale_that_fits(memory, room) * step.batch_size)
  batch_size = min(largest, step.batch_size - 1) // step.num_clones * step.num_clones
  return '--train_batch_size=%d' % batch_size if batch_size else None


def _smaller_crop(step, memory, room):
  """Returns the flags of the largest crop that fits, or None."""
  ratio = _scale_that_fits(memory, room) ** 0.5
  stride = step.output_stride
  # Features have a row more than the crop has strides, which counts in small crops.
  crop_size = [int((ratio * (side + stride) - stride - 1) // stride) * stride + 1
               for side in step.crop_size]
  if list(crop_size) == list(step.crop_size) or min(crop_size) < min(
      [_LEAST_SIDE] + list(step.crop_size)):
    return None
  text = '--train_crop_size=%d,%d' % tuple(crop_size)
  if step.pooling_size and any(window > side
                               for window, side in zip(step.pooling_size, crop_size)):
    text += ' --image_pooling_crop_size=%d,%d' % tuple(crop_size)
  return text


def _smallest(step, memory, checkpointing, room):
  """Returns flags that fit together where none does alone, or that the network is too large."""
  flags = []
  for flag, tried in (('', memory), (' --gradient_checkpointing', checkpointing)):
    if tried is None:
      continue
    least = step._replace(batch_size=step.num_clones)
    share = tried.scaled(step.num_clones / float(step.batch_size))
    batch_flag = '--train_batch_size=%d' % step.num_clones
    if step.num_clones == step.batch_size:
      batch_flag = ''
    if share.num_bytes() <= room:
      return (batch_flag + flag).strip()
    crop_flag = _smaller_crop(least, share, room)
    if crop_flag:
      flags.append((batch_flag + ' ' + crop_flag + flag).strip())
  return flags[0] if flags else _NO_MODEL


def _scale_that_fits(memory, room):
  """Returns the largest share, 0..1, of the pixels of a step that fits into so many bytes."""
  return min(1.0, max(0.0, (room - memory.weight_bytes) / max(1.0, memory.image_bytes)))


def _allocation(message):
  """Returns what could not be allocated, as far as the message says it."""
  match = re.search(r'allocating tensor with shape ?(\[[\d,]*\])[^\n]*? on (\S+)', message)
  return ('a tensor %s did not fit on %s' % match.groups() if match
          else message.strip().split('\n')[0][:200])


def _text(num_bytes):
  """Returns bytes as '1.9 GB'."""
  return ('%.2g GB' if num_bytes < 10 * _GB else '%.0f GB') % (num_bytes / _GB)
