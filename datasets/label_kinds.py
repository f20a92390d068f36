"""The kinds of labels that build_custom_data.py reads: a row of `KINDS` each.

A new kind is a row, whose key is the flag that holds its file or folder. Flags that it reads
besides are fields of `LabelOptions`; build_custom_data.py declares them.
"""
import typing

from absl import logging

from deeplab.datasets import class_names, coco_labels, label_sources, labelme, listing

_BACKGROUND_NAMES = ('background', '_background_')


class LabelOptions(typing.NamedTuple):
  """Values of the flags that only some kinds of labels read; the rows of `KINDS` name them."""
  color_map: typing.Optional[str]
  unlabelled: typing.Optional[str]


class Request(typing.NamedTuple):
  """What is asked for.

  Attributes:
    path: file or folder of the labels; None: images without labels.
    image_dir: folder of the images.
    names: stems of the images to take, in this order; None: all.
    class_names: names given for the class ids, or None.
    colors: list of [r, g, b] per class id, or None.
    ignore_label: label value of pixels that do not count.
    on_error: 'stop' or 'skip', see `listing.find_pairs`.
    options: LabelOptions.
  """
  path: typing.Optional[str]
  image_dir: str
  names: typing.Optional[typing.List[str]]
  class_names: typing.Optional[typing.List[str]]
  colors: typing.Optional[typing.List[typing.List[int]]]
  ignore_label: int
  on_error: str
  options: LabelOptions


class Labelled(typing.NamedTuple):
  """The examples of a folder and what is known of their classes.

  class_names and colors are None where the labels do not say.
  """
  examples: typing.List
  class_names: typing.Optional[typing.List[str]]
  colors: typing.Optional[typing.List[typing.List[int]]]


class Kind(typing.NamedTuple):
  """A kind of labels.

  Attributes:
    read: function of a Request that returns the Labelled; raises ValueError.
    flags: fields of LabelOptions that this kind reads; others have no effect on it.
  """
  read: typing.Callable
  flags: typing.Tuple[str, ...] = ()


def kinds_that_read(flag):
  """Returns the keys of the kinds that read a field of LabelOptions."""
  return [name for name, kind in KINDS.items() if flag in kind.flags]


def _pictures(request):
  examples = listing.find_pairs(request.image_dir, request.path, request.names, request.on_error)
  wanted, color_map = request.class_names, request.options.color_map
  if not color_map:
    return Labelled(examples, wanted, request.colors)
  table = class_names.read_color_table(color_map, request.ignore_label)
  if wanted and wanted != table.class_names:
    raise ValueError('--class_names (%s) and %s (%s) differ; leave out --class_names.'
                     % (', '.join(wanted), color_map, ', '.join(table.class_names)))
  examples = [item._replace(label=label_sources.ColorPicture(item.label, table.colors, table.ids))
              for item in examples]
  return Labelled(examples, table.class_names, table.class_colors)


def _labelme(request):
  wanted = request.class_names
  if not wanted:
    raise ValueError('--labelme_dir needs --class_names.')
  ids = [(name, i) for i, name in enumerate(wanted)]
  ids += [(name, request.ignore_label) for name in class_names.IGNORE_NAMES]
  unlabelled = _unlabelled(request, wanted)
  pairs = listing.find_pairs(request.image_dir, request.path, request.names, request.on_error,
                             ('.json',))
  return Labelled([item._replace(label=labelme.LabelmeLabel(item.label, tuple(ids), unlabelled))
                   for item in pairs], wanted, request.colors)


def _coco(request):
  annotations = coco_labels.CocoFile(request.path, request.class_names)
  unlabelled = _unlabelled(request, annotations.class_names)
  present = listing.files_by_stem(request.image_dir, listing.IMAGE_SUFFIXES, 'images')
  names = request.names
  if request.on_error == 'stop':
    listing.require_all(names or sorted(present), annotations.stems(), request.path, 'entry',
                        'images')
  # What is only an image or only an entry is skipped, and listed.
  wanted_images = names or sorted(set(present).union(annotations.stems()))
  examples = listing.find_pairs(request.image_dir, None, wanted_images, request.on_error)
  return Labelled([item._replace(label=annotations.label(item.name, unlabelled))
                   for item in examples], annotations.class_names, request.colors)


def _unlabelled(request, names):
  """Returns the id of pixels without annotation."""
  name = request.options.unlabelled
  if name is None:
    name = names[0] if names[0] in _BACKGROUND_NAMES else 'ignore'
  if name not in names and name not in class_names.IGNORE_NAMES:
    raise ValueError('--unlabelled=%s is not one of the classes %s, nor ignore.'
                     % (name, ', '.join(names)))
  logging.info('Pixels without annotation are %r.', name)
  return names.index(name) if name in names else request.ignore_label


# The first is read where none is given, for images without labels.
KINDS = {
    'label_dir': Kind(_pictures, ('color_map',)),
    'labelme_dir': Kind(_labelme, ('unlabelled',)),
    'coco_json': Kind(_coco, ('unlabelled',)),
}
