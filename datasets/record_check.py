"""Bad records: checked in the input graph, and named when something failed."""
import contextlib
import io

import numpy as np
from PIL import Image

from deeplab.core import input_errors, keys
from deeplab.core.tf_compat import tf
from deeplab.datasets import example

_MAX_VALUES = 5


def checked_sample(sample, descriptor):
  """Returns the sample, which fails when run unless its label fits image and dataset.

  Args:
    sample: dict as `example.parse` returns it.
    descriptor: DatasetDescriptor.
  """
  if keys.LABELS_CLASS not in sample:
    return sample
  image, label = sample[keys.IMAGE], sample[keys.LABELS_CLASS]
  name = sample[keys.IMAGE_NAME]
  ids = tf.cast(label, tf.int32)
  is_bad = tf.logical_and(ids >= descriptor.num_classes,
                          tf.not_equal(ids, descriptor.ignore_label))
  sizes = [tf.as_string(tf.shape(t)[axis]) for t in (image, label) for axis in (0, 1)]
  checks = [
      input_errors.check(
          tf.reduce_all(tf.equal(tf.shape(image)[:2], tf.shape(label)[:2])),
          ['Record ', name, ': the image is ', sizes[0], 'x', sizes[1], ', its label ',
           sizes[2], 'x', sizes[3], ' (height x width); they must be equal.']),
      input_errors.check(
          tf.logical_not(tf.reduce_any(is_bad)),
          ['Record ', name, ': the label has the values ', _first_values(ids, is_bad),
           ', which are neither classes 0..%d nor the ignore label %d of dataset %s. Check '
           '--dataset, or build the records again.'
           % (descriptor.num_classes - 1, descriptor.ignore_label, descriptor.name)]),
  ]
  with tf.control_dependencies(checks):
    return dict(sample, **{keys.IMAGE: tf.identity(image),
                           keys.LABELS_CLASS: tf.identity(label)})


@contextlib.contextmanager
def readable_input_errors(files, descriptor):
  """Turns errors of the input pipeline into a ValueError that names the record.

  Args:
    files: the shards that are read.
    descriptor: DatasetDescriptor.
  """
  try:
    yield
  except (tf.errors.InvalidArgumentError, tf.errors.DataLossError,
          tf.errors.NotFoundError) as error:
    described = describe_input_error(error, files, descriptor)
    if described is None:
      raise
    raise described from error


def describe_input_error(error, files, descriptor):
  """Returns a ValueError that names the bad record, or None if no record is bad.

  Args:
    error: tf.errors.OpError raised while running a step.
    files: the shards that are read.
    descriptor: DatasetDescriptor.
  """
  sentence = input_errors.sentence_of(error)
  if sentence:
    return ValueError(sentence)
  # TensorFlow does not say which record it could not read or decode.
  for path in files:
    try:
      for index, record in enumerate(example.read_records(path)):
        problem = record_problem(record, descriptor)
        if problem:
          return ValueError('Shard %s, record %d (%s): %s Build this shard again.' % (
              path, index, example.record_name(record), problem))
    except ValueError as found:
      return found
  return None


def record_problem(record, descriptor):
  """Returns a sentence on what is wrong with a `tf.train.Example`, or None.

  Args:
    record: the example.
    descriptor: DatasetDescriptor.
  """
  image, problem = _decode(example.image_bytes(record), 'image')
  if problem or not example.label_bytes(record):
    return problem
  label, problem = _decode(example.label_bytes(record), 'label')
  if problem:
    return problem
  if image.shape[:2] != label.shape[:2]:
    return 'the image is %dx%d, its label %dx%d (height x width).' % (
        image.shape[:2] + label.shape[:2])
  values = np.unique(label)
  bad = values[(values >= descriptor.num_classes) & (values != descriptor.ignore_label)]
  if len(bad):
    return 'the label has the values %s outside the %d classes.' % (
        ', '.join(str(v) for v in bad[:_MAX_VALUES]), descriptor.num_classes)
  return None


def _decode(data, what):
  try:
    return np.array(Image.open(io.BytesIO(data))), None
  except Exception as error:  # Pillow raises many kinds on broken data
    return None, 'the %s cannot be decoded (%s).' % (what, str(error).split('\n')[0])


def _first_values(ids, is_bad):
  values = tf.unique(tf.boolean_mask(ids, is_bad))[0]
  shown = tf.strings.reduce_join(tf.as_string(values[:_MAX_VALUES]), separator=', ')
  return tf.cond(tf.size(values) > _MAX_VALUES,
                 lambda: tf.strings.join([shown, ', ...']), lambda: shown)
