"""Tests of the builders of the Forma sets, run as programs on tiny raw folders."""
import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.datasets.forma import storage as forma_storage
from deeplab.datasets.records import dataset_info, example
from deeplab.datasets.sample_people import raw_folders
from deeplab.testing import forked_scripts

_NUM_CLASSES = len(registry.FORMA_CLASSES)
_IDS = {name: i for i, name in enumerate(registry.FORMA_CLASSES)}
_IGNORE = 255


def _samples(count=10, with_landmarks=False):
  """Returns samples whose labels are random patches; names have spaces and accents."""
  samples = []
  for i in range(count):
    random = np.random.RandomState(i)
    patches = random.randint(0, _NUM_CLASSES, (4, 3)).astype(np.uint8)
    image = random.randint(0, 256, (12, 9, 3)).astype(np.uint8)
    landmarks = random.randint(0, 9, (1, 18, 3)) if with_landmarks else None
    samples.append(raw_folders.Sample('été %02d' % i, image,
                                        np.kron(patches, np.ones((3, 3), np.uint8)), landmarks))
  return samples


def _build(script, storage, *flags):
  return forked_scripts.run('datasets/%s.py' % script, '--storage_dir=%s' % storage,
                            '--num_processes=1', *flags)


def _records(storage, name):
  """Returns a dict, split -> list of tf.train.Example."""
  folder = forma_storage.tfrecord_dir(str(storage), name)
  return {split: [record for path in registry.split_files(folder, split)
                  for record in example.read_records(path)]
          for split in dataset_info.read(folder).splits}


def _labels(records):
  """Returns a dict, stem of the record name -> label map."""
  return {os.path.splitext(os.path.basename(example.record_name(record)))[0]:
          np.array(Image.open(io.BytesIO(example.label_bytes(record))))
          for split in records.values() for record in split}


def _assert_labels(records, samples, expected=lambda labels: labels):
  found = _labels(records)
  assert sorted(found) == sorted(sample.name for sample in samples)
  for sample in samples:
    np.testing.assert_array_equal(found[sample.name], expected(sample.labels))


# --- humanparsing17k ---


def test_humanparsing_with_parts_has_every_class(tmp_path):
  samples = _samples()
  raw_folders.write_atr(str(tmp_path / 'raw'), samples)
  result = _build('build_humanparsing17k_data', tmp_path, '--raw_dir=%s' % (tmp_path / 'raw'),
                  '--parts_dir=%s' % (tmp_path / 'raw' / 'parts'))
  assert result.code == 0, result.log
  # Trousers come from the parts; what the release calls pants is garment below them.
  _assert_labels(_records(tmp_path, 'humanparsing17k'), samples)


def test_a_set_is_shared_by_tasks_and_listed_by_the_merge(tmp_path):
  samples = _samples()
  raw_folders.write_atr(str(tmp_path / 'raw'), samples)
  flags = ['--raw_dir=%s' % (tmp_path / 'raw'), '--parts_dir=%s' % (tmp_path / 'raw' / 'parts')]
  lists = tmp_path / 'datasets' / 'humanparsing17k' / 'dataset_split'
  for more in (['--num_tasks=2', '--task_index=1'], ['--num_tasks=2', '--task_index=0'],
               ['--merge']):
    assert not lists.exists()
    result = _build('build_humanparsing17k_data', tmp_path, *(flags + more))
    assert result.code == 0, result.log
  _assert_labels(_records(tmp_path, 'humanparsing17k'), samples)
  assert len((lists / 'train.txt').read_text(encoding='utf-8').splitlines()) == 8
  result = _build('build_humanparsing17k_data', tmp_path, flags[0], '--parts_model=frozen.pb',
                  '--merge')
  assert result.code == 2
  assert '--merge: --parts_model draws the parts of all images first' in result.last_line


def test_humanparsing_without_parts_has_sleeves_as_garment(tmp_path):
  samples = _samples()
  raw_folders.write_atr(str(tmp_path / 'raw'), samples)
  result = _build('build_humanparsing17k_data', tmp_path, '--raw_dir=%s' % (tmp_path / 'raw'))
  assert result.code == 0, result.log
  _assert_labels(
      _records(tmp_path, 'humanparsing17k'), samples,
      lambda labels: np.where(labels == _IDS['sleeves'], _IDS['garment'], labels))


# --- imaterialist37k ---


@pytest.fixture(scope='module', name='fashion')
def write_fashion(tmp_path_factory):
  folder = tmp_path_factory.mktemp('fashion')
  samples = _samples()
  raw_folders.write_fashion(str(folder), samples)
  return str(folder), samples


def test_imaterialist_with_parts_has_every_class(fashion, tmp_path):
  folder, samples = fashion
  result = _build('build_imaterialist37k_data', tmp_path, '--raw_dir=' + folder,
                  '--parts_dir=%s/parts' % folder)
  assert result.code == 0, result.log
  records = _records(tmp_path, 'imaterialist37k')
  _assert_labels(records, samples)
  # In the order of the names, without a shuffle.
  names = [example.record_name(record) for split in ('train', 'trainval', 'val')
           for record in records[split]]
  assert names == [sample.name for sample in samples]
  assert [len(records[split]) for split in ('train', 'trainval', 'val')] == [8, 1, 1]


def test_imaterialist_without_parts_ignores_what_is_not_clothes(fashion, tmp_path):
  folder, samples = fashion
  result = _build('build_imaterialist37k_data', tmp_path, '--raw_dir=' + folder)
  assert result.code == 0, result.log
  assert 'all pixels without clothes become ignore' in result.log
  unknown = [_IDS[name] for name in ('background', 'skin', 'hair', 'arms')]
  _assert_labels(_records(tmp_path, 'imaterialist37k'), samples,
                 lambda labels: np.where(np.isin(labels, unknown), _IGNORE, labels))


@pytest.mark.parametrize('old, new, message', [
    ('été 03.jpg,', 'été 99.jpg,', "has no row for 1 of 10 images: 'été 03'"),
    (',12,9,', ',9,12,', 'the masks are for 9x12 (height x width), the image is 12x9'),
    ('.jpg,', '.jpg,107 3 ', 'the run of 3 pixels from 107 lies outside of the 108 pixels'),
    ('.jpg,', '.jpg,x ', 'are not integers'),
    ('.jpg,', '.jpg,7 ', 'must be pairs of start and length'),
    ('EncodedPixels', 'Pixels', 'lacks the columns EncodedPixels'),
])
def test_unusable_tables_of_masks_are_one_line(tmp_path, old, new, message):
  raw = tmp_path / 'raw'
  raw_folders.write_fashion(str(raw), _samples())
  table = (raw / 'train.csv').read_bytes().decode('utf-8')
  assert old in table
  (raw / 'train.csv').write_bytes(table.replace(old, new).encode('utf-8'))
  result = _build('build_imaterialist37k_data', tmp_path, '--raw_dir=%s' % raw)
  assert result.code == 1 and message in result.last_line, result.log
  assert 'Traceback' not in result.log
  assert not os.path.exists(dataset_info.path_in(
      forma_storage.tfrecord_dir(str(tmp_path), 'imaterialist37k')))


# --- folders of images ---


def test_folder_sets_are_split_by_the_order_of_their_paths(tmp_path):
  samples = _samples()
  raw_folders.write_folders(str(tmp_path / 'raw'), samples)
  flags = ['--image_dir=%s' % (tmp_path / 'raw' / 'images'),
           '--label_dir=%s' % (tmp_path / 'raw' / 'labels'), '--num_train=7', '--num_trainval=2']
  for script, name in (('build_tryon1k_data', 'tryon1k'), ('build_nsfw1k_data', 'nsfw1k')):
    result = _build(script, tmp_path, *flags)
    assert result.code == 0, result.log
    records = _records(tmp_path, name)
    assert [example.record_name(record) for record in records['val']] == [
        str(tmp_path / 'raw' / 'images' / 'été 09.jpg')]
    assert [len(records[split]) for split in ('train', 'trainval', 'val')] == [7, 2, 1]
    without_garment = {'tryon1k': lambda labels: labels, 'nsfw1k': lambda labels: np.where(
        labels == _IDS['garment'], _IDS['skin'], labels)}[name]
    _assert_labels(records, samples, without_garment)


def test_tryon10k_is_all_of_train(tmp_path):
  samples = _samples(4)
  raw_folders.write_folders(str(tmp_path / 'raw'), samples)
  result = _build('build_tryon10k_data', tmp_path, '--image_dir=%s' % (tmp_path / 'raw/images'),
                  '--label_dir=%s' % (tmp_path / 'raw' / 'labels'))
  assert result.code == 0, result.log
  assert list(_records(tmp_path, 'tryon10k')) == ['train']
  lists = tmp_path / 'datasets' / 'tryon10k' / 'dataset_split'
  assert [len((lists / (split + '.txt')).read_bytes().splitlines())
          for split in ('train', 'trainval', 'val')] == [4, 0, 0]


@pytest.mark.parametrize('flags, message', [
    ((), 'There are no labels'),
    (('--label_dir={labels}', '--parts_dir={labels}'), 'leave out --parts_dir'),
    (('--label_dir={labels}',), "Split 'trainval' of 'tryon1k' is empty"),
    (('--label_dir={images}x',), 'does not exist'),
    (('--label_dir={labels}', '--landmarks_dir=absent'),
     "Folder of landmarks 'absent' does not exist."),
    (('--parts_model=frozen.pb', '--parts_dir={labels}'),
     '--parts_dir and --parts_model exclude each other.'),
    (('--parts_model=absent.pb',), '--parts_model=absent.pb cannot be read: No such file'),
    (('--parts_model=frozen.pb', '--storage_dir=file://{images}'),
     '--parts_model draws into --storage_dir, which is beyond this machine'),
])
def test_unusable_folders_are_one_line(tmp_path, flags, message):
  raw_folders.write_folders(str(tmp_path / 'raw'), _samples(3))
  images, labels = [str(tmp_path / 'raw' / kind) for kind in ('images', 'labels')]
  result = _build('build_tryon1k_data', tmp_path, '--image_dir=' + images,
                  *[flag.format(images=images, labels=labels) for flag in flags])
  is_of_files = any(word in message for word in ('exist', 'empty', 'No such'))
  assert result.code == (1 if is_of_files else 2)
  assert message in result.last_line, result.log
  assert not (tmp_path / 'datasets').exists()


# --- landmarks ---


def test_landmarks_travel_with_the_record_and_failures_stay_out(tmp_path):
  samples = _samples(with_landmarks=True)
  raw = tmp_path / 'raw'
  raw_folders.write_folders(str(raw), samples)
  (raw / 'landmarks' / 'été 01.json').write_text(json.dumps({'status': 'failure'}))
  (raw / 'landmarks' / 'été 02.json').unlink()
  result = _build('build_tryon10k_data', tmp_path, '--image_dir=%s' % (raw / 'images'),
                  '--label_dir=%s' % (raw / 'labels'), '--landmarks_dir=%s' % (raw / 'landmarks'))
  assert result.code == 0, result.log
  assert '1 examples without a file, 1 left out because their landmarks failed' in result.log
  records = _records(tmp_path, 'tryon10k_landmarks')['train']
  by_name = {os.path.basename(example.record_name(record)): record for record in records}
  assert len(records) == 9 and 'été 01.jpg' not in by_name
  assert example.landmarks_bytes(by_name['été 02.jpg']) == b''
  np.testing.assert_array_equal(
      example.parse_landmarks(example.landmarks_bytes(by_name['été 03.jpg'])),
      samples[3].landmarks)


def test_broken_landmarks_are_one_line(tmp_path):
  raw = tmp_path / 'raw'
  raw_folders.write_folders(str(raw), _samples(3, with_landmarks=True))
  (raw / 'landmarks' / 'été 01.json').write_text('{')
  result = _build('build_tryon10k_data', tmp_path, '--image_dir=%s' % (raw / 'images'),
                  '--label_dir=%s' % (raw / 'labels'), '--landmarks_dir=%s' % (raw / 'landmarks'))
  assert result.code == 1 and 'été 01.json cannot be read' in result.last_line, result.log


# --- parts drawn by a model ---


def _write_model(path, top_class=None):
  """Writes a frozen graph whose label is the red value divided by 29."""
  with tf.Graph().as_default() as graph:
    image = tf.placeholder(tf.uint8, [1, None, None, 3], name='ImageTensor')
    labels = tf.cast(image[..., 0], tf.int32) // 29
    if top_class is not None:
      labels += top_class
    tf.identity(labels, name='SemanticPredictions')
  with open(path, 'wb') as f:
    f.write(graph.as_graph_def().SerializeToString())


def _write_flat_images(folder, count=4):
  """Writes lossless pictures of one colour; returns their classes by the model above."""
  os.makedirs(folder)
  for i in range(count):
    Image.fromarray(np.full((5, 6, 3), 29 * i + 3, np.uint8)).save(
        os.path.join(folder, 'a b %d.png' % i))
  return {'a b %d' % i: i for i in range(count)}


def test_a_model_labels_images_that_have_no_labels(tmp_path):
  classes = _write_flat_images(str(tmp_path / 'images'))
  _write_model(str(tmp_path / 'frozen.pb'))
  flags = ['--image_dir=%s' % (tmp_path / 'images'), '--parts_model=%s' % (tmp_path / 'frozen.pb'),
           '--num_train=2', '--num_trainval=1']
  result = _build('build_tryon1k_data', tmp_path, *flags)
  assert result.code == 0, result.log
  for name, labels in _labels(_records(tmp_path, 'tryon1k')).items():
    np.testing.assert_array_equal(labels, np.full((5, 6), classes[name]))


def test_of_an_image_that_cannot_be_read_nothing_is_drawn_and_the_others_are_built(tmp_path):
  classes = _write_flat_images(str(tmp_path / 'images'))
  (tmp_path / 'images' / 'broken.png').write_bytes(b'no picture')
  _write_model(str(tmp_path / 'frozen.pb'))
  flags = ['--image_dir=%s' % (tmp_path / 'images'), '--parts_model=%s' % (tmp_path / 'frozen.pb'),
           '--num_train=2', '--num_trainval=1']
  result = _build('build_tryon1k_data', tmp_path, *flags)
  assert result.code == 1
  assert 'broken.png: not a readable picture' in result.log
  assert 'body parts could not be drawn, see above' in result.last_line
  result = _build('build_tryon1k_data', tmp_path, '--on_error=skip', *flags)
  assert result.code == 0, result.log
  assert sorted(_labels(_records(tmp_path, 'tryon1k'))) == sorted(classes)


def test_a_model_of_other_classes_is_one_line(tmp_path):
  _write_flat_images(str(tmp_path / 'images'))
  _write_model(str(tmp_path / 'frozen.pb'), top_class=7)
  result = _build('build_tryon1k_data', tmp_path, '--image_dir=%s' % (tmp_path / 'images'),
                  '--parts_model=%s' % (tmp_path / 'frozen.pb'))
  assert result.code == 1, result.log
  assert 'gives class 9; expected a model of the 9 classes of --dataset=forma54k' in result.log
  assert 'body parts could not be drawn, see above' in result.last_line


# --- the sources made of the sample people ---


def test_rendered_sources_build(tmp_path):
  result = forked_scripts.run('datasets/build_sample_forma_sources.py', '--num_pictures=10',
                              '--output_dir=%s' % (tmp_path / 'sources'))
  assert result.code == 0, result.log
  for script, flags in (
      ('build_humanparsing17k_data', ['--raw_dir={0}/atr', '--parts_dir={0}/atr/parts']),
      ('build_imaterialist37k_data', ['--raw_dir={0}/fashion', '--parts_dir={0}/fashion/parts']),
      ('build_forma54k_data', [])):
    result = forked_scripts.run('datasets/%s.py' % script, '--storage_dir=%s' % tmp_path, *[
        flag.format(tmp_path / 'sources') for flag in flags])
    assert result.code == 0, result.log
  assert 'forma54k: 16 train, 2 trainval, 2 val' in result.log
  present = np.unique(np.concatenate([
      labels.ravel() for labels in _labels(_records(tmp_path, 'forma54k')).values()]))
  assert present.tolist() == list(range(_NUM_CLASSES))
