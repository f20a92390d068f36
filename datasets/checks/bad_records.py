"""Leaves bad records out of a stream, tells which, and stops when they are too many."""
import threading

import numpy as np
from absl import logging

from deeplab.core.images import input_errors
from deeplab.core.tf_compat import tf
from deeplab.datasets.checks import findings, scan
from deeplab.datasets.records import example

STOP = 'stop'
SKIP = 'skip'
ON_BAD_RECORD = (STOP, SKIP)

# Shares of fewer records mean little.
_LEAST_RECORDS = 20


class BadRecordFilter(object):
  """Examines every record before it is decoded; for `tf.data.Dataset.filter`.

  Attributes:
    num_seen: number of records examined.
    skipped: dict, name of a record -> what is wrong with it.
  """

  def __init__(self, descriptor, has_label, max_fraction):
    """Makes a filter.

    Args:
      descriptor: DatasetDescriptor.
      has_label: whether records must have a label.
      max_fraction: largest share of bad records, 0..1; more is an error, told by
        `in_graph.readable_input_errors`.
    """
    self.num_seen = 0
    self.skipped = {}
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
    facts = scan.inspect_record(
        record, 'Record %s' % name, self._descriptor, self._has_label)
    problems = [sentence for kind, sentence in facts.problems
                if findings.FINDINGS[kind].severity == findings.ERROR]
    return name, problems[0] if problems else None
