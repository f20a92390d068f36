"""Tests of the record format."""
import io
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.core import keys
from deeplab.core.tf_compat import tf
from deeplab.datasets.labels import pairs
from deeplab.datasets.records import example

_VOC_DIR = os.path.join(os.path.dirname(__file__), '..', '..', '..', 'shared', 'data',
                        'pascal_voc_seg')


def _png(values):
  buffer = io.BytesIO()
  Image.fromarray(values).save(buffer, format='PNG')
  return buffer.getvalue()


_IMAGE = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
_LABEL = np.arange(5 * 7, dtype=np.uint8).reshape(5, 7)


def _record(**options):
  arguments = {'image': pairs.EncodedImage(_png(_IMAGE), 'png', 5, 7), 'filename': 'bild ü',
               'label_data': _png(_LABEL)}
  arguments.update(options)
  return example.make_example(**arguments)


def _parsed(serialized, **options):
  """Runs parse inside of tf.data, as the input pipeline does."""
  with tf.Graph().as_default():
    dataset = tf.data.Dataset.from_tensors(serialized).map(
        lambda x: example.parse(x, **options))
    sample = tf.data.make_one_shot_iterator(dataset).get_next()
    shapes = {key: value.shape.as_list() for key, value in sample.items()}
    with tf.Session() as session:
      return session.run(sample), shapes


def test_a_record_has_exactly_the_features_of_the_format():
  features = _record(landmarks=np.ones((1, 2, 2))).features.feature
  assert sorted(features) == [
      'image/channels', 'image/encoded', 'image/filename', 'image/format', 'image/height',
      'image/landmarks', 'image/segmentation/class/encoded',
      'image/segmentation/class/format', 'image/width']
  assert features['image/channels'].int64_list.value == [3]
  assert features['image/height'].int64_list.value == [5]
  assert features['image/width'].int64_list.value == [7]
  assert features['image/format'].bytes_list.value == [b'png']
  assert features['image/segmentation/class/format'].bytes_list.value == [b'png']
  assert features['image/filename'].bytes_list.value == ['bild ü'.encode('utf-8')]


def test_a_record_without_landmarks_holds_an_empty_string():
  assert _record().features.feature['image/landmarks'].bytes_list.value == [b'']


def test_parse_gives_back_what_was_written():
  sample, shapes = _parsed(_record().SerializeToString())
  np.testing.assert_array_equal(sample[keys.IMAGE], _IMAGE)
  np.testing.assert_array_equal(sample[keys.LABELS_CLASS][:, :, 0], _LABEL)
  assert sample[keys.IMAGE].dtype == sample[keys.LABELS_CLASS].dtype == np.uint8
  assert (sample[keys.HEIGHT], sample[keys.WIDTH]) == (5, 7)
  assert sample[keys.HEIGHT].dtype == np.int64
  assert sample[keys.IMAGE_NAME].decode('utf-8') == 'bild ü'
  assert sample[keys.LANDMARKS] == b''
  assert shapes[keys.IMAGE] == [None, None, 3]
  assert shapes[keys.LABELS_CLASS] == [None, None, 1]


def test_jpeg_images_and_grey_files_parse_to_three_channels():
  buffer = io.BytesIO()
  Image.fromarray(np.full((8, 8), 90, np.uint8)).save(buffer, format='JPEG', quality=100)
  for data, image_format in ((buffer.getvalue(), 'jpeg'),
                             (_png(np.full((8, 8), 90, np.uint8)), 'png')):
    record = _record(image=pairs.EncodedImage(data, image_format, 8, 8), label_data=None)
    image = _parsed(record.SerializeToString(), has_label=False)[0][keys.IMAGE]
    np.testing.assert_array_equal(image, np.full((8, 8, 3), 90))


def test_unlabelled_records_parse_without_label():
  sample, _ = _parsed(_record(label_data=None).SerializeToString(), has_label=False)
  assert keys.LABELS_CLASS not in sample


def test_features_of_another_kind_than_is_parsed_are_found():
  record = _record()
  assert example.misread_feature(record) is None
  height = record.features.feature['image/height']
  height.bytes_list.value.append(b'5')
  assert example.misread_feature(record) == 'image/height'


def test_absent_features_have_defaults():
  record = tf.train.Example(features=tf.train.Features(feature={
      'image/encoded': example.bytes_feature(_png(_IMAGE)),
      'image/segmentation/class/encoded': example.bytes_feature(_png(_LABEL))}))
  sample, _ = _parsed(record.SerializeToString())
  assert sample[keys.LANDMARKS] == sample[keys.IMAGE_NAME] == b''
  assert sample[keys.HEIGHT] == sample[keys.WIDTH] == 0


@pytest.mark.parametrize('make', [lambda x: x, lambda x: x.tolist(), example.serialize_landmarks])
def test_landmarks_come_back_as_a_float_tensor(make):
  points = np.array([[[1.5, 2.0], [3.25, 4.0]]])
  sample, _ = _parsed(_record(landmarks=make(points)).SerializeToString())
  with tf.Graph().as_default(), tf.Session() as session:
    found = session.run(tf.io.parse_tensor(sample[keys.LANDMARKS], tf.float32))
  np.testing.assert_array_equal(found, points)


def _write_shard(path, count=3):
  with tf.io.TFRecordWriter(path) as writer:
    for i in range(count):
      writer.write(_record(filename='n%d' % i).SerializeToString())


def test_read_records_yields_every_record_in_order(tmp_path):
  path = str(tmp_path / 'a.tfrecord')
  _write_shard(path)
  records = list(example.read_records(path))
  assert [example.record_name(record) for record in records] == ['n0', 'n1', 'n2']
  assert example.image_bytes(records[0]) == _png(_IMAGE)
  assert example.label_bytes(records[0]) == _png(_LABEL)


@pytest.mark.parametrize('damage', [
    lambda data: data[:-5],
    lambda data: data[:-40] + b'XXXX' + data[-36:],
])
def test_read_records_names_shard_and_index_of_a_corrupt_record(tmp_path, damage):
  path = tmp_path / 'a.tfrecord'
  _write_shard(str(path))
  path.write_bytes(damage(path.read_bytes()))
  with pytest.raises(ValueError, match='a.tfrecord: record 2 is corrupt'):
    list(example.read_records(str(path)))


def test_read_records_refuses_records_that_are_no_examples(tmp_path):
  path = str(tmp_path / 'a.tfrecord')
  with tf.io.TFRecordWriter(path) as writer:
    writer.write(b'\xff\xff\xff')
  with pytest.raises(ValueError, match='record 0 is corrupt'):
    list(example.read_records(path))


def test_read_records_of_an_absent_file_names_it(tmp_path):
  with pytest.raises(ValueError, match='absent.tfrecord'):
    list(example.read_records(str(tmp_path / 'absent.tfrecord')))


@pytest.mark.skipif(not os.path.isdir(_VOC_DIR), reason='no ../shared/data/pascal_voc_seg')
def test_records_of_the_public_layout_parse():
  path = os.path.join(_VOC_DIR, 'val-00000-of-00001.tfrecord')
  sizes = []
  for record in example.read_records(path):
    sample, _ = _parsed(record.SerializeToString())
    sizes.append(sample[keys.IMAGE].shape)
    assert sample[keys.LABELS_CLASS].shape == sample[keys.IMAGE].shape[:2] + (1,)
  assert sizes == [(366, 500, 3), (335, 500, 3), (333, 500, 3)]
