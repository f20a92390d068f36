"""Tests of the input pipeline on tiny records."""
import os
import re
import struct
import zlib

import numpy as np
import pytest

from deeplab.core import keys
from deeplab.core.images import input_errors
from deeplab.core.images.augmentation import AUGMENTATIONS
from deeplab.core.tf_compat import tf
from deeplab.datasets import data_generator
from deeplab.datasets.checks import in_runs
from deeplab.datasets.records import example, shards
from deeplab.testing import tiny_run

SHARED_VOC = os.path.join(tiny_run.ROOT, os.pardir, 'shared', 'data', 'pascal_voc_seg')


def make_dataset(folder, split='val', **kwargs):
  arguments = dict(dataset_name=None, split_name=split, dataset_dir=str(folder), batch_size=2,
                   crop_size=tiny_run.CROP, model_variant='mobilenet_v2')
  arguments.update(kwargs)
  reading = {name: arguments.pop(name) for name in data_generator.Reading._fields
             if name in arguments}
  arguments['reading'] = data_generator.Reading(**reading)
  return data_generator.Dataset(**arguments)


def read(dataset, num_batches=None):
  """Returns batches: all, or the first ones."""
  batches = []
  with tf.Graph().as_default(), tf.Session() as session:
    samples = dataset.get_one_shot_iterator().get_next()
    with in_runs.readable_input_errors(dataset.files, dataset.descriptor):
      while num_batches is None or len(batches) < num_batches:
        try:
          batches.append(session.run(samples))
        except tf.errors.OutOfRangeError:
          break
  return batches


@pytest.fixture(name='samples')
def make_samples():
  return tiny_run.make_samples()


def test_evaluation_keeps_order_and_pads_with_mean_and_ignore_label(tmp_path, samples):
  tiny_run.write_records(str(tmp_path), samples)
  batches = read(make_dataset(tmp_path))
  names = [name.decode() for batch in batches for name in batch[keys.IMAGE_NAME]]
  assert names == [sample.name for sample in samples]
  height, width = samples[0].label.shape
  image, label = batches[0][keys.IMAGE][0], batches[0][keys.LABEL][0]
  np.testing.assert_array_equal(image[:height, :width], samples[0].image)
  np.testing.assert_array_equal(image[height:], np.full_like(image[height:], 127.5))
  np.testing.assert_array_equal(label[:height, :width, 0], samples[0].label)
  assert (label[:, width:] == tiny_run.IGNORE_LABEL).all()
  assert (image.dtype, label.dtype) == (np.float32, np.int32)
  assert list(batches[0][keys.HEIGHT]) == [s.label.shape[0] for s in samples[:2]]


@pytest.mark.parametrize('keeps, least', [(True, 0.1), (False, 1.0)])
@pytest.mark.parametrize('is_training', [False, True])
def test_images_fill_a_square_where_their_shape_is_not_kept(tmp_path, is_training, keeps, least):
  # 33x41 becomes 33x41, or 41x41.
  sample = tiny_run.Sample('a', np.full((33, 41, 3), 200, np.uint8), np.ones((33, 41), np.uint8))
  tiny_run.write_records(str(tmp_path), [sample], split='train')
  batch, = read(make_dataset(
      tmp_path, 'train', batch_size=1, crop_size=(41, 41), min_resize_value=33,
      keep_aspect_ratio=keeps, is_training=is_training, augmentation=AUGMENTATIONS['none']), 1)
  share = (batch[keys.LABEL] == 1).mean()
  assert share == 1.0 if not keeps else least < share < 0.9


def test_a_seeded_stream_continues_where_a_run_has_stopped(tmp_path, samples):
  tiny_run.write_records(str(tmp_path), samples, split='train')

  whole, rest = [
      make_dataset(tmp_path, 'train', is_training=True, should_shuffle=True, should_repeat=True,
                   data_seed=3, num_done=num_done) for num_done in (0, 4)]
  for batch, wanted in zip(read(rest, 2), read(whole, 4)[2:]):
    assert list(batch[keys.IMAGE_NAME]) == list(wanted[keys.IMAGE_NAME])
    np.testing.assert_array_equal(batch[keys.IMAGE], wanted[keys.IMAGE])
    np.testing.assert_array_equal(batch[keys.LABEL], wanted[keys.LABEL])


@pytest.mark.parametrize('num_shards, num_workers, reads_all', [
    (4, 2, False), (1, 2, True), (3, 2, True), (17, 2, False)])
def test_workers_share_an_epoch_without_overlap(tmp_path, num_shards, num_workers, reads_all):
  samples = tiny_run.make_samples([tiny_run.SIZES[0]] * 17)
  whole = tiny_run.write_records(str(tmp_path), samples, split='train')
  records = list(tf.io.tf_record_iterator(whole))
  os.remove(whole)
  for index in range(num_shards):
    with tf.io.TFRecordWriter(os.path.join(
        str(tmp_path), shards.shard_name('train', index, num_shards))) as writer:
      for record in records[index::num_shards]:
        writer.write(record)
  names = []
  for index in range(num_workers):
    dataset = make_dataset(tmp_path, 'train', is_training=True, should_shuffle=True,
                           should_repeat=False, batch_size=1, data_seed=5,
                           share=shards.Share(index, num_workers))
    assert dataset.reading.share.divides_well(num_shards) != reads_all
    own = [batch[keys.IMAGE_NAME][0].decode() for batch in read(dataset)]
    assert own == [batch[keys.IMAGE_NAME][0].decode() for batch in read(dataset)]
    assert abs(len(own) - len(samples) / num_workers) <= (1 if reads_all else 5)
    names += own
  assert sorted(names) == sorted(sample.name for sample in samples)


def test_workers_draw_different_random_numbers(tmp_path, samples):
  # The same image for all of them, so that the crops tell the numbers.
  tiny_run.write_records(str(tmp_path), samples[:1] * 4, split='train')
  images = []
  for index in range(2):
    dataset = make_dataset(tmp_path, 'train', is_training=True, should_shuffle=True,
                           should_repeat=True, batch_size=4, data_seed=5,
                           share=shards.Share(index, 2))
    images += list(read(dataset, 1)[0][keys.IMAGE])
  for index, image in enumerate(images):
    assert not any(np.array_equal(image, other) for other in images[index + 1:])


def test_training_batches_are_full_static_and_repeatable(tmp_path, samples):
  tiny_run.write_records(str(tmp_path), samples, split='train')

  def make(seed):
    return make_dataset(tmp_path, 'train', is_training=True, should_shuffle=True,
                        should_repeat=True, min_scale_factor=0.5, max_scale_factor=2.0,
                        data_seed=seed)
  with tf.Graph().as_default():
    sample = make(1).get_one_shot_iterator().get_next()
    assert sample[keys.IMAGE].shape.as_list() == [2] + list(tiny_run.CROP) + [3]
    assert keys.ORIGINAL_IMAGE not in sample
  first, again, other = [read(make(seed), 4) for seed in (1, 1, 2)]
  for a, b in zip(first, again):
    np.testing.assert_array_equal(a[keys.IMAGE], b[keys.IMAGE])
    np.testing.assert_array_equal(a[keys.LABEL], b[keys.LABEL])
  assert np.abs(first[0][keys.IMAGE] - other[0][keys.IMAGE]).max() > 1
  values = np.concatenate([batch[keys.IMAGE].ravel() for batch in first])
  assert values.min() >= 0
  assert values.max() <= 255


def test_training_images_may_be_bytes(tmp_path, samples):
  tiny_run.write_records(str(tmp_path), samples, split='train')
  of_bytes, of_floats = [
      read(make_dataset(tmp_path, 'train', is_training=True, should_repeat=True, data_seed=3,
                        image_dtype=dtype), 2)[1][keys.IMAGE] for dtype in (tf.uint8, tf.float32)]
  assert of_bytes.dtype == np.uint8 and of_floats.dtype == np.float32
  np.testing.assert_allclose(of_bytes, of_floats, atol=0.5)


def test_preset_none_only_crops(tmp_path, samples):
  exact = samples[1]
  assert exact.label.shape == tiny_run.CROP
  tiny_run.write_records(str(tmp_path), [exact], split='train')
  batch, = read(make_dataset(tmp_path, 'train', is_training=True, should_repeat=True,
                             augmentation=AUGMENTATIONS['none']), 1)
  np.testing.assert_allclose(batch[keys.IMAGE][0], exact.image, atol=0.02)
  np.testing.assert_array_equal(batch[keys.LABEL][0, ..., 0], exact.label)


def test_split_without_labels(tmp_path, samples):
  tiny_run.write_records(str(tmp_path), samples, split='test', has_labels=False)
  dataset = make_dataset(tmp_path, 'test')
  batch = read(dataset)[0]
  assert keys.LABEL not in batch
  assert batch[keys.IMAGE].shape == (2,) + tiny_run.CROP + (3,)
  with pytest.raises(ValueError, match="Split 'test' in .* has no labels to evaluate on: "
                                       '.*Splits with labels: none'):
    dataset.require_labels()


def test_training_on_a_split_without_labels_names_a_record(tmp_path, samples):
  path = tiny_run.write_records(str(tmp_path), samples, split='test', has_labels=False)
  dataset = make_dataset(tmp_path, 'test', is_training=True, should_repeat=True)
  with pytest.raises(ValueError, match='Record tiny/000: there is no label map. It is record 0 of'):
    read(dataset, 1)
  with pytest.raises(ValueError, match='Record tiny/000: there is no label map.*%s' % path):
    in_runs.quick_look(dataset.files, 'test', dataset.descriptor, str(tmp_path))


def test_a_split_test_whose_labels_are_counted_has_them(tmp_path, samples):
  tiny_run.write_records(str(tmp_path), samples, split='test')
  dataset = make_dataset(tmp_path, 'test')
  dataset.require_labels()
  height, width = samples[0].label.shape
  np.testing.assert_array_equal(read(dataset)[0][keys.LABEL][0, :height, :width, 0],
                                samples[0].label)


def test_image_larger_than_the_crop_is_named(tmp_path, samples):
  tiny_run.write_records(str(tmp_path), samples)
  with pytest.raises(ValueError, match=r'Record tiny/001: the image is 49x65 \(height x width\), '
                                       'more than the crop size 49,49 holds: pass a crop size '
                                       'of at least 49,65'):
    read(make_dataset(tmp_path, crop_size=(49, 49)))


def test_size_mismatch_is_named(tmp_path, samples):
  bad = samples[0]._replace(label=samples[1].label)
  tiny_run.write_records(str(tmp_path), [bad])
  with pytest.raises(ValueError, match='Record tiny/000: the image is 33x41, its label 49x65'):
    read(make_dataset(tmp_path))


def rewrite(path, change):
  """Passes every record of a shard through `change`, a function of the example."""
  records = list(example.read_records(path))
  with tf.io.TFRecordWriter(path) as writer:
    for index, record in enumerate(records):
      change(index, record)
      writer.write(record.SerializeToString())


@pytest.mark.parametrize('is_padded', [False, True])
def test_evaluation_goes_by_the_size_that_an_image_has(tmp_path, samples, is_padded):
  """A record that states another one, sides exchanged or absurd, does not cut its image off."""
  path = tiny_run.write_records(str(tmp_path), samples)

  def change(unused_index, record):
    record.features.feature['image/height'].int64_list.value[:] = [1 << 40]
    record.features.feature['image/width'].int64_list.value[:] = [3]

  rewrite(path, change)
  with tf.Graph().as_default(), tf.Session() as session:
    sample = tf.data.make_one_shot_iterator(
        make_dataset(tmp_path).get_samples(is_padded=is_padded)).get_next()
    found = [session.run(sample) for _ in samples]
  assert [(each[keys.HEIGHT], each[keys.WIDTH]) for each in found] == [
      sample.label.shape for sample in samples]


def test_undecodable_image_is_named_with_its_shard(tmp_path, samples):
  path = tiny_run.write_records(str(tmp_path), samples)

  def corrupt(index, record):
    if index == 1:
      values = record.features.feature['image/encoded'].bytes_list.value
      values[0] = b'\xff\xd8\xff' + values[0][:60]
  rewrite(path, corrupt)
  with pytest.raises(ValueError, match='Record tiny/001: the image cannot be decoded .* It is '
                                       'record 1 of shard .*val-00000-of-00001.tfrecord'):
    read(make_dataset(tmp_path))


def spoil(path, spoiled):
  """Makes the images of some records, by index, undecodable."""

  def corrupt(index, record):
    if index in spoiled:
      values = record.features.feature['image/encoded'].bytes_list.value
      values[0] = values[0][:60]
  rewrite(path, corrupt)


@pytest.mark.parametrize('is_training', [False, True])
def test_bad_records_are_skipped_and_told(tmp_path, samples, caplog, is_training):
  spoil(tiny_run.write_records(str(tmp_path), samples, split='train'), [1])
  with caplog.at_level('WARNING'):
    batches = read(make_dataset(tmp_path, 'train', on_bad_record='skip', is_training=is_training))
  names = [name.decode() for batch in batches for name in batch[keys.IMAGE_NAME]]
  assert names == ['tiny/000', 'tiny/002']
  assert 'Bad record skipped, number 1: Record tiny/001: the image' in caplog.text


def test_another_way_with_bad_records_is_refused(tmp_path, samples):
  tiny_run.write_records(str(tmp_path), samples, split='train')
  with pytest.raises(ValueError, match="Unknown on_bad_record 'skp'. Did you mean 'skip'"):
    make_dataset(tmp_path, 'train', on_bad_record='skp')


def test_too_many_bad_records_stop_the_stream(tmp_path):
  many = [sample._replace(name='r%d' % i)
          for i, sample in enumerate(tiny_run.make_samples() * 10)]
  spoil(tiny_run.write_records(str(tmp_path), many, split='train'), range(0, 30, 3))
  arguments = dict(on_bad_record='skip', is_training=True)
  with pytest.raises(ValueError, match=r'8 of 22 records are bad, more than '
                                       r'--max_bad_fraction=0.2 allows; the last: Record r21'):
    read(make_dataset(tmp_path, 'train', max_bad_fraction=0.2, **arguments))
  batches = read(make_dataset(tmp_path, 'train', max_bad_fraction=0.5, **arguments))
  assert sum(len(batch[keys.IMAGE_NAME]) for batch in batches) == 20


def test_a_shard_that_vanished_or_is_empty_is_named(tmp_path, samples):
  path = tiny_run.write_records(str(tmp_path), samples, split='train')
  dataset = make_dataset(tmp_path, 'train', is_training=True)
  os.rename(path, path + '.away')
  with pytest.raises(ValueError, match='Shard .*train-00000-of-00001.tfrecord does not exist'):
    read(dataset)
  open(path, 'w').close()
  with pytest.raises(ValueError, match=r'train-00000-of-00001.tfrecord is empty \(0 bytes\)'):
    make_dataset(tmp_path, 'train', is_training=True)


def test_truncated_shard_is_named(tmp_path, samples):
  path = tiny_run.write_records(str(tmp_path), samples)
  with open(path, 'r+b') as stream:
    stream.truncate(os.path.getsize(path) - 40)
  with pytest.raises(ValueError, match='val-00000-of-00001.tfrecord: record 2 is corrupt'):
    read(make_dataset(tmp_path))


def test_random_voc_records_are_refused_by_their_labels():
  if not os.path.isdir(SHARED_VOC):
    pytest.skip('needs ../shared/data/pascal_voc_seg')
  dataset = make_dataset(SHARED_VOC, dataset_name='pascal_voc_seg', crop_size=(513, 513))
  with pytest.raises(ValueError, match='neither classes 0..20 nor the ignore label 255'):
    read(dataset)


@pytest.mark.parametrize('changes, says', [
    ({'label': np.zeros((5, 6), np.uint8)}, 'the image is 33x41, its label 5x6 (height x width).'),
    ({'label': np.full((33, 41), 9, np.uint8)},
     'the label has the values 9, which are neither classes 0..3 nor the ignore label 255 of '
     'dataset tiny.'),
])
@pytest.mark.parametrize('split', ['val', 'test', 'test-hard'])
def test_an_error_without_a_name_is_laid_to_the_first_bad_record(
    tmp_path, samples, changes, says, split):
  path = tiny_run.write_records(str(tmp_path), [samples[0], samples[0]._replace(**changes)],
                                split)
  dataset = make_dataset(tmp_path, split)
  found = in_runs.describe_input_error(
      tf.errors.DataLossError(None, None, 'what TensorFlow says'), dataset.files,
      dataset.descriptor)
  assert str(found) == 'Record %s: %s It is record 1 of shard %s. Build this shard again.' % (
      samples[0].name, says, path)


def _with_chunk(png, name):
  """Returns a PNG file with one more chunk, behind its head."""
  return png[:33] + struct.pack('>I', 0) + name + struct.pack('>I', zlib.crc32(name)) + png[33:]


@pytest.mark.parametrize('chunk, says', [
    # A chunk that readers must know: Pillow passes over it.
    (b'QQQQ', r': it cannot be decoded: .*\. It is record 0 of shard .* Build this shard again'),
    (b'qqqq', None)])
def test_a_record_that_tensorflow_alone_cannot_decode_is_named(tmp_path, samples, chunk, says):
  path = tiny_run.write_records(str(tmp_path), samples)
  record = next(example.read_records(path))
  data = record.features.feature['image/segmentation/class/encoded'].bytes_list
  data.value[0] = _with_chunk(data.value[0], chunk)
  with tf.io.TFRecordWriter(path) as writer:
    writer.write(record.SerializeToString())
  dataset = make_dataset(tmp_path)
  found = in_runs.describe_input_error(
      tf.errors.InvalidArgumentError(None, None, 'what TensorFlow says'), dataset.files,
      dataset.descriptor)
  assert re.match('Record ' + samples[0].name + says, str(found)) if says else found is None


def test_an_error_that_no_record_explains_stays_as_it_is(tmp_path, samples):
  tiny_run.write_records(str(tmp_path), samples)
  dataset = make_dataset(tmp_path)
  with pytest.raises(tf.errors.NotFoundError, match='a file of another kind'):
    with in_runs.readable_input_errors(dataset.files, dataset.descriptor):
      raise tf.errors.NotFoundError(None, None, 'a file of another kind')


def test_a_record_behind_a_damaged_one_is_named_without_its_place(tmp_path, samples):
  path = tiny_run.write_records(str(tmp_path), samples)
  dataset = make_dataset(tmp_path)
  error = tf.errors.InvalidArgumentError(
      None, None, input_errors.marked('Record %s: it is odd.' % samples[1].name))
  described = in_runs.describe_input_error(error, dataset.files, dataset.descriptor)
  assert str(described).endswith(': it is odd. It is record 1 of shard %s.' % path)
  with open(path, 'r+b') as stream:
    stream.truncate(50)
  described = in_runs.describe_input_error(error, dataset.files, dataset.descriptor)
  assert str(described) == 'Record %s: it is odd.' % samples[1].name
