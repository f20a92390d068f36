"""Writes what an evaluation found: files, TensorBoard scalars, lines of a log."""
import csv
import io
import json
import os
import re

import numpy as np
from absl import logging

from deeplab.core.storage import errors, files
from deeplab.core.tf_compat import tf
from deeplab.evaluation.semantic import boundary_metrics, segmentation_metrics

METRICS_FILE_NAME = 'metrics.json'
PER_CLASS_FILE_NAME = 'per_class.csv'

_PER_CLASS_COLUMNS = ('id', 'name', 'iou', 'dice', 'accuracy', 'boundary_iou', 'label_pixels',
                      'predicted_pixels')
# A slash would make a group of its own in TensorBoard.
_NOT_IN_TAGS = re.compile(r'[^\w.-]+')


def miou_tag(eval_scales, add_flipped_images):
  """Returns the summary tag of the mean IoU, e.g. 'miou_0.5_1.0_flipped'."""
  return 'miou_%s%s' % ('_'.join(str(float(scale)) for scale in eval_scales),
                        '_flipped' if add_flipped_images else '')


def make_report(counts, class_names=None, boundary_counts=None, **facts):
  """Returns the content of `metrics.json`: a dict of facts and metrics.

  These are the items of `segmentation_metrics.summarize` and, where there are such counts,
  `boundary_metrics.summarize`, and 'confusion_matrix'.

  Args:
    counts: [num_classes, num_classes] int64 array, rows are labels.
    class_names: one name per class, or None.
    boundary_counts: BoundaryCounts of the same images, or None.
    **facts: what was evaluated: 'checkpoint', 'global_step', 'dataset', 'split',
      'num_examples', 'tag' and more.
  """
  boundaries = {} if boundary_counts is None else boundary_metrics.summarize(boundary_counts)
  return dict(facts, confusion_matrix=np.asarray(counts).tolist(),
              **segmentation_metrics.summarize(counts, class_names), **boundaries)


def write_report(report, folder):
  """Writes `metrics.json` into `folder`, whole or not at all; returns its path."""
  path = os.path.join(folder, METRICS_FILE_NAME)
  matrix = ',\n    '.join(json.dumps(row) for row in report['confusion_matrix'])
  text = json.dumps(dict(report, confusion_matrix=None), indent=2, sort_keys=True,
                    ensure_ascii=False)
  # One line per row: the numbers of a matrix one below the other help nobody.
  text = text.replace('"confusion_matrix": null',
                      '"confusion_matrix": [\n    %s\n  ]' % matrix)
  files.write_text(path, text + '\n')
  return path


def write_per_class(report, folder):
  """Writes `per_class.csv`, a row per class with shares in 0..1; returns its path."""
  boundary = report.get('boundary_iou_per_class') or [None] * len(report['classes'])
  path = os.path.join(folder, PER_CLASS_FILE_NAME)
  text = io.StringIO()
  writer = csv.DictWriter(text, _PER_CLASS_COLUMNS)
  writer.writeheader()
  for c, boundary_iou in zip(report['classes'], boundary):
    writer.writerow(dict(c, boundary_iou=boundary_iou))
  files.write_text(path, text.getvalue())
  return path


def scalars(report):
  """Returns the TensorBoard scalars of a report as a dict, tag -> value.

  The mean IoU stands under the report's tag, the rest under 'eval/'. The IoU of a class is there
  twice: by its id, e.g. 'eval/miou_1.0_class_3', and by id and name, e.g. 'iou_1.0/3_skin'.
  Classes that are absent have none.
  """
  tag = report['tag']
  values = {tag: report['miou']}
  for name in ('foreground_miou', 'pixel_accuracy', 'mean_class_accuracy',
               'frequency_weighted_iou', 'mean_dice', 'boundary_iou'):
    values['eval/%s' % name] = report.get(name)
  for band in report.get('trimap_miou', ()):
    values['eval/trimap_miou_%d_px' % band['width_px']] = band['miou']
  for c in report['classes']:
    values['eval/%s_class_%d' % (tag, c['id'])] = c['iou']
    values['%s/%d_%s' % (re.sub('^m', '', tag), c['id'], _NOT_IN_TAGS.sub('_', c['name']))] = (
        c['iou'])
  return {name: value for name, value in values.items() if value is not None}


def write_scalars(report, writer):
  """Adds the scalars of a report to a `tf.summary.FileWriter`, at the report's step."""
  summary = tf.Summary(value=[tf.Summary.Value(tag=name, simple_value=value)
                              for name, value in sorted(scalars(report).items())])
  with errors.told('The events for TensorBoard cannot be written', RuntimeError, OSError,
                   tf.errors.OpError, advice='Make room, and run the same command again.'):
    writer.add_summary(summary, report['global_step'])
    writer.flush()


def log_report(report):
  """Logs the table of a report, and a warning if all predictions are of one class."""
  logging.info('%s, split %s: %d images, step %d\n%s', report['dataset'], report['split'],
               report['num_examples'], report['global_step'],
               '\n'.join(segmentation_metrics.format_table(report)))
  predicted = [c for c in report['classes'] if c['predicted_pixels']]
  if len(predicted) == 1:
    logging.warning(
        'Every pixel is predicted as class %d (%s): the model has learnt nothing yet, or its '
        'options are not those of the training.', predicted[0]['id'], predicted[0]['name'])
