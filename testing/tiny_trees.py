"""Makes tiny folders in the layouts of public datasets, and reads records and whole folders.

Every make_ function returns what the records must hold: a dict, record name -> [height, width]
uint8 class ids.
"""
import io
import os
import pathlib

import numpy as np
from PIL import Image

from deeplab.core import colormaps
from deeplab.datasets import registry
from deeplab.datasets.records import example

SIZE = (20, 30)
_VOC_LISTS = {
    'train': ('2007_000032', '2007_000039', 'été 1'),
    'val': ('2007_000033', '2007_000042'),
}
VOC_LISTS = dict(_VOC_LISTS, trainval=_VOC_LISTS['train'] + _VOC_LISTS['val'])
# Names of the Semantic Boundaries Dataset that VOC has too, and of its own.
SBD_LISTS = {'train': ('2007_000032', '2007_000033', '2008_000001'),
             'val': ('2007_000042', '2008_000002')}
TRAIN_AUG = ('2007_000032', '2007_000039', '2008_000001', '2008_000002', 'été 1')


def make_voc(voc_dir):
  """Makes JPEGImages, SegmentationClass (palette PNGs) and ImageSets/Segmentation.

  An image of SBD without a label in VOC, 2008_000001, lies in JPEGImages.
  """
  folder = os.path.join(str(voc_dir), 'JPEGImages')
  _save_image(os.path.join(folder, '2008_000001.jpg'), 100)
  found = {}
  for i, name in enumerate(VOC_LISTS['trainval']):
    found[name] = _ids(i, 21, 255)
    _save_image(os.path.join(folder, name + '.jpg'), i)
    label = Image.fromarray(found[name])
    label.putpalette(colormaps.interleaved_bits(256).ravel().tolist())
    _save(os.path.join(str(voc_dir), 'SegmentationClass', name + '.png'), label)
  for split, names in VOC_LISTS.items():
    write_list(os.path.join(str(voc_dir), 'ImageSets', 'Segmentation', split + '.txt'), names)
  return found


def make_sbd(sbd_dir):
  """Makes cls, img, train.txt and val.txt; needs SciPy."""
  from scipy import io
  found = {}
  for split, names in SBD_LISTS.items():
    write_list(os.path.join(str(sbd_dir), split + '.txt'), names)
    for i, name in enumerate(names):
      found[name] = _ids(200 + i, 21, 0)
      _save_image(os.path.join(str(sbd_dir), 'img', name + '.jpg'), 200 + i)
      os.makedirs(os.path.join(str(sbd_dir), 'cls'), exist_ok=True)
      io.savemat(os.path.join(str(sbd_dir), 'cls', name + '.mat'),
                 {'GTcls': {'Segmentation': found[name]}})
  return found


def make_cityscapes(root, with_train_ids=False):
  """Makes leftImg8bit and gtFine with the ids of the release, of splits train, val and test."""
  classes = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
  train_ids = np.full(256, 255, np.uint8)
  train_ids[list(classes)] = range(19)
  found = {}
  for i, (split, city, frame) in enumerate([
      ('train', 'ulm', '1'), ('train', 'bremen', '0'), ('train', 'bremen', '2'),
      ('val', 'münster', '0'), ('test', 'bonn', '0')]):
    name = '%s_00000%s_000019' % (city, frame)
    ids = _ids(i, 34, 33)
    found[name] = train_ids[ids]
    _save_image(os.path.join(str(root), 'leftImg8bit', split, city, name + '_leftImg8bit.png'), i)
    stem = os.path.join(str(root), 'gtFine', split, city, name + '_gtFine_')
    _save(stem + 'labelIds.png', Image.fromarray(ids))
    if with_train_ids:
      _save(stem + 'labelTrainIds.png', Image.fromarray(found[name]))
  return found


def make_ade20k(root):
  """Makes images and annotations of training and validation."""
  found = {}
  for folder, names in (('training', ['ADE_train_%08d' % i for i in range(1, 8)]),
                        ('validation', ['ADE_val_00000001', 'ADE_val_00000002'])):
    for i, name in enumerate(names):
      path = os.path.join(str(root), 'images', folder, name + '.jpg')
      found[path] = _ids(i, 151, 0)
      _save_image(path, i)
      _save(os.path.join(str(root), 'annotations', folder, name + '.png'),
            Image.fromarray(found[path]))
  return found


def read_records(folder, split):
  """Returns the records of a split, in order."""
  return [record for path in registry.split_files(str(folder), split)
          for record in example.read_records(path)]


def label_of(record):
  """Returns the class ids of a record as an array."""
  with Image.open(io.BytesIO(example.label_bytes(record))) as label:
    assert label.mode == 'L'
    return np.array(label)


def contents(folder):
  """Returns a dict: path below a folder -> the bytes of that file."""
  return {str(path.relative_to(folder)): path.read_bytes()
          for path in pathlib.Path(folder).rglob('*') if path.is_file()}


def write_list(path, names):
  """Writes a split list."""
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(path, 'w', encoding='utf-8') as f:
    f.write(''.join(name + '\n' for name in names))


def _ids(seed, num_ids, extra):
  ids = np.random.RandomState(seed).randint(0, num_ids, SIZE).astype(np.uint8)
  ids[:2] = extra
  return ids


def _save_image(path, seed):
  _save(path, Image.fromarray(
      np.random.RandomState(seed).randint(0, 256, SIZE + (3,)).astype(np.uint8)))


def _save(path, image):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  image.save(path)
