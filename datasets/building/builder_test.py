"""Tests of building datasets: what is stored, resuming, bad input."""
import io
import json
import logging
import multiprocessing
import os
import signal
import typing

import numpy as np
import pytest
from PIL import Image

from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.datasets.building import builder, shard_writer
from deeplab.datasets.building import spec as specs
from deeplab.datasets.labels import label_sources, pairs
from deeplab.datasets.records import dataset_info, example

_NUM_CLASSES = 3


@pytest.fixture
def raw(tmp_path):
  """Returns a function that makes a raw folder of n pairs and lists them."""

  def make(count=7, name='raw', seed=0):
    random = np.random.RandomState(seed)
    folder = tmp_path / name
    folder.mkdir()
    examples = []
    for i in range(count):
      height, width = 8 + i, 12
      image = folder / ('%d.png' % i)
      label = folder / ('%d_label.png' % i)
      Image.fromarray(random.randint(0, 256, (height, width, 3)).astype(np.uint8)).save(str(image))
      ids = random.randint(0, _NUM_CLASSES, (height, width)).astype(np.uint8)
      ids[0, :5] = 255
      Image.fromarray(ids).save(str(label))
      examples.append(builder.Example('record %d' % i, str(image), str(label)))
    return examples

  return make


def _spec(splits, **fields):
  options = {'num_classes': _NUM_CLASSES, 'ignore_label': 255, 'num_shards': 3}
  options.update(fields)
  return builder.DatasetSpec('tiny', splits, **options)


def _records(folder, split):
  return [record for path in registry.split_files(str(folder), split)
          for record in example.read_records(path)]


def _pixels(data):
  with Image.open(io.BytesIO(data)) as image:
    return np.asarray(image)


def _read(path):
  with open(path, 'rb') as f:
    return f.read()


def _contents(folder):
  return {name: _read(str(folder / name)) for name in sorted(os.listdir(str(folder)))
          if name.endswith('.tfrecord')}


def _change_times(folder):
  return {name: os.stat(str(folder / name)).st_mtime_ns for name in _contents(folder)}


@pytest.mark.parametrize('num_processes', [1, 2])
def test_records_hold_the_pairs_in_order_pixel_by_pixel(tmp_path, raw, num_processes):
  examples = raw()
  builder.build_dataset(_spec({'train': examples}), str(tmp_path / 'out'), num_processes)
  records = _records(tmp_path / 'out', 'train')
  assert [example.record_name(r) for r in records] == [e.name for e in examples]
  for record, source in zip(records, examples):
    with Image.open(source.image_path) as image, Image.open(source.label) as label:
      np.testing.assert_array_equal(_pixels(example.image_bytes(record)), np.asarray(image))
      np.testing.assert_array_equal(_pixels(example.label_bytes(record)), np.asarray(label))
    features = record.features.feature
    assert features['image/height'].int64_list.value == [len(_pixels(example.label_bytes(record)))]
    assert features['image/format'].bytes_list.value == [b'png']


def test_shards_are_numbered_equally_long_and_never_empty(tmp_path, raw):
  builder.build_dataset(
      _spec({'train': raw(7), 'val': raw(2, 'raw2')}), str(tmp_path / 'out'), 1)
  names = list(_contents(tmp_path / 'out'))
  assert names == ['train-00000-of-00003.tfrecord', 'train-00001-of-00003.tfrecord',
                   'train-00002-of-00003.tfrecord', 'val-00000-of-00002.tfrecord',
                   'val-00001-of-00002.tfrecord']
  assert [len(list(example.read_records(str(tmp_path / 'out' / name)))) for name in names] == [
      3, 3, 1, 1, 1]


def test_info_file_counts_records_sizes_and_pixels(tmp_path, raw):
  examples = raw(5)
  info = builder.build_dataset(
      _spec({'train': examples}, class_names=('a', 'b', 'c'), colormap=np.eye(3, dtype=int)),
      str(tmp_path / 'out'), 2)
  assert info == dataset_info.read(str(tmp_path / 'out'))
  assert info.class_names == ['a', 'b', 'c']
  assert info.colormap == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
  maps = [_pixels(_read(e.label)) for e in examples]
  labels = np.concatenate([label.ravel() for label in maps])
  assert info.splits['train'] == dataset_info.SplitInfo(
      5, 3, {'min': [8, 12], 'median': [10, 12], 'max': [12, 12]},
      np.bincount(labels, minlength=256)[:3].tolist(), 25,
      [sum((label != 255).sum() for label in maps if (label == c).any()) for c in range(3)])
  assert registry.resolve('tiny', str(tmp_path / 'out')).splits_to_sizes == {'train': 5}


def test_an_ignore_label_among_the_classes_counts_as_ignored(tmp_path, raw):
  examples = raw(2)
  for item in examples:
    Image.fromarray(np.array(Image.open(item.label)) % 3).save(item.label)
  split = builder.build_dataset(
      _spec({'train': examples}, ignore_label=0), str(tmp_path / 'out'), 1).splits['train']
  assert split.class_pixel_counts[0] == split.present_pixel_counts[0] == 0
  assert split.num_ignored_pixels > 0
  assert sum(split.class_pixel_counts) + split.num_ignored_pixels == 8 * 12 + 9 * 12


def test_landmarks_are_stored(tmp_path, raw):
  points = [[[1.0, 2.0], [3.0, 4.0]]]
  path = tmp_path / 'points.json'
  path.write_text(json.dumps({'pose_landmarks': points}))
  first, second, third = raw(3)
  builder.build_dataset(_spec({'train': [
      first._replace(landmarks=np.array(points)), second._replace(landmarks=str(path)), third]}),
      str(tmp_path / 'out'), 1)
  stored = [r.features.feature['image/landmarks'].bytes_list.value[0]
            for r in _records(tmp_path / 'out', 'train')]
  assert stored[0] == stored[1] == example.serialize_landmarks(points)
  assert stored[2] == b''


def test_the_test_split_may_have_no_labels(tmp_path, raw):
  examples = [item._replace(label=None) for item in raw(2)]
  builder.build_dataset(_spec({'test': examples}), str(tmp_path / 'out'), 1)
  assert [example.label_bytes(r) for r in _records(tmp_path / 'out', 'test')] == [b'', b'']
  with pytest.raises(ValueError, match="'record 0' of split 'val' has no label"):
    builder.build_dataset(_spec({'val': examples}), str(tmp_path / 'out2'), 1)


# --- resuming ---


def test_a_second_run_keeps_all_shards(tmp_path, raw):
  spec, out = _spec({'train': raw()}), tmp_path / 'out'
  first = builder.build_dataset(spec, str(out), 1)
  times = _change_times(out)
  assert builder.build_dataset(spec, str(out), 1) == first
  assert _change_times(out) == times


@pytest.mark.parametrize('change', ['label', 'names', 'map', 'shard', 'manifest'])
def test_shards_of_other_input_are_built_again(tmp_path, raw, change):
  examples, out = raw(), tmp_path / 'out'
  builder.build_dataset(_spec({'train': examples}), str(out), 1)
  times = _change_times(out)
  spec = _spec({'train': examples})
  if change == 'label':
    Image.fromarray(np.zeros((8, 12), np.uint8)).save(examples[0].label)
  elif change == 'names':
    spec = _spec({'train': [examples[0]._replace(name='other')] + examples[1:]})
  elif change == 'map':
    spec = _spec({'train': examples}, label_map={0: 1, 1: 0, 2: 2})
  elif change == 'shard':
    path = out / 'train-00000-of-00003.tfrecord'
    path.write_bytes(path.read_bytes()[:-1])
  else:
    (out / '.build' / 'train-00000-of-00003.tfrecord.json').write_text('{"finger')
  info = builder.build_dataset(spec, str(out), 1)
  changed = [name for name, time in _change_times(out).items() if time != times[name]]
  assert changed == (list(times) if change == 'map' else ['train-00000-of-00003.tfrecord'])
  fresh = builder.build_dataset(spec, str(tmp_path / 'fresh'), 1)
  assert info == fresh
  assert _contents(out) == _contents(tmp_path / 'fresh')


def test_another_number_of_shards_leaves_none_of_the_old(tmp_path, raw):
  examples, out = raw(), tmp_path / 'out'
  builder.build_dataset(_spec({'train': examples}), str(out), 1)
  builder.build_dataset(_spec({'train': examples}, num_shards=2), str(out), 1)
  assert list(_contents(out)) == [
      'train-00000-of-00002.tfrecord', 'train-00001-of-00002.tfrecord']
  assert len(os.listdir(str(out / '.build'))) == 2


@pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods(), reason='no fork here')
def test_a_killed_build_continues_to_the_same_records(tmp_path, raw, monkeypatch):
  spec, out = _spec({'train': raw()}), tmp_path / 'out'
  builder.build_dataset(spec, str(tmp_path / 'fresh'), 1)
  counted, read_image = [], pairs.read_image

  def die_at_the_fifth(path, *args):
    counted.append(path)
    if len(counted) == 5:
      os.kill(os.getpid(), signal.SIGKILL)
    return read_image(path, *args)

  with monkeypatch.context() as patch:
    patch.setattr(shard_writer.pairs, 'read_image', die_at_the_fifth)
    process = multiprocessing.get_context('fork').Process(
        target=builder.build_dataset, args=(spec, str(out), 1))
    process.start()
    process.join(60)
  assert process.exitcode == -signal.SIGKILL
  assert list(_contents(out)) == ['train-00000-of-00003.tfrecord']
  assert [name for name in os.listdir(str(out)) if name.endswith('.tmp')]
  assert dataset_info.read(str(out)) is None
  first = _change_times(out)
  builder.build_dataset(spec, str(out), 1)
  assert _contents(out) == _contents(tmp_path / 'fresh')
  assert _change_times(out)['train-00000-of-00003.tfrecord'] in first.values()
  assert not [name for name in os.listdir(str(out)) if name.endswith('.tmp')]


# --- several splits ---


def test_splits_built_one_after_the_other_share_one_info_file(tmp_path, raw):
  out = str(tmp_path / 'out')
  builder.build_dataset(_spec({'train': raw(4)}, class_names=['a', 'b', 'c']), out, 1)
  info = builder.build_dataset(_spec({'val': raw(2, 'raw2')}), out, 1)
  assert {split: s.num_examples for split, s in info.splits.items()} == {'train': 4, 'val': 2}
  assert info.class_names == ['a', 'b', 'c']


@pytest.mark.parametrize('fields, message', [
    ({'ignore_label': 254}, 'ignore_label=255, now 254'),
    ({'num_classes': 4}, 'num_classes=3, now 4'),
    ({'class_names': ['x', 'y', 'z']}, r"class_names=\['a', 'b', 'c'\], now \['x'"),
    ({'colormap': 'forma'}, "colormap='pascal', now 'forma'"),
])
def test_a_split_that_contradicts_the_others_is_refused(tmp_path, raw, fields, message):
  out = tmp_path / 'out'
  builder.build_dataset(
      _spec({'train': raw(2)}, class_names=['a', 'b', 'c'], colormap='pascal'), str(out), 1)
  with pytest.raises(ValueError, match=message):
    builder.build_dataset(_spec({'val': raw(2, 'raw2')}, **fields), str(out), 1)
  assert list(dataset_info.read(str(out)).splits) == ['train']
  assert not [name for name in _contents(out) if name.startswith('val')]


def test_a_failed_rebuild_takes_its_split_off_the_info_file(tmp_path, raw):
  train, val, out = raw(2), raw(2, 'raw2'), str(tmp_path / 'out')
  builder.build_dataset(_spec({'train': train, 'val': val}), out, 1)
  open(val[0].label, 'wb').close()
  with pytest.raises(ValueError, match='is empty'):
    builder.build_dataset(_spec({'val': val}), out, 1)
  assert list(dataset_info.read(out).splits) == ['train']


# --- bad input ---


def _break_pair(examples, kind):
  image, label = examples[4].image_path, examples[4].label
  if kind == 'label value':
    Image.fromarray(np.full((12, 12), 9, np.uint8)).save(label)
  elif kind == 'sizes':
    Image.fromarray(np.zeros((12, 13), np.uint8)).save(label)
  elif kind == 'truncated':
    data = _read(image)
    with open(image, 'wb') as f:
      f.write(data[:len(data) // 2])
  elif kind == 'absent':
    os.remove(image)
  else:
    Image.fromarray(np.random.RandomState(0).randint(0, 9, (12, 12, 3)).astype(np.uint8)).save(
        label)


@pytest.mark.parametrize('num_processes', [1, 2])
@pytest.mark.parametrize('kind, message', [
    ('label value', r"Record 'record 4': .*4_label.png: label values 9 \(144 pixels\)"),
    ('sizes', r"Record 'record 4': sizes differ: .* is 12x12 .* is 12x13"),
    ('truncated', r"Record 'record 4': .*4.png cannot be decoded"),
    ('absent', r"Record 'record 4': .*4.png cannot be read: No such file"),
    ('colour', r"Record 'record 4': .*4_label.png is a colour picture"),
])
def test_unusable_pairs_are_one_error_and_nothing_half(tmp_path, raw, kind, message,
                                                       num_processes):
  examples, out = raw(), tmp_path / 'out'
  _break_pair(examples, kind)
  with pytest.raises(ValueError, match=message):
    builder.build_dataset(_spec({'train': examples}), str(out), num_processes)
  left = [name for name in os.listdir(str(out)) if name != '.build']
  assert set(left) <= {'train-00000-of-00003.tfrecord', 'train-00002-of-00003.tfrecord'}


def test_a_full_disk_is_one_error_and_nothing_half(tmp_path, raw, monkeypatch):
  def fail(self, record):
    raise tf.errors.ResourceExhaustedError(None, None, 'x.tfrecord; No space left on device')

  monkeypatch.setattr(tf.io.TFRecordWriter, 'write', fail)
  with pytest.raises(ValueError, match='00000-of-00001.tfrecord cannot be written: .*No space'):
    builder.build_dataset(_spec({'train': raw(1)}), str(tmp_path / 'out'), 1)
  assert os.listdir(str(tmp_path / 'out')) == []


def test_a_name_that_is_taken_by_a_folder_is_one_error(tmp_path, raw):
  (tmp_path / 'out' / 'train-00000-of-00001.tfrecord').mkdir(parents=True)
  with pytest.raises(ValueError, match='00000-of-00001.tfrecord cannot be written: Is a directory'):
    builder.build_dataset(_spec({'train': raw(1)}), str(tmp_path / 'out'), 1)


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path, raw):
  (tmp_path / 'file').write_text('')
  with pytest.raises(ValueError, match='.*file/out cannot be written: Not a directory'):
    builder.build_dataset(_spec({'train': raw(1)}), str(tmp_path / 'file' / 'out'), 1)


def test_a_split_of_which_nothing_is_left_is_an_error(tmp_path, raw):
  examples, out = raw(2), tmp_path / 'out'
  for item in examples:
    os.remove(item.image_path)
  with pytest.raises(ValueError, match="All 2 examples of split 'train' were skipped; .*"
                                       "skipped_train.txt lists why, first: Record 'record 0'"):
    builder.build_dataset(_spec({'train': examples}), str(out), 1, on_error='skip')
  assert os.listdir(str(out / '.build')) == []
  assert sorted(os.listdir(str(out))) == ['.build', 'skipped_train.txt']


@pytest.mark.parametrize('options, message', [
    ({'on_error': 'ignore'}, "on_error must be one of stop, skip, got 'ignore'"),
    ({'task': builder.BuildTask(0, 0)}, '--num_tasks=0 must be at least 1'),
])
def test_unusable_ways_to_build_are_refused_before_anything_is_written(tmp_path, options, message):
  spec = _spec({'train': [builder.Example('a', 'a', 'a')]})
  with pytest.raises(ValueError, match=message):
    builder.build_dataset(spec, str(tmp_path / 'out'), 1, **options)
  assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('fields, message', [
    ({'num_classes': 0}, 'num_classes must be in 1..256, got 0'),
    ({'ignore_label': 256}, 'ignore_label must be in 0..255, got 256'),
    ({'num_shards': 0}, 'num_shards must be at least 1, got 0'),
    ({'shard_size': 0}, 'shard_size must be at least 1, got 0'),
    ({'class_names': ['a']}, 'class_names must hold 3 names for num_classes=3, got 1'),
    ({'label_map': {0: 0, 1: 7}}, r'label_map maps to \[7\]; expected 0..2 or the ignore label'),
    ({'splits': {}}, 'has no splits'),
    ({'splits': {'train': []}}, "Split 'train' is empty"),
    ({'splits': {'a/b': [builder.Example('a', 'a', 'a')]}}, "'a/b' cannot be the name"),
    ({'splits': {'train': [builder.Example('a', 'a', 'a')] * 2}}, "names the record 'a' twice"),
])
def test_contradictory_specs_are_refused_before_anything_is_written(tmp_path, fields, message):
  spec = _spec({'train': [builder.Example('a', 'a', 'a')]})._replace(**fields)
  with pytest.raises(ValueError, match=message):
    builder.build_dataset(spec, str(tmp_path / 'out'), 1)
  assert not (tmp_path / 'out').exists()


# --- what is told ---


class _Annotated(typing.NamedTuple):
  """A label source with annotations that are left out; their number is what its file holds."""
  path: str
  num_drawn: int

  def read(self, height, width):
    left_out = [('shape %d' % i, 'no area') for i in range(int(_read(self.path)))]
    return label_sources.Drawing(np.zeros((height, width), np.uint8), self.num_drawn, left_out)


@pytest.fixture(name='annotated')
def make_annotated(tmp_path, raw):
  """Returns a function that makes Examples of which some annotations are drawn and left out."""

  def make(*numbers):
    examples = []
    for i, (item, (num_drawn, num_left_out)) in enumerate(zip(raw(len(numbers)), numbers)):
      path = tmp_path / ('%d.txt' % i)
      path.write_text(str(num_left_out))
      examples.append(item._replace(label=_Annotated(str(path), num_drawn)))
    return examples

  return make


def test_what_is_left_out_is_listed_and_the_list_of_an_earlier_build_goes(tmp_path, annotated,
                                                                         caplog):
  examples, out = annotated((0, 0), (0, 1), (2, 0)), tmp_path / 'out'
  builder.build_dataset(_spec({'val': examples}), str(out), 1)
  assert (out / 'left_out_val.txt').read_text() == 'record 1\tshape 0\tno area\n'
  assert "Split 'val': 1 of its annotations left out, 2 drawn" in caplog.text
  assert '1 with no area: shape 0 of record 1' in caplog.text
  (tmp_path / '1.txt').write_text('0')
  builder.build_dataset(_spec({'val': examples}), str(out), 1)
  assert not (out / 'left_out_val.txt').exists()


@pytest.mark.parametrize('on_error', ['stop', 'skip'])
def test_a_split_of_which_nothing_can_be_drawn_is_refused_before_anything_is_written(
    tmp_path, raw, annotated, on_error):
  with pytest.raises(ValueError) as caught:
    builder.build_dataset(_spec({'train': raw(2, 'good'), 'val': annotated((0, 0), (0, 2))}),
                          str(tmp_path / 'out'), 1, on_error)
  assert str(caught.value) == (
      "Split 'val': none of its annotations can be drawn. 2 with no area: shape 0 of record 1, "
      'shape 1 of record 1.')
  assert not (tmp_path / 'out').exists()


def test_pictures_without_annotations_are_a_split(tmp_path, annotated):
  info = builder.build_dataset(_spec({'val': annotated((0, 0), (0, 0))}), str(tmp_path / 'out'), 1)
  assert info.splits['val'].num_examples == 2


def test_only_unusual_numbers_of_records_are_warned_of(caplog, monkeypatch):
  info = dataset_info.DatasetInfo('cityscapes', 19, 255, splits={
      'train': dataset_info.SplitInfo(2975), 'val': dataset_info.SplitInfo(499),
      'test': dataset_info.SplitInfo(3)})
  monkeypatch.setattr(builder, 'build_dataset', lambda *args: info)
  with caplog.at_level(logging.INFO, logger='absl'):
    builder.build_published_set(specs.of_published_set(
        'cityscapes', dict.fromkeys(['val', 'train', 'test']), 1), 'out')
  assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
      ('WARNING', "Split 'val' has 499 records; the published cityscapes has 500."),
      ('INFO', 'Records of cityscapes (3 test, 2975 train, 499 val): out')]
