"""What a run does about bad records: a quick look before it, checks in the graph, names in errors.

The quick look asks what `dataset_info.json` counts, the heads of shards and the numbers of records.
Inside the input pipeline bad records stop the run, or are left out.
"""
import contextlib
import threading
import time

import numpy as np
from absl import logging

from deeplab.core import keys
from deeplab.core.images import input_errors, limits
from deeplab.core.storage import errors
from deeplab.core.tf_compat import tf
from deeplab.datasets.checks import examination, rules
from deeplab.datasets.records import dataset_info, example, shards

STOP = 'stop'
SKIP = 'skip'
ON_BAD_RECORD = (STOP, SKIP)

_RECORDS_PER_SHARD = 2
# Records are decoded, and then counted, as long as this lasts; heads are looked at in any
# case. One image of one megapixel takes about 0.02 s.
_PIXELS_SECS = 0.4
_COUNT_SECS = 0.3
_MAX_VALUES = 5
_LEAST_RECORDS = 20  # Shares of fewer records mean little.


def quick_look(files, split, descriptor, dataset_dir, skips_bad_records=False):
  """Stops if a first look finds what would harm training or evaluation; logs warnings.

  `files` are the shards of the split in `dataset_dir`. `skips_bad_records` says that single records
  that cannot be used do no harm. Raises ValueError; names what was found and where.
  """
  findings = rules.Findings()
  info = dataset_info.read(dataset_dir)
  if info is not None and split in info.splits:
    examination.judge_classes(info.splits, descriptor, findings, split)
  try:
    _look_at_first_records(files, descriptor.has_labels(split), descriptor, findings,
                           skips_bad_records)
    num_records = _count(files)
    if num_records is not None:
      examination.check_size(split, num_records, descriptor, info, findings)
  except ValueError as error:
    findings.add('corrupt_record', str(error))
  for name in findings.of_severity(rules.WARNING):
    logging.warning('%s %s', findings.named[name][0], rules.FINDINGS[name].text)
  errors = findings.sentences(rules.ERROR)
  if errors:
    more = ' (and %d more)' % (len(errors) - 1) if len(errors) > 1 else ''
    raise ValueError(
        '%s%s The whole picture: python -m deeplab.datasets.doctor --dataset_dir=%s. To go on '
        'all the same: --skip_data_check.' % (errors[0], more, dataset_dir))


def _look_at_first_records(files, has_label, descriptor, findings, skips_bad_records):
  end = time.monotonic() + _PIXELS_SECS
  for path in files:
    for index, record in enumerate(example.read_records(path)):
      if index >= _RECORDS_PER_SHARD:
        break
      facts = rules.inspect_record(
          record, rules.record_title(record, path, index), descriptor, has_label,
          with_pixels=time.monotonic() < end)
      for name, sentence in facts.problems:
        if not (skips_bad_records and rules.FINDINGS[name].severity == rules.ERROR):
          findings.add(name, sentence + rules.place(path, index))


def _count(files):
  """Returns the number of records of all files, or None if counting would take long."""
  end, total = time.monotonic() + _COUNT_SECS, 0
  for path in files:
    count = shards.count_records(path, end)
    if count is None:
      return None
    total += count
  return total


def checked_sample(sample, descriptor):
  """Returns the sample, which fails when run unless its label fits image and dataset.

  It is a dict as `example.parse` or `example.parse_encoded` returns it.
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


def _size_text(size):
  sizes = tf.as_string(size)
  return tf.strings.join([sizes[0], 'x', sizes[1]])


def _first_values(label, is_bad):
  values = tf.unique(tf.cast(tf.boolean_mask(label, is_bad), tf.int32))[0]
  shown = tf.strings.reduce_join(tf.as_string(values[:_MAX_VALUES]), separator=', ')
  return tf.cond(tf.size(values) > _MAX_VALUES,
                 lambda: tf.strings.join([shown, ', ...']), lambda: shown)


class BadRecordFilter(object):
  """Leaves bad records out of a stream, and stops when they are too many.

  It examines every record before it is decoded; for `tf.data.Dataset.filter`.
  """

  def __init__(self, descriptor, has_label, max_fraction):
    """Makes a filter of records that must have a label if `has_label`.

    `max_fraction` is the largest share of bad records, 0..1; more is an error, told by
    `readable_input_errors`.
    """
    self.num_seen = 0  # Number of records examined.
    self.skipped = {}  # Name of a record -> what is wrong with it.
    self._num_bad = 0
    self._descriptor = descriptor
    self._has_label = has_label
    self._max_fraction = max_fraction
    self._lock = threading.Lock()

  def is_good(self, serialized):
    """Returns a bool scalar tensor for a string scalar tensor, the record."""
    is_good = tf.py_func(self._examine, [serialized], tf.bool)
    is_good.set_shape([])
    return is_good

  def _examine(self, serialized):
    name, problem = self._problem(serialized)
    with self._lock:
      self.num_seen += 1
      if problem is None:
        return np.bool_(True)
      self._num_bad += 1
      if name not in self.skipped:
        self.skipped[name] = problem
        logging.warning('Bad record skipped, number %d: %s', len(self.skipped), problem)
      if self.num_seen >= _LEAST_RECORDS and (
          self._num_bad > self._max_fraction * self.num_seen):
        raise ValueError(input_errors.marked(
            '%d of %d records are bad, more than --max_bad_fraction=%g allows; the last: %s'
            % (self._num_bad, self.num_seen, self._max_fraction, problem)))
    return np.bool_(False)

  def _problem(self, serialized):
    """Returns (name of the record, what is wrong with it or None)."""
    try:
      record = tf.train.Example.FromString(serialized)
    except Exception as error:
      # Implementations of protobuf each have a DecodeError of their own.
      return '', 'A record is not a tf.train.Example: %s' % error
    name = example.record_name(record)
    return name, rules.inspect_record(
        record, 'Record %s' % name, self._descriptor, self._has_label).error


@contextlib.contextmanager
def readable_input_errors(files, descriptor):
  """Turns errors of a pipeline of the shards `files` into a ValueError that names the record."""
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

  `error` is the tf.errors.OpError of a step, `files` are the shards that are read.
  """
  sentence = input_errors.sentence_of(error)
  if sentence:
    return ValueError(sentence + _place_of(sentence, files))
  # TensorFlow does not say which record it could not read or decode.
  try:
    with tf.Graph().as_default(), tf.Session() as session:
      serialized = tf.placeholder(tf.string, [])
      samples = {has_label: example.parse(serialized, has_label) for has_label in (True, False)}
      for path, index, record in _records_of(files):
        has_label = descriptor.has_labels(shards.split_of(path, descriptor.splits_to_sizes))
        title = rules.record_title(record, path, index)
        advice = rules.place(path, index).strip() + ' Build this shard again.'
        problem = rules.inspect_record(record, title, descriptor, has_label).error
        if problem:
          return ValueError('%s %s' % (problem, advice))
        # Pillow reads a few damaged files that TensorFlow does not.
        with errors.told('%s: it cannot be decoded' % title, tf.errors.InvalidArgumentError,
                         advice=advice):
          session.run(samples[has_label], {serialized: record.SerializeToString()})
  except ValueError as found:
    return found
  return None


def _place_of(sentence, files):
  """Returns where the record is that a sentence begins with the name of; '' if not found."""
  if not sentence.startswith('Record '):
    return ''
  with contextlib.suppress(ValueError):  # Another record, not read yet, is damaged too.
    for path, index, record in _records_of(files):
      if sentence.startswith('Record %s:' % example.record_name(record)):
        return rules.place(path, index)
  return ''


def _records_of(files):
  """Yields (path of the shard, index in it, tf.train.Example) of all shards."""
  # Of many large images this takes minutes.
  logging.info('Looking for the record in %d shards.', len(files))
  for path in files:
    for index, record in enumerate(example.read_records(path)):
      yield path, index, record
