"""Labels own pictures with a checkpoint or an exported model; see --help.

    python predict.py --checkpoint_dir=RUN/train --input='photos/*.jpg' --output_dir=labelled
    python predict.py --model=RUN/export/frozen_inference_graph.pb --input=photos \
        --output_dir=labelled

Per picture: <name>_prediction.png (class ids), <name>_color.png and <name>_overlay.png; for
all areas.json, or sources.json where that is not wanted. Exit code 3 tells that some pictures
could not be labelled; the others are done.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os
import sys
import time

import numpy as np
import tqdm
from absl import flags, logging
from PIL import Image

from deeplab import common
from deeplab.core import options
from deeplab.core.checkpoints import restoring
from deeplab.core.jobs import progress
from deeplab.core.storage import files
from deeplab.core.usage import UsageError
from deeplab.datasets import registry
from deeplab.deployment import inference
from deeplab.utils.inference import batches, tiles
from deeplab.utils.pictures import drawing, of_files
from deeplab.utils.pictures import writer as result_writer
from deeplab.utils.runs import run_record

FLAGS = flags.FLAGS

common.begin_flag_group('model')
flags.DEFINE_string('checkpoint_dir', None,
                    "A run's folder of checkpoints, or a checkpoint prefix. The network is "
                    'that of the run.json beside it. This or --model is required.')
flags.DEFINE_string('model', None,
                    'Exported model: frozen graph (.pb), SavedModel folder, .tflite or .onnx file; '
                    'or an archive (.tar.gz) with a frozen graph in it. Required without '
                    '--checkpoint_dir.')
flags.DEFINE_string('dataset', None,
                    'Dataset whose class names and colours are meant. Default: that of the '
                    'model, where it tells.')

common.begin_flag_group(result_writer.GROUP)
flags.DEFINE_multi_string('input', None,
                          'Picture, folder of pictures, quoted pattern such as '
                          "'photos/*.jpg', .txt file with one path per line, or video (needs "
                          'OpenCV); may be repeated. Required.')
flags.DEFINE_string('output_dir', None, 'Folder for the results; created. Required.')
common.declare(result_writer.Options)
flags.DEFINE_list('cutout_classes', [],
                  'Also writes <name>_cutout.png, which is transparent outside of these '
                  'classes: names or ids.')
flags.DEFINE_boolean('skip_existing', False,
                     'Leaves out pictures whose results are there, made of the same path and '
                     'not older than it, whatever model made them. Videos are done again.')
common.define_image_limit_flag(result_writer.GROUP)
common.define_image_range_flag(
    result_writer.GROUP, '. Default: that of the data the model was trained on, else 0,65535, '
    'which must be filled.')

common.declare_one('batch_size', batches.InputSizes.SETTINGS['batch_size'])
flags.DEFINE_integer('longest_side', 0, 'Pictures with a longer side are shrunk for the network, '
                     'and their labels enlarged; 0: none.', lower_bound=0)
common.define_tile_flags()
common.define_scales_flags()
common.begin_flag_group('averaging over several passes')
flags.DEFINE_alias('inference_scales', 'eval_scales')

common.define_model_flags()

EXIT_BAD_FILES = 3
_TRAIN_FOLDER = 'train'
# Flags that have no effect on a model whose graph is fixed.
_CHECKPOINT_FLAGS = options.ARCHITECTURE_FLAGS + (
    'eval_scales', 'inference_scales', 'add_flipped_images', 'tile_size', 'tile_overlap',
    'image_pyramid', 'merge_method', 'min_resize_value', 'max_resize_value', 'resize_factor',
    'keep_aspect_ratio', 'prediction_with_upsampled_logits')


def main(unused_argv):
  """Labels the pictures; returns the exit code."""
  _check_flags()
  named = of_files.name_pictures(
      of_files.list_pictures(FLAGS.input, FLAGS.output_dir))
  files.check_folder(FLAGS.output_dir, 'output_dir')
  with _open_segmenter() as segmenter, _open_writer(segmenter) as writer:
    _keep_inputs(named, writer)
    if FLAGS.skip_existing:
      num_all = len(named)
      named = [each for each in named if not writer.keep_finished(*each)]
      logging.info('%d of %d pictures are finished already.', num_all - len(named), num_all)
    start = time.time()
    num_pictures, bad = _label_all(named, segmenter, writer)
  logging.info('%s pictures/s.', progress.format_rate(num_pictures / (time.time() - start)))
  logging.info('%d of %d pictures labelled. Results: %s', num_pictures,
               num_pictures + len(bad), FLAGS.output_dir)
  if not bad:
    return 0
  logging.error('Not labelled:\n%s', '\n'.join(bad))
  return EXIT_BAD_FILES


def _check_flags():
  """Stops on flags that contradict each other; names them."""
  if bool(FLAGS.model) == bool(FLAGS.checkpoint_dir):
    raise UsageError('Pass either --checkpoint_dir=RUN/train or --model=EXPORTED_MODEL.')
  unknown = [name for name in FLAGS.outputs if name not in result_writer.OUTPUTS]
  if unknown:
    raise UsageError('--outputs=%s: no such output; there are %s.'
                     % (','.join(unknown), ','.join(result_writer.OUTPUTS)))
  if not (FLAGS.outputs or FLAGS.cutout_classes or FLAGS.save_probabilities):
    raise UsageError('--outputs is empty: nothing would be written.')
  if FLAGS.paint_background and result_writer.OVERLAY not in FLAGS.outputs:
    raise UsageError('--paint_background has no effect: it is for --outputs=overlay. Leave it '
                     'out, or change what it depends on.')
  if FLAGS.model:
    for name in _CHECKPOINT_FLAGS:
      if FLAGS[name].present:
        raise UsageError('--%s has no effect on an exported model, whose graph is fixed: leave '
                         'it out, export with it, or use --checkpoint_dir.' % name)
  # Only to have mistakes told before the model is loaded, as below.
  common.prediction_function()
  if FLAGS.longest_side and (FLAGS.tile_size or FLAGS.save_probabilities):
    raise UsageError('--longest_side cannot be combined with --tile_size or '
                     '--save_probabilities: leave one of them out.')
  if FLAGS.tile_size is not None:
    tiles.check_overlap(common.size_list('tile_size'), FLAGS.tile_overlap)
    if FLAGS.min_resize_value:
      raise UsageError('--tile_size cannot be combined with --min_resize_value: tiles are cut '
                       'from pictures of their own size.')


def _open_segmenter():
  """Returns the Segmenter of --checkpoint_dir or --model."""
  if FLAGS.model:
    segmenter = inference.Segmenter(FLAGS.model)
    if FLAGS.batch_size > 1 and not segmenter.takes_batches:
      logging.warning('%s takes one picture at a time: --batch_size=%d makes nothing faster.',
                      FLAGS.model, FLAGS.batch_size)
    if FLAGS.dataset:
      descriptor = _dataset(segmenter.num_classes)
      segmenter.describe_classes(descriptor.class_names, descriptor.colormap)
    return segmenter
  checkpoint = _find_checkpoint()
  record = common.take_flags_of_run(checkpoint)
  num_classes = restoring.num_classes(checkpoint)
  class_names, colormap = _names_and_colors(record, num_classes)
  logging.info('Labelling with %s.', checkpoint)
  segmenter = inference.Segmenter.from_checkpoint(
      checkpoint,
      common.model_options_of_flags(num_classes),
      common.prediction_function(),
      class_names=class_names,
      colormap=colormap,
      resized_size=common.resized_size_function())
  segmenter.image_range = run_record.image_range(record)
  return segmenter


def _find_checkpoint():
  """Returns the checkpoint prefix of --checkpoint_dir, also where that is the run's folder."""
  below = os.path.join(FLAGS.checkpoint_dir, _TRAIN_FOLDER)
  if not restoring.resolve_checkpoint(FLAGS.checkpoint_dir) and files.is_dir(below):
    return restoring.require_checkpoint(below, 'checkpoint_dir')
  return restoring.require_checkpoint(FLAGS.checkpoint_dir, 'checkpoint_dir')


def _names_and_colors(record, num_classes):
  """Returns class names and colour map, None where they are not known."""
  if FLAGS.dataset:
    descriptor = _dataset(num_classes)
    return descriptor.class_names, descriptor.colormap
  return run_record.classes(record, num_classes)


def _dataset(num_classes):
  """Returns the DatasetDescriptor of --dataset, which must suit the model."""
  descriptor = registry.resolve(FLAGS.dataset)
  if num_classes is not None and descriptor.num_classes != num_classes:
    raise ValueError('--dataset=%s has %d classes, the model has %d.'
                     % (FLAGS.dataset, descriptor.num_classes, num_classes))
  return descriptor


def _open_writer(segmenter):
  """Returns the PredictionWriter of the flags."""
  if FLAGS.save_probabilities and not segmenter.has_probabilities:
    raise ValueError('--save_probabilities: %s has none. Export it with '
                     '--export_probabilities, or use --checkpoint_dir.' % FLAGS.model)
  try:
    cutout_ids = drawing.class_ids(FLAGS.cutout_classes, segmenter.class_names,
                                   segmenter.num_classes)
  except ValueError as error:
    raise ValueError('--cutout_classes: %s' % error) from error
  return result_writer.PredictionWriter(
      FLAGS.output_dir, segmenter.colormap, segmenter.class_names,
      result_writer.Options(cutout_ids=cutout_ids, **common.values_of(result_writer.Options)),
      model_name=FLAGS.model or FLAGS.checkpoint_dir)


def _keep_inputs(named, writer):
  """Stops if a result would replace a picture that is to be labelled."""
  inputs = {files.real(path) for _, path in named}
  for name, path in named:
    for result in writer.paths(name):
      if files.real(result) in inputs:
        raise ValueError('--output_dir=%s: the results of %s would replace the input %s. Take '
                         'another folder.' % (FLAGS.output_dir, path, result))


def _label_all(named, segmenter, writer):
  """Labels pictures; returns how many, and a list of messages on those that failed."""
  bad = []
  num_pictures = 0
  has_videos = any(of_files.is_video(path) for _, path in named)

  def readable(pictures):
    for picture in pictures:
      if picture.error is None:
        yield picture
      else:
        logging.error('%s', picture.error)
        bad.append(picture.error)
        bar.update(1)

  with progress.bar('labelling', total=None if has_videos else len(named)) as bar:
    pictures = readable(of_files.read_all(
        named, common.image_range() or segmenter.image_range))
    for batch in tiles.batches_of_equal_size(
        pictures, 1 if FLAGS.tile_size else FLAGS.batch_size):
      labelled, messages = tiles.label_pictures(
          lambda images: _run(segmenter, images), batch, FLAGS.batch_size,
          common.size_list('tile_size'), FLAGS.tile_overlap)
      if messages:
        logging.error('%s', '\n'.join(messages))
        bad += messages
      for picture, arrays in labelled:
        _check_classes(arrays[0])
        classes = writer.write(picture, *arrays)
        _say('%s: %s' % (picture.source, describe(classes)))
      num_pictures += len(labelled)
      bar.update(len(batch))
  return num_pictures, bad


def _run(segmenter, images):
  """Returns [labels] or [labels, probabilities] of [B, height, width, 3] uint8 images."""
  height, width = images.shape[1:3]
  if not 0 < FLAGS.longest_side < max(height, width):
    return segmenter.run_batch(images, FLAGS.save_probabilities)[:1 + FLAGS.save_probabilities]
  small_size = [max(1, side * FLAGS.longest_side // max(height, width))
                for side in (width, height)]
  small = [Image.fromarray(image).resize(small_size, Image.BOX) for image in images]
  labels, _ = segmenter.run_batch(np.stack(small), False)
  return [np.stack([Image.fromarray(ids.astype(np.int32)).resize((width, height), Image.NEAREST)
                    for ids in labels])]


def _check_classes(labels):
  """Stops if a model gives other classes than those of --dataset."""
  descriptor = registry.resolve(FLAGS.dataset) if FLAGS.dataset else None
  if descriptor and labels.max() >= descriptor.num_classes:
    raise ValueError('--model=%s gives class %d; expected a model of the %d classes of '
                     '--dataset=%s.' % (FLAGS.model, labels.max(), descriptor.num_classes,
                                        FLAGS.dataset))


def _say(line):
  """Prints a line, above the progress bar where that is on a terminal."""
  if sys.stderr.isatty():
    tqdm.tqdm.write(line)
  else:
    print(line)


def describe(classes):
  """Returns 'road 59.9%, sky 40.1%', largest class first, of what `drawing.areas_of` returns."""
  return ', '.join('%s %.1f%%' % (each['name'], 100 * each['share']) for each in classes)


if __name__ == '__main__':
  common.run(main, required_flags=['input', 'output_dir'])
