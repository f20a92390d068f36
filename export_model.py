"""Exports a checkpoint in the formats that serve it; see --help.

    python export_model.py --checkpoint_path=RUN/train --num_classes=9 \
        --export_path=RUN/export/frozen_inference_graph.pb --dataset_dir=RECORDS

Every file is run on pictures by another process and compared with the checkpoint before it
gets its name.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import functools
import os

from absl import flags, logging

from deeplab import common
from deeplab.core import colormaps, feature_extractor, quantization
from deeplab.core import options as network_options
from deeplab.core.checkpoints import restoring
from deeplab.core.images import limits
from deeplab.core.storage import files
from deeplab.core.usage import UsageError
from deeplab.datasets import registry
from deeplab.datasets.records import dataset_info
from deeplab.deployment.exporting import checked_export, comparison, formats
from deeplab.deployment.graphs import fitting, freezing
from deeplab.deployment.graphs import record as exported
from deeplab.evaluation.semantic import segmentation_metrics
from deeplab.utils.runs import run_record

FLAGS = flags.FLAGS

# Ranges of activations hardly move with more.
_NUM_REPRESENTATIVE_IMAGES = 100

common.begin_flag_group('source and files')
flags.DEFINE_string('checkpoint_path', None,
                    'Checkpoint prefix, or a folder whose newest checkpoint is meant. '
                    'Required.')
flags.DEFINE_string('export_path', None,
                    'File to write, for format savedmodel a folder. With several formats their '
                    'common name: suffixes are .pb, _saved_model, .tflite and .onnx. Required.')
flags.DEFINE_list('format', [formats.FROZEN],
                  'Formats to write, one or more of: %s.'
                  % ','.join(sorted(formats.FORMATS)))
flags.DEFINE_bool('save_inference_graph', False,
                  'Also writes the graph with variables as text, inference_graph.pbtxt, '
                  'beside export_path.')

common.declare_one('tflite_kind', formats.TFLITE_KIND)
common.begin_flag_group(freezing.GROUP)
flags.DEFINE_integer('num_classes', 21,
                     'Number of classes the model was trained for. Where the flag is left out, '
                     'it is that of the checkpoint.', lower_bound=1)
flags.DEFINE_multi_integer('crop_size', list(network_options.CROP_SIZE),
                           'Height and width in pixels that images are padded to at least; '
                           'give the flag twice, or once as 0 for no padding. Larger images '
                           'are taken as they are.')
common.declare(freezing.ExportOptions)
common.define_scales_flags('inference_scales')

common.begin_flag_group('classes and checks')
flags.DEFINE_string('dataset', None,
                    'Dataset whose class names and colours export.json tells of. Default: '
                    'that of dataset_dir, else that of the training.')
flags.DEFINE_string('dataset_dir', None,
                    'Folder of the records of the dataset, for its dataset_info.json and '
                    'for pictures to check the files with. Default: drawn ones.')
flags.DEFINE_integer('num_check_pictures', comparison.NUM_PICTURES,
                     'Pictures of the split val to compare the files with the checkpoint on: '
                     'equal pixels and, where they have labels, mean IoU. From 20 on the '
                     'latter may not fall by more than 0.5 points, 2 for files of 8 bits.',
                     lower_bound=1)
common.define_image_limit_flag('classes and checks')

common.define_model_flags(network_options.NetworkOptions().output_stride)


def main(unused_argv):
  """Exports as the flags say."""
  formats.check_served(FLAGS.format, {
      name: common.as_given(name) for name in formats.served_settings()})
  checkpoint = restoring.require_checkpoint(FLAGS.checkpoint_path, 'checkpoint_path')
  record = common.take_flags_of_run(checkpoint)
  descriptor = (registry.resolve(FLAGS.dataset, FLAGS.dataset_dir)
                if FLAGS.dataset or FLAGS.dataset_dir else None)
  num_classes = _num_classes(descriptor, checkpoint)
  classes = ((descriptor.class_names, descriptor.colormap) if descriptor
             else run_record.classes(record, num_classes))
  source = _source(checkpoint, num_classes, descriptor)
  logging.info('Exporting %s.', checkpoint)
  written = checked_export.export_all(
      FLAGS.format, FLAGS.export_path, source,
      text_graph_path=os.path.join(
          os.path.dirname(files.absolute(FLAGS.export_path)),
          freezing.TEXT_GRAPH_FILE_NAME) if FLAGS.save_inference_graph else None,
      content=dict(_content(source, num_classes, *classes), image_range=_image_range(record)))
  for path, entry in written:
    _describe(path, entry, source.options.output_names)


def _source(checkpoint, num_classes, descriptor):
  """Returns the formats.Source of the flags."""
  predict = common.prediction_function('inference_scales')
  model_options = common.model_options_of_flags(num_classes, _crop_size())
  quantization.check(model_options, scales=FLAGS.inference_scales,
                     add_flipped_images=FLAGS.add_flipped_images)
  options = freezing.ExportOptions(
      resized_size=common.resized_size_function(),
      **common.values_of(freezing.ExportOptions))
  return formats.Source(
      checkpoint, model_options, predict, options,
      pictures=comparison.pictures_of_records(FLAGS.dataset_dir, FLAGS.num_check_pictures),
      representative_images=_representative_images(model_options),
      tflite_kind=FLAGS.tflite_kind,
      score=_score(descriptor, num_classes))


def _content(source, num_classes, class_names, colormap):
  """Returns what export.json tells of all models, dict for JSON."""
  return {
      'checkpoint': source.checkpoint,
      'global_step': restoring.global_step(source.checkpoint),
      'input': {'name': exported.INPUT_NAME, 'dtype': 'uint8',
                'shape': source.options.input_shape},
      'outputs': source.options.output_names,
      'crop_size': source.model_options.crop_size,
      'num_classes': num_classes,
      'class_names': list(class_names) if class_names else None,
      'colormap': None if colormap is None else colormaps.colormap(
          colormap, num_entries=num_classes).tolist(),
      'flags': common.flag_values(),
  }


def _image_range(record):
  """Returns the values that became black and white in the data of the training, or None."""
  info = dataset_info.read(FLAGS.dataset_dir) if FLAGS.dataset_dir and not record else None
  return info.image_range if info else run_record.image_range(record)


def _describe(path, entry, output_names):
  """Says where a model is and how it compares."""
  file_path = os.path.join(path, exported.SAVED_MODEL_FILE_NAME) if files.is_dir(path) else path
  ends = ('%s -> %s' % (exported.INPUT_NAME, ', '.join(output_names))
          if entry['format'] == formats.FROZEN else 'images -> labels')
  logging.info('%s: %s (%.1f MB), %s.', entry['format'], path,
               files.size(file_path) / 1e6, ends)
  score = ', mean IoU %.2f %% (checkpoint %.2f %%)' % (
      100 * entry['miou'], 100 * entry['checkpoint_miou']) if 'miou' in entry else ''
  print('%s: %.2f %% of pixels labelled as by the checkpoint%s' % (
      path, 100 * entry['equal_pixels'], score))
  logging.info('Class names, colours and flags: %s', exported.record_path(file_path))


def _score(descriptor, num_classes):
  """Returns the function from labels of the pictures to their mean IoU, None without truth."""
  truths = comparison.truths_of_records(FLAGS.dataset_dir, FLAGS.num_check_pictures)
  if not truths:
    return None
  return lambda labels: segmentation_metrics.mean_iou(sum(
      segmentation_metrics.confusion_matrix(truth, found, num_classes, descriptor.ignore_label)
      for truth, found in zip(truths, labels)))


def _representative_images(model_options):
  """Returns the function that reads training pictures at crop size, None where it cannot."""
  if not FLAGS.dataset_dir or not model_options.crop_size:
    return None
  return functools.partial(_fitted_pictures, model_options.crop_size,
                           feature_extractor.mean_pixel(model_options.model_variant))


def _fitted_pictures(size, mean_pixel):
  pictures = comparison.pictures_of_records(
      FLAGS.dataset_dir, _NUM_REPRESENTATIVE_IMAGES, split='train')
  return [fitting.fit(picture, size, mean_pixel)[0] for picture in pictures]


def _num_classes(descriptor, checkpoint):
  """Returns the number of classes that flags or dataset tell, else that of the checkpoint."""
  if descriptor is None:
    return (FLAGS.num_classes if FLAGS['num_classes'].present
            else restoring.num_classes(checkpoint))
  if FLAGS['num_classes'].present and FLAGS.num_classes != descriptor.num_classes:
    raise ValueError('--num_classes=%d, but dataset %r has %d classes: leave one of the flags '
                     'out.' % (FLAGS.num_classes, descriptor.name, descriptor.num_classes))
  return descriptor.num_classes


def _crop_size():
  if FLAGS.crop_size and set(FLAGS.crop_size) == {0}:
    return None
  if len(FLAGS.crop_size) != 2 or min(FLAGS.crop_size) <= 0:
    raise UsageError('--crop_size must be given twice, height and width, such as '
                     '--crop_size=513 --crop_size=513, or be 0 for no padding; got %s.'
                     % ' '.join('--crop_size=%d' % side for side in FLAGS.crop_size))
  limits.check_size(FLAGS.crop_size[0], FLAGS.crop_size[1], '--crop_size')
  return list(FLAGS.crop_size)


if __name__ == '__main__':
  common.run(main, required_flags=['checkpoint_path', 'export_path'])
