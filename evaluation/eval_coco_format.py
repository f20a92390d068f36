"""Evaluates whole-image parsing: panoptic quality or parsing covering of a folder of results.

    python -m deeplab.evaluation.eval_coco_format \\
      --gt_json_file=panoptic_val2017.json --gt_folder=panoptic_val2017 \\
      --pred_json_file=predictions.json --pred_folder=predictions --num_workers=2

Other inputs: --layout=cityscapes and --layout=folders. README.md in this folder has the
formulae, and what files must look like.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os

from absl import flags, logging

from deeplab.command_line import declaring, flag_groups, image_flags
from deeplab.core import settings, usage
from deeplab.core.settings import Setting
from deeplab.core.usage import UsageError
from deeplab.evaluation import panoptic_quality, parsing_covering
from deeplab.evaluation.panoptic import coco, id_folders, images
from deeplab.evaluation.panoptic import report as panoptic_report

FLAGS = flags.FLAGS

_METRICS = {'pq': panoptic_quality.PanopticQuality, 'pc': parsing_covering.ParsingCovering}
_NUM_CATEGORIES = 201
_IGNORED_LABEL = 0
_MAX_INSTANCES = 256
# All but the last one of folders must be given.
_FLAGS_OF_LAYOUT = {
    'coco': ('gt_json_file', 'pred_json_file'),
    'cityscapes': (),
    'folders': ('gt_instance_folder', 'pred_instance_folder', 'categories_file'),
}

flag_groups.begin('files')
flags.DEFINE_enum('layout', 'coco', ['coco', 'cityscapes', 'folders'],
                  'coco: id images and JSON files; cityscapes: *_instanceIds.png as released; '
                  'folders: class PNGs and instance PNGs of the same names.')
flags.DEFINE_string('gt_folder', None,
                    'Folder of the ground truth: id images (coco, cityscapes) or class PNGs '
                    '(folders). Required.')
flags.DEFINE_string('pred_folder', None, 'The same for the prediction. Required.')
flags.DEFINE_string('gt_json_file', None,
                    'COCO panoptic JSON file of the ground truth. Required for coco.')
flags.DEFINE_string('pred_json_file', None,
                    'COCO panoptic JSON file of the prediction. Required for coco.')
flags.DEFINE_string('gt_instance_folder', None,
                    'Folder of the instance PNGs of the ground truth. Required for folders.')
flags.DEFINE_string('pred_instance_folder', None,
                    'The same for the prediction. Required for folders.')
flags.DEFINE_string('categories_file', None,
                    "folders: JSON list of {'id': 1, 'name': 'person', 'isthing': 1} for names "
                    'and the split into things and stuff. Default: numbers, no such '
                    'split.')
image_flags.define_image_limit_flag('files')


@settings.record
class Settings(object):
  """How segments are compared."""
  metric = Setting('pq', 'pq: panoptic quality; pc: parsing covering.', choices=_METRICS,
                   group='metric')
  num_categories = Setting(
      _NUM_CATEGORIES, 'Category ids are below this. cityscapes: always 19.', at_least=1)
  ignored_label = Setting(
      _IGNORED_LABEL, 'Category of pixels that are not evaluated; it may be outside of the '
      'categories, 255 for example. cityscapes: always 255.', at_least=0)
  max_instances_per_category = Setting(
      _MAX_INSTANCES, 'An image has at most so many segments of a category; coco: more are told in '
      'a warning.', at_least=1)
  intersection_offset = Setting(
      None, 'Above all segment ids, category * max_instances_per_category + instance. Default: '
      'just large enough.', int, at_least=1)
  normalize_by_image_size = Setting(
      True, 'pc: areas are shares of their image, so that large images do not weigh more.')
  on_missing = Setting(
      'error', 'At a missing prediction: stop, or count it as an image without segments.',
      choices=images.ON_MISSING)
  crowd_excuses = Setting(
      'any', 'Which predictions on crowds are no false positives: any, or those of the category of '
      'the crowd (as the COCO challenge counts).', choices=images.CROWD_EXCUSES)
  num_workers = Setting(0, 'Number of worker processes; 0: none but this one.', at_least=0,
                        group='results and work')

  @property
  def limits(self):
    """The images.Limits."""
    return images.Limits(self.num_categories, self.ignored_label,
                         self.max_instances_per_category)


declaring.declare(Settings)
flags.DEFINE_string('results_json', None, 'File to write the results to, as JSON. Default: none.')
flags.DEFINE_string('results_csv', None, 'File to write the results to, as CSV. Default: none.')
flags.DEFINE_integer('print_digits', 3, 'Digits after the point in the table.', lower_bound=0)


def eval_coco_format(gt_json_file, pred_json_file, gt_folder=None, pred_folder=None,
                     metric='pq', num_categories=_NUM_CATEGORIES, ignored_label=_IGNORED_LABEL,
                     max_instances_per_category=_MAX_INSTANCES, intersection_offset=None,
                     normalize_by_image_size=True, num_workers=0, print_digits=3, **others):
  """Evaluates files of the COCO panoptic format, prints the table, returns the means.

  Args are the flags of the same names. Without a folder, the id images are in that of the JSON
  file's name without '.json'; `others` are further fields of `Settings`: on_missing,
  crowd_excuses. The means are as of `SegmentationMetric.detailed_results`: 'All', 'Things',
  'Stuff'. Raises ValueError; names the file and what is wrong with it.
  """
  options = Settings(metric, num_categories, ignored_label, max_instances_per_category,
                     intersection_offset, normalize_by_image_size, num_workers=num_workers,
                     **others)
  report = evaluate_pairs(*_coco_pairs(
      gt_json_file, pred_json_file, gt_folder or os.path.splitext(gt_json_file)[0],
      pred_folder or os.path.splitext(pred_json_file)[0], options))
  print('\n'.join(panoptic_report.format_table(report, print_digits)))
  return report['means']


def evaluate_pairs(categories, pairs, options):
  """Returns the report, see `report.make_report`, of a list of images.ImagePair by Settings.

  Categories are a dict, id -> coco.Category. Raises ValueError; names the file and what is wrong.
  """
  # An ignored label outside of the categories has segment ids above theirs.
  offset = options.intersection_offset or options.max_instances_per_category * (
      max(options.num_categories, options.ignored_label) + 1)
  normalizing = ({'normalize_by_image_size': options.normalize_by_image_size}
                 if options.metric == 'pc' else {})
  metric_class = usage.lookup(_METRICS, options.metric, what='metric')
  metric = metric_class(*options.limits, offset, **normalizing)
  num_missing = images.evaluate(metric, pairs, options.num_workers,
                                options.on_missing, options.crowd_excuses)
  return panoptic_report.make_report(
      metric, categories, num_images=len(pairs), num_missing=num_missing,
      settings=dict(options._asdict(), intersection_offset=metric.offset))


# --- the script ----------------------------------------------------------------------------


def main(unused_argv):
  """Evaluates what the flags name; prints the table and writes the files asked for."""
  options = Settings(**declaring.values_of(Settings))
  _check_layout_flags()
  categories, pairs, options = {'coco': _list_coco, 'cityscapes': _list_cityscapes,
                                 'folders': _list_folders}[FLAGS.layout](options)
  for path in (FLAGS.results_json, FLAGS.results_csv):
    if path and not os.path.isdir(os.path.dirname(os.path.abspath(path))):
      raise ValueError('There is no folder for the results %s: make it first.' % path)
  report = evaluate_pairs(categories, pairs, options)
  print('\n'.join(panoptic_report.format_table(report, FLAGS.print_digits)))
  for path, write in ((FLAGS.results_json, panoptic_report.write_json),
                      (FLAGS.results_csv, panoptic_report.write_csv)):
    if path:
      write(report, path)
      logging.info('Results: %s', path)


def _check_layout_flags():
  """Raises UsageError where the layout needs a flag that is not given, or has no use for one."""
  own = _FLAGS_OF_LAYOUT[FLAGS.layout]
  missing = [name for name in own if name != 'categories_file' and not FLAGS[name].value]
  if missing:
    raise UsageError('--layout=%s needs %s.' % (
        FLAGS.layout, ' and '.join('--%s=...' % name for name in missing)))
  for names in _FLAGS_OF_LAYOUT.values():
    for name in names:
      if name not in own and FLAGS[name].value:
        raise UsageError('--%s has no use with --layout=%s: leave it out.'
                         % (name, FLAGS.layout))


def _list_coco(options):
  return _coco_pairs(FLAGS.gt_json_file, FLAGS.pred_json_file, FLAGS.gt_folder,
                     FLAGS.pred_folder, options)


def _coco_pairs(groundtruth_json, predicted_json, groundtruth_folder, predicted_folder, options):
  """Returns what `evaluate_pairs` takes, of two JSON files and the folders of their id images."""
  categories, pairs = coco.list_pairs(groundtruth_json, predicted_json, groundtruth_folder,
                                      predicted_folder, options.limits)
  limits = coco.with_room(options.limits, pairs)
  return categories, pairs, options._replace(
      max_instances_per_category=limits.max_instances_per_category)


def _list_cityscapes(options):
  fixed = {'num_categories': id_folders.CITYSCAPES_NUM_CATEGORIES,
           'ignored_label': id_folders.CITYSCAPES_IGNORED_LABEL}
  for name, value in fixed.items():
    if FLAGS[name].present and FLAGS[name].value != value:
      raise UsageError('--%s is %d with --layout=cityscapes, got %d: leave the flag out.'
                       % (name, value, FLAGS[name].value))
  categories, pairs = id_folders.list_cityscapes_pairs(FLAGS.gt_folder, FLAGS.pred_folder)
  return categories, pairs, options._replace(**fixed)


def _list_folders(options):
  if options.crowd_excuses != 'any':
    raise UsageError('--crowd_excuses=%s: the category of a crowd is not known with '
                     '--layout=folders; leave the flag out.' % options.crowd_excuses)
  categories = {}
  if FLAGS.categories_file:
    categories = coco.read_categories(FLAGS.categories_file, options.limits)
  pairs = id_folders.list_plain_pairs((FLAGS.gt_folder, FLAGS.gt_instance_folder),
                                      (FLAGS.pred_folder, FLAGS.pred_instance_folder))
  return categories, pairs, options


if __name__ == '__main__':
  # Only the program needs it: as a library this module stays free of TensorFlow.
  from deeplab.command_line import running
  running.run(main, required_flags=('gt_folder', 'pred_folder'))
