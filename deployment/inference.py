"""Labels numpy images with a model that is loaded once."""
import contextlib
import typing

import numpy as np

from deeplab import model
from deeplab.core import colormaps, feature_extractor, keys
from deeplab.datasets import registry
from deeplab.datasets.records import dataset_info
from deeplab.deployment import opened_models
from deeplab.deployment.graphs import record as exported

# Rows of the table of colours at least.
_MIN_COLORS = 256
_ON = 255


class FormaMasks(typing.NamedTuple):
  """Nine uint8 masks [height, width] of a picture of a person, 0 or 255.

  Attributes:
    seg_body: everything but background.
    other: class other.
    garment: garment, sleeves or pants.
    skin: skin or arms.
    hair, arms, shoe, sleeves, pants: the class of this name.
  """
  seg_body: np.ndarray
  other: np.ndarray
  garment: np.ndarray
  skin: np.ndarray
  hair: np.ndarray
  arms: np.ndarray
  shoe: np.ndarray
  sleeves: np.ndarray
  pants: np.ndarray


class Segmenter(contextlib.AbstractContextManager):
  """Labels images with an exported model or a checkpoint, loaded once.

      segmenter = Segmenter('frozen_inference_graph.pb')  # SavedModel folder, .tflite file
      masks = segmenter.run([image])

  Its functions may be called from several threads at once.

  Attributes:
    num_classes: number of classes, or None where it is not known.
    class_names: list of names, or None where they are not known.
    colormap: [256 or more, 3] uint8 array, the colours of the class ids.
    has_probabilities: whether `probabilities` works.
    takes_batches: whether more than one image goes through the network at once.
    image_range: (lowest, highest) value of images of more than 8 bits in the data of the training,
      which became black and white there; None: not known. Images given here have 8 bits.
  """

  def __init__(self, model_path):
    """Loads an exported model and, if it belongs to it, its `export.json`.

    The path is that of a frozen graph, SavedModel folder, TFLite file, ONNX file (it ends in
    .onnx), or archive (.tar, .tar.gz, .tgz) with a frozen graph in it. Images are padded to the
    fixed size of a TFLite file, larger ones scaled to it and their labels back. Raises ValueError
    if there is no such model; names the path.
    """
    with opened_models.unpacked(model_path) as path:
      record = exported.read_record(path)
      variant = record.get('flags', {}).get('model_variant')
      self._take(opened_models.open_exported(path, feature_extractor.mean_pixel(variant)),
                 record.get('num_classes'))
    self.describe_classes(record.get('class_names'), record.get('colormap'))
    self.image_range = dataset_info.range_of(record, exported.RECORD_FILE_NAME)

  @classmethod
  def from_checkpoint(cls, checkpoint, model_options, predict=model.predict_labels,
                      class_names=None, colormap=None, resized_size=None):
    """Returns a Segmenter of a checkpoint prefix.

    The crop size of the ModelOptions of the training does not matter. Names and colours are as in
    `describe_classes`, `predict` and `resized_size` as in `opened_models.open_checkpoint`. Raises
    ValueError if the checkpoint is of another model.
    """
    segmenter = cls.__new__(cls)
    segmenter._take(
        opened_models.open_checkpoint(checkpoint, model_options, predict, resized_size),
        model_options.outputs_to_num_classes[keys.OUTPUT_TYPE])
    segmenter.describe_classes(class_names, colormap)
    return segmenter

  def run(self, images):
    """Returns the class ids of images, list of [height, width] int32 arrays.

    Images are an iterable of [height, width, 3] uint8 RGB arrays, of any sizes. Raises ValueError
    if one has another shape or dtype.
    """
    return [self.run_batch(_checked(image)[np.newaxis])[0][0] for image in images]

  def probabilities(self, images):
    """Returns the probabilities of the classes, list of [height, width, classes] float32.

    For the images and their errors see `run`. Raises ValueError if the model has none.
    """
    return [self.run_batch(_checked(image)[np.newaxis], True)[1][0] for image in images]

  def run_batch(self, images, with_probabilities=False):
    """Returns labels and probabilities of images of one size in one pass.

    Images are a [B, height, width, 3] uint8 RGB array, labels [B, height, width] int32,
    probabilities [B, height, width, classes] float32, or None if not asked for. Raises ValueError
    if the model has no probabilities, or fails on such images.
    """
    if with_probabilities and not self.has_probabilities:
      raise ValueError('The model has no probabilities: export it with '
                       '--export_probabilities, as SavedModel, or use the checkpoint.')
    if self.takes_batches or len(images) == 1:
      return self._model.predict(images, with_probabilities)
    parts = [self._model.predict(image[np.newaxis], with_probabilities) for image in images]
    labels, probabilities = zip(*parts)
    return (np.concatenate(labels),
            np.concatenate(probabilities) if with_probabilities else None)

  def forma_masks(self, image):
    """Returns the FormaMasks of an image, [height, width, 3] uint8 RGB.

    One of OpenCV is BGR: `image[..., ::-1]`. Raises ValueError if the model is not one of the nine
    Forma classes.
    """
    if tuple(self.class_names or ()) != registry.FORMA_CLASSES:
      raise ValueError('These masks need a model of the classes %s; the classes of this one '
                       'are %s.' % (', '.join(registry.FORMA_CLASSES),
                                    ', '.join(self.class_names or ['not known'])))
    return forma_masks(self.run([image])[0])

  def class_name(self, class_id):
    """Returns the name of a class, 'class <id>' where it is not known."""
    if self.class_names and class_id < len(self.class_names):
      return self.class_names[class_id]
    return 'class %d' % class_id

  def describe_classes(self, class_names, colormap):
    """Sets names (a list, or None) and colours that the model itself does not tell.

    A colormap is the name of one, an [n, 3] table, or None for the PASCAL VOC colours.
    """
    self.class_names = list(class_names) if class_names else None
    self.colormap = colormaps.colormap(
        'pascal' if colormap is None else colormap,
        num_entries=max(_MIN_COLORS, self.num_classes or 0))

  def close(self):
    """Releases the memory of the model; `run` cannot be called any more."""
    self._model.close()

  def __exit__(self, *unused_args):
    self.close()

  def _take(self, opened, num_classes):
    self._model = opened
    self.num_classes = num_classes
    self.has_probabilities = opened.has_probabilities
    self.takes_batches = opened.takes_batches
    self.image_range = None


def forma_masks(labels):
  """Returns the FormaMasks of a [height, width] integer array of ids of the nine Forma classes."""
  parts = {name: np.where(labels == class_id, _ON, 0).astype(np.uint8)
           for class_id, name in enumerate(registry.FORMA_CLASSES)}
  body = _ON - parts.pop('background')
  parts['skin'] = np.maximum(parts['skin'], parts['arms'])
  parts['garment'] = np.maximum(np.maximum(parts['garment'], parts['sleeves']),
                                parts['pants'])
  return FormaMasks(seg_body=body, **parts)


def _checked(image):
  """Returns an image as array, which must be [height, width, 3] uint8."""
  image = np.asarray(image)
  if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
    raise ValueError('An image must be a [height, width, 3] uint8 RGB array, got %s %s.'
                     % (list(image.shape), image.dtype))
  return image
