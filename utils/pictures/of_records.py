"""A split as pictures: the graph, the pass over its records, and the folder that this fills.

    batches -> labels predicted -> padding cut off, tiles joined, resizing undone -> ResultWriter
"""
from __future__ import annotations

import os
import typing

import numpy as np
from absl import logging
from PIL import Image

from deeplab import model
from deeplab.core import keys, settings
from deeplab.core.settings import NO_FLAG, Setting
from deeplab.core.storage import files as files_lib
from deeplab.core.tf_compat import tf
from deeplab.utils import save_annotation
from deeplab.utils.inference import batches, sessions, tiles
from deeplab.utils.pictures import drawing
from deeplab.utils.pictures import writer as writer_lib

PICTURE_FOLDER = 'segmentation_results'
RAW_FOLDER = 'raw_segmentation_results'
OVERLAY_FOLDER = 'overlays'
CONFIDENCE_FOLDER = 'confidence'
# As the PASCAL VOC evaluation server wants it, with the name of the split.
VOC_FOLDER = os.path.join('results', 'VOC2012', 'Segmentation', 'comp6_%s_cls')
PROGRESS_FILE_NAME = 'progress.json'

# What a step computes that are pictures.
_PIXELS = ('images', 'labels', 'confidences', 'truths')


class VisGraph(typing.NamedTuple):
  """The graph of a pass over a split."""
  # Dict of the tensors of a step, all of the same batch. 'images', 'regions', 'names': see
  # `counting.EvalGraph`. 'labels': [B, h, w] uint8 predicted class ids. 'confidences': [B, h, w]
  # uint8, probability of the label times 255, if asked for. 'truths': [B, h, w] integer labels of
  # the records, if there are any. 'sizes': [B, 2] int32, height and width of the images in their
  # records. 'indices': [B] int64, numbers of the images in the split.
  fetches: typing.Dict[str, tf.Tensor]
  # Placeholders of what to leave out, see `data_generator.Dataset.get_samples`.
  finished: typing.Tuple[tf.Tensor, tf.Tensor]
  # Operation that starts the input from the first image that is not finished.
  initializer: tf.Operation
  saver: tf.train.Saver  # Restores the model's variables.
  # TensorFlow server that runs the graph; None: this process.
  master: typing.Optional[str] = None


def build_vis_graph(dataset, sizes, model_options, predict, with_confidence=False,
                    master=None):
  """Adds input and model to the default graph; returns the VisGraph.

  Input is a data_generator.Dataset in batches.InputSizes. `predict` is a function (images,
  model_options) -> predictions as `model.predict_labels`, and `master` the TensorFlow server that
  runs the graph, None for this process.
  """
  finished = tf.placeholder(tf.int64, []), tf.placeholder(tf.int64, [None])
  iterator = tf.data.make_initializable_iterator(
      batches.make_batches(dataset, sizes, finished))
  samples = iterator.get_next()
  predictions = predict(samples[keys.IMAGE], model_options)
  labels = predictions[keys.OUTPUT_TYPE]
  fetches = {
      'images': tf.saturate_cast(tf.round(samples[keys.IMAGE]), tf.uint8),
      'labels': tf.cast(labels, tf.uint8),
      'regions': samples[batches.REGION],
      'sizes': tf.cast(tf.stack([samples[keys.HEIGHT], samples[keys.WIDTH]], axis=1), tf.int32),
      'names': samples[keys.IMAGE_NAME],
      'indices': samples[keys.INDEX],
  }
  if with_confidence:
    fetches['confidences'] = _confidences(
        predictions[keys.OUTPUT_TYPE + model.PROBABILITIES_SUFFIX], tf.shape(labels)[1:3])
  if keys.LABEL in samples:
    fetches['truths'] = batches.compact(tf.squeeze(samples[keys.LABEL], 3), dataset.descriptor)
  return VisGraph(fetches, finished, iterator.initializer,
                  tf.train.Saver(tf.global_variables()), master)


def write_pictures(graph, checkpoint, dataset, writer):
  """Writes what the model of a checkpoint sees in the records of a split; returns how many it saw.

  Images that the ResultWriter has finished are left out. The VisGraph is of the default graph; the
  other arguments and errors are those of `counting.count_pixels`.
  """
  stitcher = tiles.Stitcher()
  num_first, others = writer.finished
  num_finished = num_first + len(others)
  with sessions.pass_over_split(graph, checkpoint, dataset, 'visualising') as (session, bar):
    session.run(graph.initializer, dict(zip(graph.finished, (num_first, others))))
    bar.update(num_finished)
    for batch in sessions.batches(session, graph.fetches):
      kinds = [kind for kind in _PIXELS if kind in batch]
      for i, region in enumerate(batch['regions']):
        whole = stitcher.add(region, [batch[kind][i] for kind in kinds])
        if whole is None:
          continue
        arrays = {kind: undo_resizing(array, batch['sizes'][i])
                  for kind, array in zip(kinds, whole)}
        writer.write(batch['indices'][i], arrays['images'], arrays['labels'],
                     batch['names'][i], arrays.get('confidences'), arrays.get('truths'))
        bar.update(1)
  return bar.n - num_finished


def _confidences(probabilities, size):
  """Returns the largest probability as uint8 [B, height, width]."""
  largest = tf.reduce_max(probabilities, axis=3, keepdims=True)
  largest = tf.image.resize_bilinear(largest, size, align_corners=True)
  return tf.saturate_cast(tf.round(255 * tf.squeeze(largest, 3)), tf.uint8)


def undo_resizing(pixels, size):
  """Returns pixels, without padding, at the (height, width) they had before resizing.

  They are [h, w] class ids (nearest, corners aligned) or a [h, w, 3] uint8 image (bilinear).
  """
  resized_size = pixels.shape[:2]
  if resized_size == tuple(size):
    return pixels
  if pixels.ndim == 3:
    return np.array(Image.fromarray(pixels).resize((int(size[1]), int(size[0])),
                                                   Image.BILINEAR))
  rows, columns = [_nearest(old, new) for old, new in zip(resized_size, size)]
  return pixels[rows[:, np.newaxis], columns]


def _nearest(old, new):
  """Returns per index of a side of `new` pixels the nearest one of `old`, ends aligned."""
  # In float32, so that halves fall as in the graph.
  scale = np.float32(old - 1) / np.float32(max(1, new - 1))
  return np.floor(np.arange(new, dtype=np.float32) * scale + np.float32(0.5)).astype(np.int64)


@settings.record
class Outputs(object):
  """What is written beside images and predictions of a split."""
  also_save_raw_predictions = Setting(
      False, 'Also writes class ids (Cityscapes: evaluation ids) as 8-bit PNG, under the names of '
      'the records.', group='results')
  save_overlay = Setting(
      False, 'Also writes image, label over it, prediction over it and errors side by side, with a '
      'legend.')
  save_confidence = Setting(
      False, 'Also writes the probability of the predicted class as grey picture.')
  voc_split = Setting(
      None, 'Split of a submission to the PASCAL VOC server, PNG with palette; or None.',
      group=NO_FLAG)


_NOTHING = Outputs()


class Classes(typing.NamedTuple):
  """What is known of the classes of results."""
  colors: typing.Any  # [n, 3] table of RGB values, or the name of a colour map.
  names: typing.Optional[typing.Sequence[str]] = None  # One name per class for legends, or None.
  ignore_label: typing.Optional[int] = None  # Label that is no class.
  # The value of raw files per class id, 0..255, or None for the id itself.
  eval_ids: typing.Optional[typing.Sequence[int]] = None
  # Ids that overlays do not paint; None: the background.
  clear_ids: typing.Optional[typing.Sequence[int]] = None


class ResultWriter(writer_lib.Writer):
  """The results of a split.

      <folder>/segmentation_results/000000_image.png, 000000_prediction.png
      <folder>/raw_segmentation_results/<image name>.png
      <folder>/overlays/000000_overlay.png
      <folder>/confidence/<image name>.png
      <folder>/results/VOC2012/Segmentation/comp6_<split>_cls/<image name>.png
      <folder>/progress.json while the work goes on

  Files of an image name are called by `writer.safe_name`. Records of one and the same name share
  them, of which a warning tells.

  Attributes:
    picture_folder: the folder of the pictures.
    finished: what an interrupted run with the same settings finished: number of images from
      the first on, and list of the indices of others.
  """

  def __init__(self, folder, classes, outputs=_NOTHING, settings=None):
    """Creates the folders, for results as Classes and Outputs say.

    Settings are a dict that JSON can hold, of all that the results depend on; with equal ones an
    interrupted run is resumed. None: never.
    """
    kinds = [(RAW_FOLDER, outputs.also_save_raw_predictions),
             (OVERLAY_FOLDER, outputs.save_overlay),
             (CONFIDENCE_FOLDER, outputs.save_confidence),
             (VOC_FOLDER % outputs.voc_split, outputs.voc_split)]
    super(ResultWriter, self).__init__(
        folder, [PICTURE_FOLDER] + [kind for kind, is_wanted in kinds if is_wanted])
    self.picture_folder = os.path.join(folder, PICTURE_FOLDER)
    self._classes = classes
    self._outputs = outputs
    self._settings = settings
    # Without notes all images are done, which is right if slow.
    self.finished = self._read_notes(PROGRESS_FILE_NAME, self._finished_of) or (0, [])
    self._next_index, self._written = self.finished[0], set(self.finished[1])
    self._indices_of_names, self._has_told_of_names = {}, False

  def write(self, index, image, labels, name, confidence=None, truth=None):
    """Hands one image to the threads; waits only when too many are pending.

    Args:
      index, name: number in the split, and name in the record, bytes or str.
      image: [height, width, 3] uint8 array.
      labels: [height, width] integer array of class ids.
      confidence: [height, width] uint8 array, if outputs has confidence.
      truth: [height, width] integer array of the right classes for the overlay, or None.

    Raises ValueError if an earlier image could not be written.
    """
    name = writer_lib.safe_name(name)
    if self._outputs._replace(save_overlay=False) != _NOTHING:
      self._warn_of_equal_names(int(index), name)
    self._submit([image, labels, confidence, truth], self._write, int(index), image, labels,
                 name, confidence, truth)

  def __exit__(self, error_type, *unused_args):
    super(ResultWriter, self).__exit__(error_type)
    if error_type is None:
      # What is complete is not to be resumed.
      files_lib.remove_if_present(os.path.join(self._folder, PROGRESS_FILE_NAME))

  def _warn_of_equal_names(self, index, name):
    """Logs a warning, once, where an earlier image has the name of this one."""
    first = self._indices_of_names.setdefault(name, index)
    if first != index and not self._has_told_of_names:
      self._has_told_of_names = True
      logging.warning(
          'The images %d and %d of the split are both called %s: the files of this name in %s are '
          'those of one of them. Give every record a name of its own; the numbered pictures are '
          'complete.', first, index, name, self._folder)

  def _write(self, index, image, labels, name, confidence, truth):
    outputs, classes = self._outputs, self._classes
    with files_lib.telling_of_disk(self._folder):
      self._save(Image.fromarray(image), '%06d_image' % index, PICTURE_FOLDER)
      save_annotation.save_annotation(labels, self.picture_folder, '%06d_prediction' % index,
                                      colormap_type=classes.colors)
      if outputs.also_save_raw_predictions:
        raw = labels if classes.eval_ids is None else np.asarray(classes.eval_ids)[labels]
        self._save_named(Image.fromarray(raw.astype(np.uint8)), name, RAW_FOLDER)
      if outputs.save_overlay:
        self._save(drawing.side_by_side(image, labels, classes.colors, classes.names, truth,
                                        classes.ignore_label, classes.clear_ids),
                   '%06d_overlay' % index, OVERLAY_FOLDER)
      if outputs.save_confidence:
        self._save_named(Image.fromarray(confidence), name, CONFIDENCE_FOLDER)
      if outputs.voc_split:
        self._save_named(drawing.palette_picture(labels), name, VOC_FOLDER % outputs.voc_split)
    self._tell(self._finish, index)

  def _save_named(self, picture, name, sub_folder):
    """Writes a PIL image under the name of a record, which may have folders."""
    if not files_lib.is_remote(self._folder):
      # In UTF-8, whatever the locale.
      name = os.fsdecode(name.encode('utf-8'))
    files_lib.make_dirs(os.path.join(self._folder, sub_folder, os.path.dirname(name)))
    self._save(picture, name, sub_folder)

  def _finish(self, index):
    self._written.add(index)
    while self._next_index in self._written:
      self._written.remove(self._next_index)
      self._next_index += 1

  def _notes(self):
    if self._settings is None:
      return {}
    return {PROGRESS_FILE_NAME: {'num_finished': self._next_index,
                                 'others': sorted(self._written), 'settings': self._settings}}

  def _finished_of(self, progress):
    if self._settings is None or progress['settings'] != self._settings:
      return None
    return int(progress['num_finished']), sorted(map(int, progress['others']))
