"""Compares two evaluations of the same images; see --help.

    python -m deeplab.tools.runs.compare_runs RUN_A/eval RUN_B/eval

A run is the --eval_logdir of eval.py, or the per_image.csv in it. Shows which classes and
images got better or worse from A to B, and the interval that the difference of the mean IoU
lies in when images are drawn anew.

Reference: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3
(percentile interval).
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import typing

import numpy as np
from absl import flags, logging

from deeplab import common
from deeplab.core.usage import UsageError
from deeplab.evaluation.semantic import image_results, segmentation_metrics

FLAGS = flags.FLAGS

common.begin_flag_group('comparison')
flags.DEFINE_integer('num_resamples', 2000,
                     'Draws of the bootstrap; more takes longer and steadies the interval.',
                     lower_bound=10)
flags.DEFINE_float('confidence', 0.95, 'Probability of the interval.', lower_bound=0.5,
                   upper_bound=0.999)
flags.DEFINE_integer('num_images', 10, 'Images to list that gained or lost most.',
                     lower_bound=0)
flags.DEFINE_integer('seed', 0, 'Seed of the bootstrap.')

# Resamples worked on at once; bounds the memory.
_CHUNK = 50


class Comparison(typing.NamedTuple):
  """Differences from run A to run B; IoUs are shares in 0..1."""
  class_names: typing.List[str]  # Names of the classes.
  # [2, num_classes] IoU of both runs over all images; nan where the class is absent.
  ious: np.ndarray
  miou_interval: typing.Tuple[float, float]  # (low, high) of the difference of the mean IoU.
  # [2, num_classes] low and high of the difference per class, over the resamples that have the
  # class; nan where none has it.
  class_intervals: np.ndarray
  # List of (name, mIoU in A, mIoU in B), the largest loss first.
  images: typing.List[typing.Tuple[str, float, float]]


def main(argv):
  """Prints the comparison of the two runs named on the command line."""
  if len(argv) != 3:
    raise UsageError('Name two runs, such as RUN_A/eval RUN_B/eval; got %d.'
                     % (len(argv) - 1))
  runs = [image_results.read_per_image(folder) for folder in argv[1:]]
  names, counts = paired_counts(runs, argv[1:])
  result = compare(names, counts, runs[0][1], FLAGS.num_resamples, FLAGS.confidence,
                   FLAGS.seed)
  print('\n'.join(format_comparison(result, argv[1:], FLAGS.confidence, FLAGS.num_images)))


def paired_counts(runs, labels):
  """Returns (names, [2, num_images, 3, num_classes] counts) of the images of both runs.

  `runs` are two pairs of (list of image_results.Row, class names); messages call them `labels`.
  Raises ValueError if the runs are of other classes, labels or images.
  """
  (rows_a, classes_a), (rows_b, classes_b) = runs
  if classes_a != classes_b:
    raise ValueError('The runs have different classes: %s has %s, %s has %s.' % (
        labels[0], ', '.join(classes_a), labels[1], ', '.join(classes_b)))
  by_name = [_by_name(rows, label) for rows, label in zip((rows_a, rows_b), labels)]
  names = [row.name for row in rows_a if row.name in by_name[1]]
  if not names:
    raise ValueError('%s and %s have no image in common.' % tuple(labels))
  num_left_out = len(rows_a) + len(rows_b) - 2 * len(names)
  if num_left_out:
    logging.warning('%d images that only one of the runs has are left out.', num_left_out)
  counts = np.stack([np.stack([rows[name].counts for name in names]) for rows in by_name])
  differs = np.any(counts[0, :, 1] != counts[1, :, 1], axis=1)
  if differs.any():
    raise ValueError('Image %s has other labels in %s than in %s (%d images do): the runs '
                     'were evaluated on different data or at different sizes.' % (
                         names[int(np.argmax(differs))], labels[1], labels[0],
                         differs.sum()))
  return names, counts


def compare(names, counts, class_names, num_resamples, confidence, seed):
  """Returns the Comparison of two runs.

  Args:
    names, counts: of the images, as `paired_counts` returns them.
    num_resamples: draws of the bootstrap, each of as many images as there are.
    confidence: probability of the intervals.
  """
  differences = _resampled_differences(counts, num_resamples, np.random.RandomState(seed))
  percentiles = [50 * (1 - confidence), 50 * (1 + confidence)]
  miou_interval, class_intervals = [
      _percentiles(values, percentiles) for values in differences]
  mious = [list(map(segmentation_metrics.mean, run))
           for run in segmentation_metrics.ious_of(counts)]
  images = sorted(zip(names, *mious), key=lambda image: image[2] - image[1])
  return Comparison(list(class_names), segmentation_metrics.ious_of(counts.sum(axis=1)),
                    tuple(miou_interval), class_intervals,
                    [image for image in images if not np.isnan(image[1] + image[2])])


def format_comparison(result, labels, confidence, num_images):
  """Returns the lines of a comparison; numbers are percent, differences are points."""
  lines = ['A: %s' % labels[0], 'B: %s' % labels[1], '']
  mious = [segmentation_metrics.mean(ious) for ious in result.ious]
  width = max([len('mean IoU')] + [len(name) for name in result.class_names])
  lines.append('%-*s %7s %7s %7s   %g %% interval of B - A' % (width, 'class', 'A', 'B', 'B - A',
                                                           100 * confidence))
  rows = list(zip(result.class_names, result.ious[0], result.ious[1],
                  result.class_intervals.T))
  rows.sort(key=lambda row: np.nan_to_num(row[2] - row[1]))
  for name, a, b, interval in rows + [('mean IoU', mious[0], mious[1], result.miou_interval)]:
    lines.append('%-*s %7s %7s %7s   %s' % (width, name, _percent(a), _percent(b),
                                            _percent(b - a, '%+.2f'), _interval(interval)))
  changed = [image for image in result.images if image[1] != image[2]]
  worse = [image for image in changed if image[2] < image[1]][:num_images]
  better = [image for image in reversed(changed) if image[2] > image[1]][:num_images]
  for title, images in (('Images that got worse', worse), ('Images that got better', better)):
    if images:
      lines += ['', '%s (A, B, B - A):' % title]
      lines += ['%7s %7s %7s   %s' % (_percent(a), _percent(b), _percent(b - a, '%+.2f'), name)
                for name, a, b in images]
  low, high = result.miou_interval
  verdict = ('B is better' if low > 0 else 'B is worse' if high < 0
             else 'the runs cannot be told apart')
  return lines + ['', 'Over %d images: %s.' % (len(result.images), verdict)]


def _resampled_differences(counts, num_resamples, rng):
  """Returns differences B - A of resamples: mean IoU [n], IoU per class [n, num_classes]."""
  num_images = counts.shape[1]
  flat = counts.reshape(2, num_images, -1).astype(np.float64)
  of_means, of_classes = [], []
  for start in range(0, num_resamples, _CHUNK):
    size = min(_CHUNK, num_resamples - start)
    weights = rng.multinomial(num_images, np.full(num_images, 1. / num_images), size)
    totals = np.matmul(weights.astype(np.float64), flat)
    ious = segmentation_metrics.ious_of(totals.reshape((2, size) + counts.shape[2:]))
    of_classes.append(ious[1] - ious[0])
    means = [[segmentation_metrics.mean(row) for row in run] for run in ious]
    of_means.append(np.subtract(means[1], means[0]))
  return np.concatenate(of_means), np.concatenate(of_classes)


def _percentiles(values, percentiles):
  """Returns percentiles over the first axis, without nan values; nan where all of them are."""
  is_present = ~np.isnan(values).all(axis=0)
  result = np.full((len(percentiles),) + values.shape[1:], np.nan)
  result[:, is_present] = np.nanpercentile(values[:, is_present], percentiles, axis=0)
  return result


def _by_name(rows, label):
  by_name = {row.name: row for row in rows}
  if len(by_name) < len(rows):
    raise ValueError('%s has several images of one name: they cannot be paired.' % label)
  return by_name


def _percent(value, pattern='%.2f'):
  return '-' if np.isnan(value) else pattern % (100 * value)


def _interval(interval):
  if np.isnan(interval).any():
    return '-'
  return '%+.2f to %+.2f' % tuple(100 * np.asarray(interval))


if __name__ == '__main__':
  common.run(main, allows_words=True)
