"""Compares many pairs of images, over processes; only file names and counts travel."""
import copy
import os
import typing

from absl import logging

from deeplab.core.jobs import parallel
from deeplab.evaluation.base_metric import SegmentationMetric
from deeplab.evaluation.panoptic import images

ON_MISSING = ('error', 'zero')
CROWD_EXCUSES = ('any', 'same_category')
# Enough images per piece that counts are few; sums do not depend on the number of workers.
_IMAGES_PER_PIECE = 32


class _Piece(typing.NamedTuple):
  """Pairs for one worker to compare, and the empty metric to count with."""
  metric: SegmentationMetric
  pairs: typing.List[images.ImagePair]
  limits: images.Limits
  uses_crowd_categories: bool


def evaluate(metric, pairs, num_workers=0, on_missing='error', crowd_excuses='any'):
  """Adds the counts of all pairs to `metric`; returns the number of missing predictions.

  Args:
    metric: SegmentationMetric.
    pairs: list of images.ImagePair.
    num_workers: number of worker processes; 0: this process.
    on_missing: 'error' stops at a missing prediction before anything is compared; 'zero'
      takes it as an image without segments, which finds nothing.
    crowd_excuses: predictions on a crowd that are not false: 'any', or those of the
      'same_category'.

  Raises:
    ValueError: an argument is out of range, or names the file and what is wrong with it.
  """
  for name, value, valid in (('on_missing', on_missing, ON_MISSING),
                             ('crowd_excuses', crowd_excuses, CROWD_EXCUSES)):
    if value not in valid:
      raise ValueError('%s must be one of %s, got %r.' % (name, ', '.join(valid), value))
  if num_workers < 0:
    raise ValueError('num_workers must not be negative, got %d.' % num_workers)
  pairs, num_missing = _settle_missing(pairs, on_missing)
  limits = images.Limits(metric.num_categories, metric.ignored_label,
                         metric.max_instances_per_category)
  empty = copy.deepcopy(metric)
  empty.reset()
  pieces = [_Piece(empty, pairs[i:i + _IMAGES_PER_PIECE], limits,
                   crowd_excuses == 'same_category')
            for i in range(0, len(pairs), _IMAGES_PER_PIECE)]
  for part in parallel.run(_compare, pieces, [len(piece.pairs) for piece in pieces],
                           max(1, num_workers), 'evaluating'):
    metric.merge(part)
  return num_missing


def _settle_missing(pairs, on_missing):
  """Returns the pairs with None for each missing prediction, and the number of these."""
  settled, missing = [], []
  for pair in pairs:
    if pair.prediction is None or not os.path.exists(pair.prediction.path):
      missing.append(pair)
      pair = pair._replace(prediction=None)
    settled.append(pair)
  if missing:
    first = missing[0]
    what = '%d of %d predictions are missing, first that of image %s: %s.' % (
        len(missing), len(pairs), first.name,
        'it is not listed' if first.prediction is None
        else 'there is no file %s' % first.prediction.path)
    if on_missing == 'error':
      raise ValueError('%s With --on_missing=zero they count as empty.' % what)
    logging.warning('%s They count as empty.', what)
  return settled, len(missing)


def _compare(piece, on_item):
  """Returns a metric with the counts of a piece."""
  metric = copy.deepcopy(piece.metric)
  for pair in piece.pairs:
    truth = pair.groundtruth.read(piece.limits)
    predicted = (images.void(truth.id_image.shape, piece.limits)
                 if pair.prediction is None else pair.prediction.read(piece.limits))
    metric.accumulate_pairs(images.compare(truth, predicted),
                            truth.crowds if piece.uses_crowd_categories else None)
    on_item()
  return metric
