"""Builds the records of PASCAL VOC 2012.

    python3 ./datasets/build_voc2012_data.py --image_folder=VOCdevkit/VOC2012/JPEGImages ...

Every list in LIST_FOLDER is a split. Labels are PNGs of class ids or the palette PNGs of the
release. With --sbd_dir also the split train_aug is built: the images of the Semantic
Boundaries Dataset and of VOC's train, without VOC's val.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os

from absl import flags, logging

from deeplab.command_line import flag_groups, running
from deeplab.core import keys
from deeplab.datasets import build_data  # noqa: F401
from deeplab.datasets.building import builder, listing, spec
from deeplab.datasets.flags import building
from deeplab.datasets.labels import label_sources

FLAGS = flags.FLAGS

_NAME = 'pascal_voc_seg'
_NUM_SHARDS = 4
_TRAIN_AUG = 'train_aug'
_RAW_SUFFIX = 'Raw'

building.define_builder_flags()
flag_groups.begin('files')
flags.DEFINE_string('image_folder', './VOCdevkit/VOC2012/JPEGImages', 'Folder of the images.')
flags.DEFINE_string('semantic_segmentation_folder', './VOCdevkit/VOC2012/SegmentationClassRaw',
                    'Folder of the labels: PNGs of class ids, grey or with a palette. Where '
                    'SegmentationClassRaw is missing, SegmentationClass beside it is read.')
flags.DEFINE_string('list_folder', './VOCdevkit/VOC2012/ImageSets/Segmentation',
                    'Folder of the split lists, <split>.txt.')
flags.DEFINE_string('output_dir', './tfrecord', 'Folder of the records, made if absent.')
flags.DEFINE_string('sbd_dir', None,
                    'Folder benchmark_RELEASE/dataset of the Semantic Boundaries Dataset, with '
                    'cls, img, train.txt and val.txt: adds the split train_aug. Default: not used.')


def make_spec():
  """Returns the DatasetSpec of the flags; raises ValueError if a folder or file is missing."""
  paths = listing.files_by_stem(FLAGS.list_folder, ('.txt',), 'split lists')
  present = set(listing.stems(FLAGS.image_folder))
  splits = {split: listing.read_split_list(path, present) for split, path in paths.items()}
  images = listing.Files('image', FLAGS.image_folder, listing.files_by_stem(
      FLAGS.image_folder, listing.IMAGE_SUFFIXES, 'images'))
  folder = _label_folder()
  labels = listing.Files('label', folder, listing.files_by_stem(
      folder, listing.LABEL_SUFFIXES, 'labels'))
  augmented = images, labels
  if FLAGS.sbd_dir:
    augmented = _with_sbd(images, labels)
    if _TRAIN_AUG not in splits:
      splits[_TRAIN_AUG] = _train_aug_names(splits)
  return spec.of_published_set(_NAME, {
      split: _examples(split, names, *(augmented if split == _TRAIN_AUG else (images, labels)))
      for split, names in splits.items()}, _NUM_SHARDS)


def _label_folder():
  """Returns the folder of labels, or of palette PNGs where there are no others."""
  folder = os.path.normpath(FLAGS.semantic_segmentation_folder)
  with_palette = folder[:-len(_RAW_SUFFIX)]
  if not folder.endswith(_RAW_SUFFIX) or os.path.isdir(folder) or (  # local: raw pictures
      not os.path.isdir(with_palette)):  # local: raw pictures
    return folder
  logging.info('There is no %s: the class ids are the palette indices in %s.', folder,
               with_palette)
  return with_palette


def _with_sbd(images, labels):
  """Returns the Files of both sets; where both know an image, VOC's are taken."""
  sbd_images = listing.files_by_stem(os.path.join(FLAGS.sbd_dir, 'img'), listing.IMAGE_SUFFIXES,
                                     'images of --sbd_dir')
  sbd_labels = listing.files_by_stem(os.path.join(FLAGS.sbd_dir, 'cls'), ('.mat',),
                                     'labels of --sbd_dir')
  sources = {stem: label_sources.MatFile(path) for stem, path in sbd_labels.items()}
  return (images._replace(paths={**sbd_images, **images.paths}),
          labels._replace(paths={**sources, **labels.paths}))


def _train_aug_names(splits):
  """Returns the names of SBD's and VOC's train images, sorted, without those of VOC's val."""
  missing = [split for split in ('train', 'val') if split not in splits]
  if missing:
    raise ValueError('Folder %r has no %s.txt, which --sbd_dir needs to make the split %s.'
                     % (FLAGS.list_folder, missing[0], _TRAIN_AUG))
  names = set(splits['train'])
  for split in ('train', 'val'):
    names.update(listing.read_split_list(os.path.join(FLAGS.sbd_dir, split + '.txt')))
  return sorted(names.difference(splits['val']))


def _examples(split, names, images, labels):
  """Returns the Examples of a list; split test may have no labels."""
  sources = ('names in %s.txt' % split,) * 2
  if split == keys.TEST_SET:
    return [item._replace(label=labels.paths.get(item.name)) for item in listing.join(
        names, images, None, FLAGS.on_error, sources)]
  is_without_sbd = split == _TRAIN_AUG and not FLAGS.sbd_dir
  return listing.join(names, images, labels, FLAGS.on_error, sources, is_without_sbd * (
      ' Those of the Semantic Boundaries Dataset come with --sbd_dir.'))


def main(unused_argv):
  options = building.build_options()
  builder.build_published_set(make_spec(), FLAGS.output_dir, **options)


if __name__ == '__main__':
  running.run(main)
