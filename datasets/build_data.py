"""Public helpers for scripts that write records themselves; flags of the image formats.

The datasets of this project go through `datasets/building/builder.py`; the record format is in
`datasets/records/example.py`.
"""
import io

import numpy as np
from absl import flags

from deeplab.command_line import flag_groups
from deeplab.core import usage
from deeplab.core.images import limits
from deeplab.core.storage import errors
from deeplab.datasets.labels import pairs
from deeplab.datasets.records import example

FLAGS = flags.FLAGS

_IMAGE_FORMAT_MAP = {
    'jpg': 'jpeg',
    'jpeg': 'jpeg',
    'png': 'png',
}

flag_groups.begin('bytes given to image_seg_to_tfexample')
flags.DEFINE_enum('image_format', 'png', ['jpg', 'jpeg', 'png'],
                  'Format of the image bytes given to image_seg_to_tfexample.')
flags.DEFINE_enum('label_format', example.LABEL_FORMAT, [example.LABEL_FORMAT],
                  'Format of the label bytes given to image_seg_to_tfexample.')

_int64_list_feature = example.int64_feature
_float_list_feature = example.float_feature
_bytes_list_feature = example.bytes_feature

_MODES = {1: 'L', 3: 'RGB'}


class ImageReader(object):
  """Decodes the bytes of image files of one format."""

  def __init__(self, image_format='jpeg', channels=3):
    """Makes a reader of 'jpg', 'jpeg' or 'png' to 3 channels, or to 1: grey or palette indices.

    Raises ValueError on another format or number of channels.
    """
    self._format = usage.lookup(_IMAGE_FORMAT_MAP, image_format, what='image_format')
    self._mode = usage.lookup(_MODES, channels, what='number of channels')

  def read_image_dims(self, image_data):
    """Returns (height, width) in pixels of the image in the bytes `image_data`."""
    return self.decode_image(image_data).shape[:2]

  def decode_image(self, image_data):
    """Returns the [height, width, channels] uint8 array of the bytes `image_data`.

    Raises ValueError if the bytes are not an image of this reader's format.
    """
    with errors.told('The data (%d bytes) cannot be decoded as %s' % (
        len(image_data), self._format), OSError, SyntaxError, ValueError):
      image = limits.open_image(io.BytesIO(image_data))
      image.load()
    if image.format.lower() != self._format:
      raise ValueError('Expected %s data, got %s.' % (self._format, image.format.lower()))
    if not (self._mode == 'L' and image.mode == 'P'):
      image = image.convert(self._mode)
    return np.array(image).reshape(image.height, image.width, -1)


def image_seg_to_tfexample(image_data, filename, height, width, seg_data, landmarks_data=None):
  """Returns the `tf.train.Example` of an image and its label map.

  The formats recorded are those of --image_format and --label_format.

  Args:
    image_data, seg_data: bytes of the image file and of the label PNG.
    filename: name of the record, str or bytes.
    height, width: of the image, in pixels.
    landmarks_data: serialised float tensor (bytes) or array of body points, or None.
  """
  # `.value` also serves importers that have not parsed a command line.
  image = pairs.EncodedImage(
      image_data, _IMAGE_FORMAT_MAP[FLAGS['image_format'].value], height, width)
  return example.make_example(image, filename, seg_data, landmarks_data,
                              FLAGS['label_format'].value)
