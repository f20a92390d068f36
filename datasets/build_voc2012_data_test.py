"""Tests of the PASCAL VOC builder on a tiny tree in the public layout."""
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import registry
from deeplab.datasets.build_ade20k_data_test import assert_refused
from deeplab.datasets.records import example
from deeplab.testing import forked_scripts, tiny_trees


def _run(voc, out, *args):
  """Runs the builder; returns the Result."""
  return forked_scripts.run(
      'datasets/build_voc2012_data.py', '--num_processes=1', '--output_dir=%s' % out,
      '--image_folder=%s' % (voc / 'JPEGImages'),
      '--semantic_segmentation_folder=%s' % (voc / 'SegmentationClassRaw'),
      '--list_folder=%s' % (voc / 'ImageSets' / 'Segmentation'), *args)


def _check_records(out, split, names, ids, images):
  """Compares the records of a split with label maps and image folders, the first that has it."""
  records = tiny_trees.read_records(out, split)
  assert [example.record_name(record) for record in records] == list(names)
  for name, record in zip(names, records):
    np.testing.assert_array_equal(tiny_trees.label_of(record), ids[name])
    paths = [folder / (name + '.jpg') for folder in images]
    path = next(path for path in paths if path.exists())
    assert example.image_bytes(record) == path.read_bytes()


def test_every_list_is_a_split_of_the_palette_indices(tmp_path):
  ids = tiny_trees.make_voc(tmp_path / 'voc')
  result = _run(tmp_path / 'voc', tmp_path / 'out')
  assert result.code == 0, result.log
  assert 'the class ids are the palette indices in %s' % (
      tmp_path / 'voc' / 'SegmentationClass') in result.log
  assert "Split 'train' has 3 records; the published pascal_voc_seg has 1464." in result.log
  assert result.last_line.endswith(
      'Records of pascal_voc_seg (3 train, 5 trainval, 2 val): %s' % (tmp_path / 'out'))
  for split, names in tiny_trees.VOC_LISTS.items():
    _check_records(tmp_path / 'out', split, names, ids, [tmp_path / 'voc' / 'JPEGImages'])
  assert [os.path.basename(path) for path in registry.split_files(
      str(tmp_path / 'out'), 'trainval')] == [
          'trainval-0000%d-of-00003.tfrecord' % i for i in range(3)]
  row = registry.resolve(None, str(tmp_path / 'out'))
  published = registry.DATASETS['pascal_voc_seg']
  assert row.name == 'pascal_voc_seg' and row.colormap == 'pascal'
  assert (row.num_classes, row.ignore_label) == (21, 255)
  assert tuple(row.class_names) == published.class_names


def test_raw_class_ids_go_before_the_palette(tmp_path):
  voc = tmp_path / 'voc'
  ids = tiny_trees.make_voc(voc)
  (voc / 'SegmentationClassRaw').mkdir()
  for name in ids:
    ids[name] = np.roll(ids[name], 1, axis=0)
    Image.fromarray(ids[name]).save(str(voc / 'SegmentationClassRaw' / (name + '.png')))
  assert _run(voc, tmp_path / 'out').code == 0
  _check_records(tmp_path / 'out', 'val', tiny_trees.VOC_LISTS['val'], ids, [voc / 'JPEGImages'])
  record = tiny_trees.read_records(tmp_path / 'out', 'val')[0]
  raw = voc / 'SegmentationClassRaw' / (example.record_name(record) + '.png')
  assert example.label_bytes(record) == raw.read_bytes()


def test_train_aug_is_both_sets_without_val_and_takes_labels_of_voc_first(tmp_path):
  pytest.importorskip('scipy')
  voc, sbd = tmp_path / 'voc', tmp_path / 'sbd'
  ids = tiny_trees.make_voc(voc)
  expected = dict(tiny_trees.make_sbd(sbd), **ids)
  images = [voc / 'JPEGImages', sbd / 'img']
  result = _run(voc, tmp_path / 'out', '--sbd_dir=%s' % sbd)
  assert result.code == 0, result.log
  _check_records(tmp_path / 'out', 'train_aug', tiny_trees.TRAIN_AUG, expected, images)
  for split, names in tiny_trees.VOC_LISTS.items():
    _check_records(tmp_path / 'out', split, names, ids, images)
  # A list of that name decides about names and order.
  names = ('2008_000002', 'été 1')
  tiny_trees.write_list(str(voc / 'ImageSets' / 'Segmentation' / 'train_aug.txt'), names)
  assert _run(voc, tmp_path / 'listed', '--sbd_dir=%s' % sbd).code == 0
  _check_records(tmp_path / 'listed', 'train_aug', names, expected, images)
  result = _run(voc, tmp_path / 'without')
  assert result.code == 1 and "no image for 1 of 2 names in train_aug.txt" in result.last_line
  shutil.copy(str(sbd / 'img' / '2008_000002.jpg'), str(voc / 'JPEGImages'))
  result = _run(voc, tmp_path / 'without')
  assert result.code == 1 and 'come with --sbd_dir' in result.last_line, result.last_line


def test_a_test_list_needs_no_labels(tmp_path):
  voc = tmp_path / 'voc'
  tiny_trees.make_voc(voc)
  tiny_trees.write_list(str(voc / 'ImageSets' / 'Segmentation' / 'test.txt'), ['2008_000001'])
  assert _run(voc, tmp_path / 'out').code == 0
  record, = tiny_trees.read_records(tmp_path / 'out', 'test')
  assert example.record_name(record) == '2008_000001'
  assert example.label_bytes(record) == b''


def test_unusable_records_are_skipped_and_listed(tmp_path):
  voc = tmp_path / 'voc'
  tiny_trees.make_voc(voc)
  (voc / 'JPEGImages' / '2007_000039.jpg').unlink()
  (voc / 'SegmentationClass' / 'été 1.png').unlink()
  result = _run(voc, tmp_path / 'out', '--on_error=skip')
  assert result.code == 0, result.log
  assert len(tiny_trees.read_records(tmp_path / 'out', 'train')) == 1
  listed = (tmp_path / 'out' / 'skipped_train.txt').read_bytes().decode('utf-8').splitlines()
  assert [line.split('\t')[0] for line in listed] == ['2007_000039', 'été 1']


def _no_lists(voc):
  shutil.rmtree(str(voc / 'ImageSets'))


def _no_images(voc):
  shutil.rmtree(str(voc / 'JPEGImages'))


def _no_labels(voc):
  shutil.rmtree(str(voc / 'SegmentationClass'))


def _empty_list(voc):
  (voc / 'ImageSets' / 'Segmentation' / 'val.txt').write_text('\n')


def _absent_image(voc):
  (voc / 'JPEGImages' / '2007_000033.jpg').unlink()


def _absent_label(voc):
  (voc / 'SegmentationClass' / 'été 1.png').unlink()


def _out_of_range(voc):
  Image.fromarray(np.full(tiny_trees.SIZE, 21, np.uint8)).save(
      str(voc / 'SegmentationClass' / 'été 1.png'))


def _colors(voc):
  Image.open(str(voc / 'SegmentationClass' / 'été 1.png')).convert('RGB').save(
      str(voc / 'SegmentationClass' / 'été 1.png'))


def _cut_image(voc):
  path = voc / 'JPEGImages' / '2007_000033.jpg'
  path.write_bytes(path.read_bytes()[:200])


def _sbd_without_val_list(voc):
  tiny_trees.make_sbd(voc / 'sbd')
  (voc / 'ImageSets' / 'Segmentation' / 'val.txt').unlink()


@pytest.mark.parametrize('harm, args, message', [
    (_no_lists, (), 'Folder of split lists '),
    (_no_images, (), 'Folder of images '),
    (_no_labels, (), "SegmentationClassRaw' does not exist"),
    (_empty_list, (), "val.txt' is empty"),
    (_absent_image, (), "no image for 1 of 5 names in trainval.txt: '2007_000033'"),
    (_absent_label, (), "no label for 1 of 3 names in train.txt: 'été 1'"),
    (_out_of_range, (), 'été 1.png: label values 21 (600 pixels); expected 0..20, or 255'),
    (_colors, (), 'été 1.png is a colour picture'),
    (_cut_image, (), '2007_000033.jpg cannot be decoded'),
    (lambda voc: None, ('--sbd_dir=absent',), "Folder of images of --sbd_dir 'absent/img'"),
    (_sbd_without_val_list, ('--sbd_dir={}/sbd',),
     'has no val.txt, which --sbd_dir needs to make the split train_aug.'),
])
def test_bad_input_is_one_line_and_no_dataset(tmp_path, harm, args, message):
  tiny_trees.make_voc(tmp_path / 'voc')
  harm(tmp_path / 'voc')
  result = _run(tmp_path / 'voc', tmp_path / 'out', *[
      arg.format(tmp_path / 'voc') for arg in args])
  assert_refused(result, 'build_voc2012_data.py', message, tmp_path / 'out')
