"""Bad records: checked in the input graph, and named when something failed."""
import contextlib

import numpy as np
from absl import logging

from deeplab.core import keys
from deeplab.core.images import input_errors, limits
from deeplab.core.storage import errors
from deeplab.core.tf_compat import tf
from deeplab.datasets.records import example, shards

_MAX_VALUES = 5
# Begins sentences on a record.
_TITLE = 'Record %s'


def checked_sample(sample, descriptor):
  """Returns the sample, which fails when run unless its label fits image and dataset.

  Args:
    sample: dict as `example.parse` or `example.parse_encoded` returns it.
    descriptor: DatasetDescriptor.
  """
  if keys.LABELS_CLASS not in sample:
    return sample
  image, label = sample[keys.IMAGE], sample[keys.LABELS_CLASS]
  name = sample[keys.IMAGE_NAME]
  if image.dtype == tf.string:
    size = limits.stated_size(image)
  else:
    size = tf.shape(image)[:2]
  with tf.control_dependencies([
      _check_sizes(size, label, name), _check_values(label, name, descriptor)]):
    return dict(sample, **{keys.LABELS_CLASS: tf.identity(label),
                           keys.IMAGE: tf.identity(image)})


def _check_sizes(size, label, name):
  # What is no image has no size, and is told where it cannot be decoded.
  fits = tf.logical_or(tf.equal(size[0], 0), tf.reduce_all(tf.equal(size, tf.shape(label)[:2])))
  return input_errors.check(fits, lambda: [
      'Record ', name, ': the image is ', _size_text(size), ', its label ',
      _size_text(tf.shape(label)[:2]), ' (height x width); they must be equal.'])


def _check_values(label, name, descriptor):
  # Compared as bytes: this reads every pixel of every record.
  is_bad = label > min(descriptor.num_classes - 1, label.dtype.max)
  if 0 <= descriptor.ignore_label <= label.dtype.max:
    is_bad = tf.logical_and(is_bad, tf.not_equal(label, descriptor.ignore_label))
  return input_errors.check(tf.logical_not(tf.reduce_any(is_bad)), lambda: [
      'Record ', name, ': the label has the values ', _first_values(label, is_bad),
      ', which are neither classes 0..%d nor the ignore label %d of dataset %s. Check '
      '--dataset, or build the records again.'
      % (descriptor.num_classes - 1, descriptor.ignore_label, descriptor.name)])


@contextlib.contextmanager
def readable_input_errors(files, descriptor):
  """Turns errors of the input pipeline into a ValueError that names the record.

  Args:
    files: the shards that are read.
    descriptor: DatasetDescriptor.
  """
  try:
    yield
  # Messages with bytes of the record in them cannot always be decoded.
  except (tf.errors.InvalidArgumentError, tf.errors.DataLossError,
          tf.errors.NotFoundError, UnicodeDecodeError) as error:
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
    return ValueError(sentence + _place_of(sentence, files))
  # TensorFlow does not say which record it could not read or decode.
  _log_search(files)
  with _make_decoder() as decode:
    for path in files:
      has_labels = descriptor.has_labels(shards.split_of(path, descriptor.splits_to_sizes))
      try:
        for index, record in enumerate(example.read_records(path)):
          problem = record_problem(record, descriptor, decode, has_labels)
          if problem:
            return ValueError('Shard %s, record %d (%s): %s Build this shard again.' % (
                path, index, example.record_name(record), problem))
      except ValueError as found:
        return found
  return None


def _place_of(sentence, files):
  """Returns where the record is that a sentence begins with the name of; '' if not found."""
  if not sentence.startswith(_TITLE % ''):
    return ''
  _log_search(files)
  try:
    for path in files:
      for index, record in enumerate(example.read_records(path)):
        if sentence.startswith(_TITLE % example.record_name(record) + ':'):
          return place(path, index)
  except ValueError:
    pass  # Another record, which was not read yet, is damaged too.
  return ''


def place(path, index):
  """Returns a sentence, after a space, on where a record is."""
  return ' It is record %d of shard %s.' % (index, path)


def _log_search(files):
  # Of many large images this takes minutes.
  logging.info('Looking for the record in %d shards.', len(files))


def record_problem(record, descriptor, decode, has_label=True):
  """Returns a sentence on what is wrong with a `tf.train.Example`, or None.

  Args:
    record: the example.
    descriptor: DatasetDescriptor.
    decode: function (record, key of the sample) -> array; raises tf.errors.OpError.
    has_label: whether the record must have a label.
  """
  arrays = []
  for what, key in (('image', keys.IMAGE), ('label', keys.LABELS_CLASS))[:1 + has_label]:
    try:
      arrays.append(decode(record, key))
    except (tf.errors.OpError, UnicodeDecodeError) as error:
      return 'the %s cannot be decoded (%s).' % (what, errors.reason_of(error))
  if not has_label:
    return None
  image, label = arrays
  if image.shape[:2] != label.shape[:2]:
    return 'the image is %dx%d, its label %dx%d (height x width).' % (
        image.shape[:2] + label.shape[:2])
  values = np.unique(label)
  bad = values[(values >= descriptor.num_classes) & (values != descriptor.ignore_label)]
  if len(bad):
    return 'the label has the values %s outside the %d classes.' % (
        ', '.join(str(v) for v in bad[:_MAX_VALUES]), descriptor.num_classes)
  return None


@contextlib.contextmanager
def _make_decoder():
  """Yields the function that decodes records exactly as the input pipeline does."""
  with tf.Graph().as_default():
    serialized = tf.placeholder(tf.string, [])
    sample = example.parse(serialized)
    with tf.Session(config=tf.ConfigProto(device_count={'GPU': 0})) as session:
      yield lambda record, key: session.run(
          sample[key], {serialized: record.SerializeToString()})


def _size_text(size):
  sizes = tf.as_string(size)
  return tf.strings.join([sizes[0], 'x', sizes[1]])


def _first_values(label, is_bad):
  values = tf.unique(tf.cast(tf.boolean_mask(label, is_bad), tf.int32))[0]
  shown = tf.strings.reduce_join(tf.as_string(values[:_MAX_VALUES]), separator=', ')
  return tf.cond(tf.size(values) > _MAX_VALUES,
                 lambda: tf.strings.join([shown, ', ...']), lambda: shown)
