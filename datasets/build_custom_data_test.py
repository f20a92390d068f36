"""Tests of the script that builds any folder of images and labels, run as its users run it."""
import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import registry
from deeplab.datasets.records import dataset_info, example
from deeplab.testing import forked_scripts

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CAMVID = os.path.join(os.path.dirname(_ROOT), 'shared', 'data', 'camvid')
_SIZE = (6, 8)


def _run(*args, **env):
  """Runs the script; returns exit code and last line."""
  result = forked_scripts.run('datasets/build_custom_data.py', '--num_processes=1', *args, **env)
  return result.code, result.last_line


def _save(path, array):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(array).save(str(path))


def _make_pairs(folder, count, highest=2):
  """Makes pairs `b 0`, `b 1`, ... whose label maps are constant; returns the flags."""
  for i in range(count):
    _save(folder / 'images' / ('b %d.jpg' % i), np.full(_SIZE + (3,), 20 * i, np.uint8))
    _save(folder / 'labels' / ('b %d.png' % i), np.full(_SIZE, i % (highest + 1), np.uint8))
  return ['--image_dir=%s' % (folder / 'images'), '--label_dir=%s' % (folder / 'labels')]


def _labels(folder, split):
  """Returns a dict, record name -> label map."""
  return {example.record_name(record): np.array(Image.open(io.BytesIO(
      example.label_bytes(record)))) for path in registry.split_files(str(folder), split)
          for record in example.read_records(path)}


def test_two_splits_become_one_described_dataset(tmp_path):
  out = str(tmp_path / 'mydata')
  (tmp_path / 'classes.csv').write_text('name,r,g,b\nsky,1,2,3\nroad,4,5,6\ncar,7,8,9\n')
  (tmp_path / 'val.txt').write_text('b 2\nb 0\n')
  common = _make_pairs(tmp_path / 'raw', 5) + [
      '--output_dir=' + out, '--num_shards=2', '--class_names=%s' % (tmp_path / 'classes.csv')]
  code, line = _run(*common)
  assert code == 0, line
  code, line = _run('--split=val', '--split_list=%s' % (tmp_path / 'val.txt'), *common)
  assert code == 0, line
  row = registry.resolve(None, out)
  assert row == registry.DatasetDescriptor(
      {'train': 5, 'val': 2}, 3, 255, ['sky', 'road', 'car'],
      [[1, 2, 3], [4, 5, 6], [7, 8, 9]], None, 'mydata')
  assert list(_labels(out, 'val')) == ['b 2', 'b 0']


def test_fractions_divide_by_a_seeded_shuffle(tmp_path):
  args = _make_pairs(tmp_path / 'raw', 10) + ['--num_classes=3', '--num_shards=1',
                                              '--split_fractions=train=0.7,val=0.3']
  found = []
  for out, seed in (('a', 0), ('b', 0), ('c', 1)):
    result = _run('--output_dir=%s' % (tmp_path / out), '--seed=%d' % seed, *args)
    assert result[0] == 0, result[1]
    found.append([list(_labels(tmp_path / out, split)) for split in ('train', 'val')])
  assert found[0] == found[1] != found[2]
  assert len(found[0][0]) == 7 and sorted(found[0][0] + found[0][1]) == [
      'b %d' % i for i in range(10)]


def test_colour_pictures_become_class_ids(tmp_path):
  picture = np.zeros(_SIZE + (3,), np.uint8)
  picture[:3] = 128, 64, 0
  picture[3, 0] = 255, 255, 255
  _save(tmp_path / 'images' / 'a.png', picture)
  _save(tmp_path / 'colours' / 'a.png', picture)
  (tmp_path / 'map.csv').write_text('void,0,0,0\nroad,128,64,0\nignore,255,255,255\n')
  code, line = _run('--image_dir=%s' % (tmp_path / 'images'), '--output_dir=%s' % (tmp_path / 'o'),
                    '--label_dir=%s' % (tmp_path / 'colours'),
                    '--color_map=%s' % (tmp_path / 'map.csv'))
  assert code == 0, line
  expected = np.zeros(_SIZE, np.uint8)
  expected[:3] = 1
  expected[3, 0] = 255
  np.testing.assert_array_equal(_labels(tmp_path / 'o', 'train')['a'], expected)
  info = dataset_info.read(str(tmp_path / 'o'))
  assert (info.class_names, info.colormap) == (['void', 'road'], [[0, 0, 0], [128, 64, 0]])


def test_labelme_files_become_class_ids(tmp_path):
  _save(tmp_path / 'images' / 'a.png', np.zeros(_SIZE + (3,), np.uint8))
  (tmp_path / 'json').mkdir()
  (tmp_path / 'json' / 'a.json').write_text(json.dumps({'shapes': [
      {'label': 'tree', 'points': [[0, 0], [7, 0], [7, 2], [0, 2]]}]}))
  args = ['--image_dir=%s' % (tmp_path / 'images'), '--labelme_dir=%s' % (tmp_path / 'json')]
  for out, flags, rest in (('o', ['--class_names=background,tree'], 0),
                           ('p', ['--class_names=house,tree'], 255),
                           ('q', ['--class_names=house,tree', '--unlabelled=house'], 0)):
    code, line = _run('--output_dir=%s' % (tmp_path / out), *(args + flags))
    assert code == 0, line
    found = _labels(tmp_path / out, 'train')['a']
    assert (found[:3] == 1).all() and (found[3:] == rest).all(), out


def test_coco_annotations_become_class_ids(tmp_path):
  pytest.importorskip('pycocotools')
  _save(tmp_path / 'images' / 'a.png', np.zeros(_SIZE + (3,), np.uint8))
  (tmp_path / 'coco.json').write_text(json.dumps({
      'images': [{'id': 1, 'file_name': 'a.png', 'height': 6, 'width': 8}],
      'categories': [{'id': 9, 'name': 'cat'}],
      'annotations': [{'id': 1, 'image_id': 1, 'category_id': 9, 'iscrowd': 0,
                       'segmentation': [[0, 0, 8, 0, 8, 3, 0, 3]]}]}))
  code, line = _run('--image_dir=%s' % (tmp_path / 'images'), '--output_dir=%s' % (tmp_path / 'o'),
                    '--coco_json=%s' % (tmp_path / 'coco.json'))
  assert code == 0, line
  found = _labels(tmp_path / 'o', 'train')['a']
  assert (found[:3] == 1).all() and (found[3:] == 0).all()
  assert dataset_info.read(str(tmp_path / 'o')).class_names == ['background', 'cat']


def _make_coco(folder, num_images):
  """Makes images `a 0`, `a 1`, ... and a file of `a 0`, without annotations, and `gone`."""
  for i in range(num_images):
    _save(folder / 'images' / ('a %d.png' % i), np.full(_SIZE + (3,), 20 * i, np.uint8))
  (folder / 'coco.json').write_text(json.dumps({
      'images': [{'id': i, 'file_name': name, 'height': 6, 'width': 8}
                 for i, name in enumerate(('a 0.png', 'gone.png'))],
      'categories': [{'id': 9, 'name': 'cat'}], 'annotations': []}))
  (folder / 'list.txt').write_text('a 2\na 0\n')
  return ['--image_dir=%s' % (folder / 'images'), '--coco_json=%s' % (folder / 'coco.json'),
          '--output_dir=%s' % (folder / 'o')]


@pytest.mark.parametrize('split_list, skipped', [(False, ['a 1', 'a 2', 'gone']),
                                                 (True, ['a 2'])])
def test_images_without_an_entry_of_coco_are_skipped_and_listed(tmp_path, split_list, skipped):
  flags = _make_coco(tmp_path, 3) + ['--split_list=%s' % (tmp_path / 'list.txt')] * split_list
  code, line = _run(*flags)
  assert code == 1
  assert 'coco.json' in line and 'has no entry for ' in line and "'a 2'" in line
  result = forked_scripts.run('datasets/build_custom_data.py', '--num_processes=1',
                              '--on_error=skip', *flags)
  assert result.code == 0, result.last_line
  assert '%d of %d examples skipped' % (len(skipped), len(skipped) + 1) in result.log
  listed = (tmp_path / 'o' / 'skipped_train.txt').read_text().splitlines()
  assert [row.split('\t')[0] for row in listed] == skipped
  assert "coco.json has no entry for the image 'a 2'" in listed[-1 - ('gone' in skipped)]
  # Listed without annotations: all of it is background.
  assert (_labels(tmp_path / 'o', 'train')['a 0'] == 0).all()


def test_a_registered_name_finds_its_folder(tmp_path):
  config = str(tmp_path / 'config')
  args = _make_pairs(tmp_path / 'raw', 3)
  args += ['--output_dir=%s' % (tmp_path / 'street-scenes'), '--num_classes=3', '--register']
  code, line = _run(*args, XDG_CONFIG_HOME=config)
  assert code == 0 and '--dataset=street-scenes now finds it' in line, line
  result = forked_scripts.run('datasets/doctor.py', '--dataset=street-scenes',
                              XDG_CONFIG_HOME=config)
  assert "%s" % (tmp_path / 'street-scenes') in result.log
  assert 'doctor_report.json' in result.log


def test_skipped_examples_are_counted_and_listed(tmp_path):
  args = _make_pairs(tmp_path / 'raw', 6)
  images, labels = tmp_path / 'raw' / 'images', tmp_path / 'raw' / 'labels'
  (images / 'b 0.jpg').write_bytes(b'')
  (images / 'b 1.jpg').unlink()
  (labels / 'b 2.png').unlink()
  (labels / 'b 3.png').write_bytes((labels / 'b 3.png').read_bytes()[:40])
  result = forked_scripts.run('datasets/build_custom_data.py', '--on_error=skip',
                              '--output_dir=%s' % (tmp_path / 'o'), '--num_classes=3',
                              '--num_processes=1', *args)
  assert result.code == 0, result.log
  assert "Split 'train': 4 of 6 examples skipped" in result.log
  listed = (tmp_path / 'o' / 'skipped_train.txt').read_text().splitlines()
  assert [line.split('\t')[0] for line in listed] == ['b 0', 'b 1', 'b 2', 'b 3']
  for line, reason in zip(listed, ('is empty', 'cannot be read', 'cannot be read',
                                   'cannot be decoded')):
    assert reason in line
  assert list(_labels(tmp_path / 'o', 'train')) == ['b 4', 'b 5']


def _label_out_of_range(folder):
  _save(folder / 'labels' / 'b 1.png', np.full(_SIZE, 3, np.uint8))


def _wide_label(folder):
  _save(folder / 'labels' / 'b 1.png', np.full(_SIZE, 30000, np.uint16))


def _truncated_label(folder):
  path = folder / 'labels' / 'b 1.png'
  path.write_bytes(path.read_bytes()[:45])


def _empty_image(folder):
  (folder / 'images' / 'b 1.jpg').write_bytes(b'')


def _no_label(folder):
  (folder / 'labels' / 'b 1.png').unlink()


def _no_image(folder):
  (folder / 'images' / 'b 1.jpg').unlink()


def _other_size(folder):
  _save(folder / 'labels' / 'b 1.png', np.zeros((8, 6), np.uint8))


def _color_label(folder):
  _save(folder / 'labels' / 'b 1.png', np.random.RandomState(0).randint(
      0, 256, _SIZE + (3,)).astype(np.uint8))


@pytest.mark.parametrize('harm, message', [
    (_label_out_of_range, 'b 1.png: label values 3 (48 pixels); expected 0..2, or 255'),
    (_wide_label, 'label values 30000 (48 pixels)'),
    (_truncated_label, 'b 1.png cannot be decoded'),
    (_empty_image, 'b 1.jpg is empty (0 bytes)'),
    (_no_label, "has no label for 1 of 4 images: 'b 1'"),
    (_no_image, "has no image for 1 of 4 labels: 'b 1'"),
    (_other_size, 'sizes differ: image'),
    (_color_label, 'is a colour picture (RGB, 48 colours)'),
])
def test_unusable_files_are_one_line_and_no_dataset(tmp_path, harm, message):
  pairs = _make_pairs(tmp_path / 'raw', 4)
  harm(tmp_path / 'raw')
  result = forked_scripts.run('datasets/build_custom_data.py', '--num_processes=1',
                              '--output_dir=%s' % (tmp_path / 'out'), '--num_classes=3', *pairs)
  assert result.code == 1
  assert result.last_line.startswith('build_custom_data.py: error: ')
  assert message in result.last_line
  assert 'Traceback' not in result.log
  assert dataset_info.read(str(tmp_path / 'out')) is None


@pytest.mark.parametrize('args, message', [
    (['--image_dir=i', '--label_dir=l'], '--output_dir'),
    (['--image_dir=i', '--output_dir=o'],
     '--label_dir, --labelme_dir, --coco_json, --yolo_dir or --datumaro_path is required'),
    (['--image_dir=absent', '--label_dir=absent', '--output_dir=o', '--num_classes=2'],
     "'absent' does not exist"),
    (['--image_dir=i', '--label_dir=l', '--coco_json=c', '--output_dir=o'], 'exclude each other'),
    (['--image_dir=i', '--labelme_dir=l', '--output_dir=o'], "'i' does not exist"),
    (['--image_dir=i', '--labelme_dir=l', '--output_dir=o', '--boxes_as_areas'],
     '--boxes_as_areas has no effect: it is for --coco_json, --yolo_dir or --datumaro_path.'),
    (['--image_dir=i', '--label_dir=l', '--output_dir=o', '--unlabelled=c'],
     '--unlabelled=c has no effect: it is for --labelme_dir, --coco_json, --yolo_dir or '
     '--datumaro_path.'),
    (['--image_dir=i', '--coco_json=c', '--output_dir=o', '--color_map=x'],
     '--color_map=x has no effect: it is for --label_dir.'),
    (['--image_dir=i', '--coco_json=absent.json', '--output_dir=o'], 'absent.json'),
])
def test_unusable_command_lines_are_one_line(args, message):
  code, line = _run(*args)
  assert code == (1 if 'absent' in message or 'not exist' in message else 2)
  assert message in line


@pytest.mark.parametrize('args, message', [
    (['--num_classes=2', '--class_names=a,b,c'], '--num_classes=2, but there are 3 class names'),
    ([], '--num_classes is required where nothing names the classes'),
    (['--num_classes=3', '--split_fractions=train=0.7'], 'sum 1'),
    (['--num_classes=3', '--split_fractions=train'], 'must be like train=0.8,val=0.2'),
    (['--num_classes=3', '--split_fractions=a=0.1,b=0.9'], "Split 'a' is empty"),
    (['--num_classes=3', '--split_fractions=a=0.5,b=0.5', '--split=val'], 'excludes --split'),
    (['--class_names=a,b', '--color_map={}/map.csv'],
     'map.csv (void, road) differ; leave out --class_names.'),
])
def test_contradictions_are_one_line_and_nothing_is_written(tmp_path, args, message):
  pairs = _make_pairs(tmp_path / 'raw', 4)
  (tmp_path / 'map.csv').write_text('void,0,0,0\nroad,128,64,0\n')
  code, line = _run('--output_dir=%s' % (tmp_path / 'o'), *(
      pairs + [arg.format(tmp_path) for arg in args]))
  is_of_files = 'empty' in message or 'map.csv' in message
  assert code == (1 if is_of_files else 2)
  assert message in line, line
  assert not (tmp_path / 'o').exists()


@pytest.mark.skipif(not os.path.isdir(_CAMVID), reason='no ../shared/data/camvid')
def test_camvid_builds_with_one_command_per_split(tmp_path):
  out = str(tmp_path / 'camvid')
  for split in ('train', 'val'):
    code, line = _run(
        '--image_dir=' + os.path.join(_CAMVID, split),
        '--label_dir=' + os.path.join(_CAMVID, split + 'annot'),
        '--output_dir=' + out, '--num_classes=11', '--ignore_label=11', '--split=' + split)
    assert code == 0, line
  info = dataset_info.read(out)
  assert {s: i.num_examples for s, i in info.splits.items()} == {'train': 90, 'val': 30}
  assert info.splits['val'].image_sizes['max'] == [360, 480]
  assert info.splits['val'].num_ignored_pixels == 84134
