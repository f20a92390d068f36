"""Writes pictures of what checkpoints predict on TFRecords; see --help.

    python vis.py --checkpoint_dir=RUN/train --vis_logdir=RUN/vis --dataset_dir=RECORDS \
        --vis_crop_size=513,513 --max_number_of_iterations=1
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import json
import time

from absl import flags, logging

from deeplab import common
from deeplab.core import colormaps
from deeplab.core.checkpoints import restoring
from deeplab.core.jobs import progress
from deeplab.core.tf_compat import tf
from deeplab.deployment.cluster import tasks
from deeplab.utils.inference import sessions
from deeplab.utils.pictures import of_records
from deeplab.utils.runs import run_record

FLAGS = flags.FLAGS

common.begin_flag_group('results')
flags.DEFINE_string('vis_logdir', None, 'Folder for the pictures. Required.')
flags.DEFINE_enum('colormap_type', 'pascal', sorted(colormaps.COLORMAPS),
                  "Colours of the classes. Not given: the dataset's own, if it has any.")
common.declare(of_records.Outputs)
common.define_background_flag('results')
flags.DEFINE_boolean('save_voc_results', False,
                     'Also writes a submission for the PASCAL VOC server: results/VOC2012/'
                     'Segmentation/comp6_<split>_cls, PNG with palette.')
common.begin_flag_group('checkpoints')
flags.DEFINE_integer('max_number_of_iterations', 0,
                     'Number of checkpoints to visualise, the newest first; 0 or less: wait '
                     'for new ones for ever.')

# Flags that pictures do not depend on.
_WAITING_FLAGS = ('max_number_of_iterations', 'eval_interval_secs', 'eval_timeout_secs')

common.define_model_flags()
common.define_dataset_flags('vis_split', 'val')
common.define_inference_flags()
common.define_sizes_flags('vis')


def main(unused_argv):
  """Visualises the newest checkpoint, and those that follow."""
  record = common.take_flags_of_run(FLAGS.checkpoint_dir)
  tasks.check_master(FLAGS.master)
  predict = common.prediction_function()
  sizes = common.input_sizes('vis')
  dataset = common.inference_dataset('vis', sizes)
  run_record.warn_of_other_dataset(record, dataset.descriptor.name)
  model_options = common.model_options_of_flags(dataset.num_of_classes, sizes.network_size)
  with sessions.result_folder(FLAGS.vis_logdir, 'vis_logdir'), tf.Graph().as_default():
    graph = of_records.build_vis_graph(dataset, sizes, model_options, predict,
                                       FLAGS.save_confidence, FLAGS.master)
    sessions.for_each_checkpoint(
        restoring.wait_for_checkpoints(
            FLAGS.checkpoint_dir, FLAGS.eval_interval_secs, FLAGS.max_number_of_iterations,
            FLAGS.eval_timeout_secs),
        lambda checkpoint: _visualize(graph, checkpoint, dataset))


def _visualize(graph, checkpoint, dataset):
  """Writes the pictures of one checkpoint."""
  logging.info('Visualising %s on %s, split %s.', checkpoint, FLAGS.dataset_dir,
               FLAGS.vis_split)
  start = time.time()
  with of_records.ResultWriter(
      FLAGS.vis_logdir, _classes(dataset.descriptor),
      outputs=of_records.Outputs(
          voc_split=FLAGS.vis_split if FLAGS.save_voc_results else None,
          **common.values_of(of_records.Outputs)),
      settings=_settings(checkpoint, dataset)) as writer:
    num_finished = writer.finished[0] + len(writer.finished[1])
    if num_finished:
      logging.info('%d images are finished already.', num_finished)
    num_images = of_records.write_pictures(graph, checkpoint, dataset, writer)
  logging.info('%s images/s.', progress.format_rate(num_images / (time.time() - start)))
  logging.info('%d images and predictions: %s', num_images + num_finished,
               writer.picture_folder)


def _settings(checkpoint, dataset):
  """Returns what the pictures depend on, to tell whether a run can be resumed."""
  return json.loads(json.dumps({
      'checkpoint': checkpoint,
      'flags': {name: value for name, value in common.flag_values().items()
                if name not in _WAITING_FLAGS},
      'files': [[path, tf.gfile.Stat(path).length] for path in dataset.files]}, default=str))


def _classes(descriptor):
  """Returns the of_records.Classes of a DatasetDescriptor, in the colours of the flags."""
  colormap = FLAGS.colormap_type
  if not FLAGS['colormap_type'].present and descriptor.colormap is not None:
    colormap = descriptor.colormap
  return of_records.Classes(
      colormaps.colormap(colormap, num_entries=descriptor.num_classes),
      descriptor.class_names, descriptor.ignore_label, descriptor.train_id_to_eval_id,
      () if FLAGS.paint_background else None)


if __name__ == '__main__':
  common.run(main, required_flags=['checkpoint_dir', 'vis_logdir', 'dataset_dir'])
