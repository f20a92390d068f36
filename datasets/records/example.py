"""The record format of the TFRecord shards: written and parsed here and nowhere else."""
import numpy as np

from deeplab.core import keys
from deeplab.core.images import limits
from deeplab.core.storage import errors
from deeplab.core.tf_compat import tf

_IMAGE = 'image/encoded'
LABEL_FORMAT = 'png'

_NAME = 'image/filename'
_IMAGE_FORMAT = 'image/format'
_HEIGHT = 'image/height'
_WIDTH = 'image/width'
_CHANNELS = 'image/channels'
_LABEL = 'image/segmentation/class/encoded'
_LABEL_FORMAT = 'image/segmentation/class/format'
_LANDMARKS = 'image/landmarks'

# Its dtype, and what a record that lacks the feature stands for.
_PARSED_FEATURES = {
    _IMAGE: ('string', ''),
    _NAME: ('string', ''),
    _IMAGE_FORMAT: ('string', 'jpeg'),
    _HEIGHT: ('int64', 0),
    _WIDTH: ('int64', 0),
    _LABEL: ('string', ''),
    _LABEL_FORMAT: ('string', LABEL_FORMAT),
    _LANDMARKS: ('string', ''),
}


def make_example(image, filename, label_data=None, landmarks=None, label_format=LABEL_FORMAT):
  """Returns the `tf.train.Example` of one image and its label map.

  Args:
    image: pairs.EncodedImage: bytes of a JPEG or PNG file with three channels, and its size.
    filename: name of the record, str or bytes.
    label_data: bytes of an 8-bit grey PNG of class ids, or None for an unlabelled image.
    landmarks: body points, numbers of any shape, usually [1, num_points, 2 or more]; or
      their serialised float tensor as bytes; None: no landmarks.
  """
  return tf.train.Example(features=tf.train.Features(feature={
      _IMAGE: bytes_feature(image.data),
      _NAME: bytes_feature(filename),
      _IMAGE_FORMAT: bytes_feature(image.format),
      _HEIGHT: int64_feature(image.height),
      _WIDTH: int64_feature(image.width),
      _CHANNELS: int64_feature(3),
      _LABEL: bytes_feature(label_data or b''),
      _LABEL_FORMAT: bytes_feature(label_format),
      _LANDMARKS: bytes_feature(serialize_landmarks(landmarks)),
  }))


def parse(serialized, has_label=True):
  """Returns the sample of one serialised record, a string scalar; for `tf.data.Dataset.map`.

  It is a dict of keys.IMAGE: [height, width, 3] uint8; keys.LABELS_CLASS: [height, width, 1] uint8
  class ids (absent unless has_label); keys.HEIGHT, keys.WIDTH: int64 scalars as recorded;
  keys.IMAGE_NAME: string scalar; keys.LANDMARKS: string scalar, a serialised float tensor or ''.
  """
  sample = parse_encoded(serialized, has_label)
  # The kernel behind decode_jpeg looks at the bytes and reads PNG as well.
  image = tf.image.decode_jpeg(sample[keys.IMAGE], channels=3)
  image.set_shape([None, None, 3])
  return dict(sample, **{keys.IMAGE: image})


def parse_encoded(serialized, has_label=True):
  """Returns `parse(serialized, has_label)`, but the image as a string scalar, not decoded."""
  features = tf.io.parse_single_example(serialized, {
      name: tf.io.FixedLenFeature((), dtype, default_value=default)
      for name, (dtype, default) in _PARSED_FEATURES.items()})
  name = features[_NAME]
  sample = {
      keys.IMAGE: limits.checked(features[_IMAGE], name, 'image'),
      keys.IMAGE_NAME: name,
      keys.HEIGHT: features[_HEIGHT],
      keys.WIDTH: features[_WIDTH],
      keys.LANDMARKS: features[_LANDMARKS],
  }
  if has_label:
    label = tf.image.decode_png(limits.checked(features[_LABEL], name, 'label'),
                                channels=1)
    label.set_shape([None, None, 1])
    sample[keys.LABELS_CLASS] = label
  return sample


def read_records(path):
  """Yields the `tf.train.Example` of every record of one shard, in order.

  Raises ValueError if the shard or a record cannot be read; names shard and index.
  """
  index = 0
  records = None
  while True:
    try:
      records = records or tf.io.tf_record_iterator(path)
      record = tf.train.Example.FromString(next(records))
    except StopIteration:
      return
    except tf.errors.NotFoundError as error:
      raise ValueError('Shard %s does not exist.' % path) from error
    except Exception as error:
      # Implementations of protobuf each have a DecodeError of their own.
      if not isinstance(error, tf.errors.OpError) and type(error).__name__ != 'DecodeError':
        raise
      raise ValueError('%s: record %d is corrupt or cut off (%s). Build this shard again.'
                       % (path, index, errors.reason_of(error))) from error
    yield record
    index += 1


def record_name(record):
  """Returns the name of a `tf.train.Example`, '' where it has none."""
  return _first_bytes(record, _NAME).decode('utf-8', 'replace')


def misread_feature(record):
  """Returns the name of a feature with values of another kind than is parsed, or None."""
  for name, (dtype, _) in _PARSED_FEATURES.items():
    kind = name in record.features.feature and record.features.feature[name].WhichOneof('kind')
    if kind and kind != {'string': 'bytes_list', 'int64': 'int64_list'}[dtype]:
      return name
  return None


def image_bytes(record):
  """Returns the encoded image of a `tf.train.Example`, b'' where it has none."""
  return _first_bytes(record, _IMAGE)


def label_bytes(record):
  """Returns the encoded label map of a `tf.train.Example`, b'' where it has none."""
  return _first_bytes(record, _LABEL)


def landmarks_bytes(record):
  """Returns the serialised landmarks of a `tf.train.Example`, b'' where it has none."""
  return _first_bytes(record, _LANDMARKS)


def recorded_size(record):
  """Returns the (height, width) that a `tf.train.Example` states, 0 where it does not."""
  values = [record.features.feature[name].int64_list.value for name in (_HEIGHT, _WIDTH)]
  return tuple(value[0] if value else 0 for value in values)


def parse_landmarks(data):
  """Returns float32 landmarks, usually [people, points, 2 or more]; ValueError on other bytes."""
  try:
    # compat.v1 does not name the class of the message.
    points = tf.make_ndarray(type(tf.make_tensor_proto(0.0)).FromString(data))
  except Exception as error:
    # Implementations of protobuf each have a DecodeError of their own.
    raise ValueError('not a serialised tensor (%s)' % errors.reason_of(error)) from error
  if points.dtype != np.float32:
    raise ValueError('a tensor of %s instead of float32' % points.dtype)
  return points


def serialize_landmarks(landmarks):
  """Returns the serialised float32 tensor of `landmarks`; b'' for None, bytes unchanged."""
  if landmarks is None:
    return b''
  if isinstance(landmarks, bytes):
    return landmarks
  points = np.asarray(landmarks, np.float32)
  return tf.make_tensor_proto(points).SerializeToString()


def int64_feature(values):
  """Returns the int64 feature of an integer or a list or array of them."""
  return tf.train.Feature(int64_list=tf.train.Int64List(value=_as_list(values)))


def float_feature(values):
  """Returns the float feature of a number or a list or array of them."""
  return tf.train.Feature(float_list=tf.train.FloatList(value=_as_list(values)))


def bytes_feature(value):
  """Returns the bytes feature of one str (as UTF-8) or bytes value."""
  value = value.encode('utf-8', 'surrogateescape') if isinstance(value, str) else value
  return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _first_bytes(record, name):
  values = record.features.feature[name].bytes_list.value
  return values[0] if values else b''


def _as_list(values):
  return np.asarray(values).reshape(-1).tolist()
