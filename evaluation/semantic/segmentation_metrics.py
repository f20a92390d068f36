"""Semantic segmentation metrics of a confusion matrix; count first, divide last.

    counts = confusion_matrix(labels, predictions, num_classes, ignore_label)
    np.nanmean(iou_per_class(counts))

    python -m deeplab.evaluation.semantic.segmentation_metrics RUN/eval/metrics.json

Counts are [num_classes, num_classes] int64 arrays of pixels: rows are labels, columns are
predictions. Counts of several images or runs add up.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import sys

import numpy as np

from deeplab.core import keys
from deeplab.core.storage import json_text


def confusion_matrix(labels, predictions, num_classes, ignore_label=keys.IGNORE_LABEL):
  """Returns the pixel counts of label maps, [num_classes, num_classes] int64.

  Labels, and predictions in 0..num_classes-1, are integer arrays of class ids, of one shape.
  Pixels with the label `ignore_label` are not counted. Raises ValueError if shapes differ, or ids
  are out of range.
  """
  labels, predictions = np.asarray(labels), np.asarray(predictions)
  if labels.shape != predictions.shape:
    raise ValueError('labels have shape %s, predictions %s.'
                     % (labels.shape, predictions.shape))
  is_counted = labels != ignore_label
  labels = labels[is_counted].astype(np.int64)
  predictions = predictions[is_counted].astype(np.int64)
  for what, ids in (('label', labels), ('prediction', predictions)):
    if ids.size and (ids.min() < 0 or ids.max() >= num_classes):
      raise ValueError('%s ids range from %d to %d, expected 0..%d.'
                       % (what, ids.min(), ids.max(), num_classes - 1))
  counts = np.bincount(labels * num_classes + predictions, minlength=num_classes ** 2)
  return counts.reshape(num_classes, num_classes).astype(np.int64)


def iou_per_class(counts):
  """Returns TP / (TP + FP + FN), [num_classes] float64; nan where the class is absent."""
  return ious_of(np.stack(_totals(counts)))


def ious_of(totals):
  """Returns the IoUs of the last axis of totals per class; nan where absent.

  Totals are [..., 3, num_classes]: pixels predicted right, with the label, predicted.
  """
  hits, labels, predictions = np.moveaxis(totals, -2, 0)
  return divide(hits, labels + predictions - hits)


def dice_per_class(counts):
  """Returns 2 TP / (2 TP + FP + FN), which is F1; nan where the class is absent."""
  hits, labels, predictions = _totals(counts)
  return divide(2 * hits, labels + predictions)


def accuracy_per_class(counts):
  """Returns TP / (TP + FN), which is recall; nan where no pixel has the label."""
  hits, labels, _ = _totals(counts)
  return divide(hits, labels)


def mean_iou(counts):
  """Returns the mean IoU over the classes that labels or predictions have; nan if none."""
  return mean(iou_per_class(counts))


def pixel_accuracy(counts):
  """Returns the share of pixels that are predicted right; nan without pixels."""
  hits, labels, _ = _totals(counts)
  return float(divide(hits.sum(), labels.sum()))


def frequency_weighted_iou(counts):
  """Returns the IoU of the classes weighted by their share of the label pixels."""
  _, labels, _ = _totals(counts)
  return float(divide(np.nansum(labels * iou_per_class(counts)), labels.sum()))


def summarize(counts, class_names=None):
  """Returns all metrics of `counts` as a dict that JSON can hold; absent values are None.

  'miou', 'foreground_miou' (without class 0), 'pixel_accuracy', 'mean_class_accuracy',
  'frequency_weighted_iou' and 'mean_dice' are floats, 'num_pixels' is an int. 'classes' is a list,
  per class a dict of 'id', 'name' (see `names_of`), 'iou', 'dice', 'accuracy', 'label_pixels',
  'predicted_pixels'.
  """
  counts = np.asarray(counts)
  _, labels, predictions = _totals(counts)
  names = names_of(class_names, len(counts))
  ious, dices = iou_per_class(counts), dice_per_class(counts)
  accuracies = accuracy_per_class(counts)
  means = {'miou': mean(ious), 'foreground_miou': mean(ious[1:]),
           'pixel_accuracy': pixel_accuracy(counts), 'mean_class_accuracy': mean(accuracies),
           'frequency_weighted_iou': frequency_weighted_iou(counts), 'mean_dice': mean(dices)}
  return dict(
      {name: or_none(value) for name, value in means.items()}, num_pixels=int(labels.sum()),
      classes=[{'id': i, 'name': names[i], 'iou': or_none(ious[i]), 'dice': or_none(dices[i]),
                'accuracy': or_none(accuracies[i]), 'label_pixels': int(labels[i]),
                'predicted_pixels': int(predictions[i])} for i in range(len(counts))])


def names_of(class_names, num_classes):
  """Returns one name per class: those given, or 'class <id>'."""
  return list(class_names or ['class %d' % i for i in range(num_classes)])


def format_table(summary):
  """Returns the lines of a table of `summarize(...)`: one per class, then the means.

  Shares are percent; '-' stands for a class that is absent.
  """
  classes = summary['classes']
  width = max([len('without class 0')] + [len(c['name']) for c in classes])
  num_pixels = max(1, summary['num_pixels'])
  lines = ['%3s  %-*s %7s %9s %7s %8s' % ('id', width, 'class', 'IoU', 'accuracy', 'Dice',
                                          'pixels')]
  for c in classes:
    lines.append('%3d  %-*s %7s %9s %7s %8s' % (
        c['id'], width, c['name'], percent(c['iou']), percent(c['accuracy']),
        percent(c['dice']), percent(float(c['label_pixels']) / num_pixels) + '%'))
  lines.append('%3s  %-*s %7s %9s %7s' % (
      '', width, 'mean', percent(summary['miou']), percent(summary['mean_class_accuracy']),
      percent(summary['mean_dice'])))
  means = [('without class 0', summary.get('foreground_miou')),
           ('weighted IoU', summary['frequency_weighted_iou']),
           ('pixel accuracy', summary['pixel_accuracy'])]
  if 'boundary_iou' in summary:
    means.append(('boundary IoU', summary['boundary_iou']))
  means += [('mIoU in %d px' % band['width_px'], band['miou'])
            for band in summary.get('trimap_miou', ())]
  return lines + ['%3s  %-*s %7s' % ('', width, name, percent(value)) for name, value in means]


def main(argv):
  """Prints the table of the metrics.json files in `argv[1:]`; returns the exit code."""
  if len(argv) < 2:
    sys.stderr.write('usage: python -m deeplab.evaluation.semantic.segmentation_metrics '
                     'metrics.json...\n')
    return 2
  try:
    for path in argv[1:]:
      print('\n'.join(_table_of_file(path)))
  except ValueError as error:
    sys.stderr.write('segmentation_metrics.py: error: %s\n' % error)
    return 1
  return 0


def _table_of_file(path):
  """Returns the lines of the table of a metrics.json, and one that says of what it is."""
  metrics = json_text.read(path)
  try:
    title = '%s, split %s, %d images, %s' % (metrics['dataset'], metrics['split'],
                                             metrics['num_examples'], metrics['checkpoint'])
    return [title] + format_table(metrics)
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise ValueError('%s is no metrics.json as eval.py writes it.' % path) from error


def _totals(counts):
  """Returns pixels per class: predicted right, with the label, predicted."""
  counts = np.asarray(counts)
  return np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)


def divide(numerator, denominator):
  """Returns the float64 quotient, nan where the denominator is 0."""
  numerator = np.asarray(numerator, np.float64)
  result = np.full(numerator.shape, np.nan)
  return np.divide(numerator, denominator, out=result, where=np.asarray(denominator) > 0)


def mean(values):
  """Returns the mean of the values that are not nan; nan where there are none."""
  values = values[~np.isnan(values)]
  return float(values.mean()) if values.size else float('nan')


def or_none(value):
  """Returns the value as JSON can hold it, None for nan."""
  return None if np.isnan(value) else float(value)


def percent(value):
  """Returns a share as text, in percent; '-' for None."""
  return '-' if value is None else '%.2f' % (100 * value)


if __name__ == '__main__':
  sys.exit(main(sys.argv))
