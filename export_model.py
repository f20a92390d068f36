"""Exports a checkpoint as a frozen graph; see --help.

    python export_model.py --checkpoint_path=RUN/train --num_classes=9 \
        --export_path=RUN/export/frozen_inference_graph.pb --dataset_dir=RECORDS
"""
import os

from absl import flags, logging

from deeplab import common
from deeplab.core import checkpoints, colormaps, keys
from deeplab.datasets import registry
from deeplab.deployment import export, exported

FLAGS = flags.FLAGS

flags.DEFINE_string('checkpoint_path', None,
                    'Checkpoint prefix, or a folder whose newest checkpoint is meant. '
                    'Required.')
flags.DEFINE_string('export_path', None, 'File of the frozen graph to write. Required.')
flags.DEFINE_integer('num_classes', 21, 'Number of classes the model was trained for.',
                     lower_bound=1)
flags.DEFINE_multi_integer('crop_size', [513, 513],
                           'Height and width that images are padded to at least; give the '
                           'flag twice. Larger images are taken as they are.')
flags.DEFINE_multi_float('inference_scales', [1.0],
                         'Input scales whose probabilities are averaged; repeat the flag.')
flags.DEFINE_bool('add_flipped_images', False,
                  'Also averages over left-right mirrored images.')
flags.DEFINE_bool('save_inference_graph', False,
                  'Also writes the graph with variables as text, inference_graph.pbtxt, '
                  'beside export_path.')
flags.DEFINE_bool('export_probabilities', False,
                  'Adds the outputs SemanticProbabilities and RawSemanticProbabilities.')
flags.DEFINE_string('dataset', None,
                    'Dataset whose class names and colours export.json tells of. Default: '
                    'that of dataset_dir, if given.')
flags.DEFINE_string('dataset_dir', None,
                    'Folder of the records of the dataset, for its dataset_info.json.')

common.define_model_flags(output_stride=8)


def main(unused_argv):
  """Exports as the flags say."""
  common.refuse_flags({'quantize_delay_step': (-1, 'quantisation is not available yet')})
  descriptor = _dataset()
  num_classes = _num_classes(descriptor)
  predict = common.prediction_function('inference_scales')
  checkpoint = checkpoints.require_checkpoint(FLAGS.checkpoint_path, 'checkpoint_path')
  model_options = common.ModelOptions(
      outputs_to_num_classes={keys.OUTPUT_TYPE: num_classes},
      crop_size=_crop_size(),
      atrous_rates=FLAGS.atrous_rates,
      output_stride=FLAGS.output_stride)
  options = export.ExportOptions(
      min_resize_value=FLAGS.min_resize_value,
      max_resize_value=FLAGS.max_resize_value,
      resize_factor=FLAGS.resize_factor,
      with_probabilities=FLAGS.export_probabilities)
  logging.info('Exporting %s.', checkpoint)
  export.export_frozen_graph(
      checkpoint, FLAGS.export_path, model_options, predict, options,
      text_graph_path=_text_graph_path() if FLAGS.save_inference_graph else None)
  exported.write_record(FLAGS.export_path, {
      'checkpoint': checkpoint,
      'global_step': checkpoints.global_step(checkpoint),
      'input': {'name': exported.INPUT_NAME, 'dtype': 'uint8', 'shape': [1, None, None, 3]},
      'outputs': options.output_names,
      'crop_size': model_options.crop_size,
      'num_classes': num_classes,
      'class_names': list(descriptor.class_names)
                     if descriptor and descriptor.class_names else None,
      'colormap': _colors(descriptor, num_classes),
      'flags': common.flag_values(),
  })
  logging.info('Class names, colours and flags: %s', exported.record_path(FLAGS.export_path))


def _dataset():
  """Returns the DatasetDescriptor that the flags name, or None."""
  if not FLAGS.dataset and not FLAGS.dataset_dir:
    return None
  return registry.resolve(FLAGS.dataset, FLAGS.dataset_dir)


def _num_classes(descriptor):
  if descriptor is None:
    return FLAGS.num_classes
  if FLAGS['num_classes'].present and FLAGS.num_classes != descriptor.num_classes:
    raise ValueError('--num_classes=%d, but dataset %r has %d classes: leave one of the flags '
                     'out.' % (FLAGS.num_classes, descriptor.name, descriptor.num_classes))
  return descriptor.num_classes


def _crop_size():
  if len(FLAGS.crop_size) != 2 or min(FLAGS.crop_size) <= 0:
    raise ValueError('--crop_size must be given twice, height and width, such as '
                     '--crop_size=513 --crop_size=513; got %s.'
                     % ' '.join('--crop_size=%d' % side for side in FLAGS.crop_size))
  return list(FLAGS.crop_size)


def _colors(descriptor, num_classes):
  if descriptor is None or descriptor.colormap is None:
    return None
  return colormaps.colormap(descriptor.colormap, num_entries=num_classes).tolist()


def _text_graph_path():
  return os.path.join(os.path.dirname(os.path.abspath(FLAGS.export_path)),
                      export.TEXT_GRAPH_FILE_NAME)


if __name__ == '__main__':
  common.run(main, required_flags=['checkpoint_path', 'export_path'])
