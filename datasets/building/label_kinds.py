"""The kinds of labels that build_custom_data.py reads: a row of `KINDS` each.

A new kind is a row, whose key is the flag that holds its file or folder. Flags that it reads
besides are rows of `Request`; build_custom_data.py declares them.
"""
import collections
import shlex
import typing

from absl import logging

from deeplab.core import settings
from deeplab.core.settings import Setting
from deeplab.core.usage import UsageError
from deeplab.datasets.building import listing
from deeplab.datasets.labels import (
    class_names,
    coco_labels,
    datumaro_labels,
    label_sources,
    labelme,
    yolo_labels,
)
from deeplab.datasets.labels.class_names import BACKGROUND, BACKGROUND_NAMES, IGNORE_NAMES

FLAGS_OF_KINDS = 'images and labels'

_NEGATIVES_HINT = ' Or take them as images without objects with --negatives.'
_SKIP_HINT = ' Or leave them out with --on_error=skip.'


@settings.record
class Request(object):
  """What is asked for; the flags are those that only some kinds of labels read."""
  path = Setting(None, 'File or folder of the labels; None: images without labels.')
  image_dir = Setting(None, 'Folder of the images.')
  names = Setting(None, 'Stems of the images to take, in this order; None: all.')
  class_names = Setting(None, 'Names given for the class ids, or None.')
  colors = Setting(None, 'List of [r, g, b] per class id, or None.')
  ignore_label = Setting(None, 'Label value of pixels that do not count.')
  on_error = Setting(None, "'stop' or 'skip', see `listing.find_pairs`.")
  color_map = Setting(
      None, 'CSV file of lines name,r,g,b, or a labelmap.txt of CVAT: what the colours in '
      '--label_dir mean. Class ids follow the lines; lines called `ignore` do not count. Default: '
      'labels are class ids.', str, group=FLAGS_OF_KINDS)
  reduce_zero_label = Setting(
      False, 'The values 1..num_classes in --label_dir are the classes, which become '
      '0..num_classes-1, and 0 stands for pixels without label, which do not count.')
  label_suffix = Setting(
      None, 'What names of label files end in behind the name of their image, such as _mask; or '
      'with the extension, such as _L.png, .png. With it, labels may lie in --image_dir. Default: '
      'nothing.', str)
  image_suffix = Setting(
      None, 'What names of images end in, likewise, such as _sat for 7_sat.jpg of 7_mask.png. '
      'Default: nothing.', str)
  unlabelled = Setting(
      None, 'Name of the class of pixels without annotation, or `ignore`; not for --label_dir. '
      'Default: class 0 if it is called background, else ignore.', str)
  negatives = Setting(
      False, 'Takes images without annotation file or entry as images without objects. Default: '
      'they are errors.')
  boxes_as_areas = Setting(
      False, 'Paints the boxes of annotations that have no outline, in --coco_json, --yolo_dir and '
      '--datumaro_path. Default: they are left out, counted and named.')
  line_width = Setting(
      10, 'Width of lines and points in --labelme_dir and --datumaro_path, in pixels.', at_least=1)
  datumaro_format = Setting(
      None, 'Name that datumaro has for the format of --datumaro_path, such as cvat. Default: '
      'found by the files.', str)


class Labelled(typing.NamedTuple):
  """The examples of a folder, and names and colours of classes, None where labels do not say."""
  examples: typing.List
  class_names: typing.Optional[typing.List[str]]
  colors: typing.Optional[typing.List[typing.List[int]]]


class Kind(typing.NamedTuple):
  """A kind of labels: function of a Request that returns the Labelled, or raises ValueError.

  `flags` are those that it reads besides; others of `FLAGS_OF_SOME` have no effect on it.
  """
  read: typing.Callable
  flags: typing.Tuple[str, ...] = ()


def _pictures(request):
  examples = listing.find_pairs(
      request.image_dir, request.path, request.names, request.on_error,
      endings=_endings(request))
  wanted, color_map = request.class_names, request.color_map
  if not color_map:
    return Labelled(examples, wanted, request.colors)
  if request.reduce_zero_label:
    raise UsageError('--reduce_zero_label is for labels that are class ids. With --color_map, '
                     'lines called ignore do not count.')
  table = class_names.read_color_table(color_map, request.ignore_label)
  if wanted and wanted != table.class_names:
    raise ValueError('--class_names (%s) and %s (%s) differ; leave out --class_names.'
                     % (', '.join(wanted), color_map, ', '.join(table.class_names)))
  examples = [item._replace(label=label_sources.ColorPicture(item.label, table.colors, table.ids))
              for item in examples]
  return Labelled(examples, table.class_names, table.class_colors)


def _labelme(request):
  pairs = _annotated_pairs(request, ('.json',))
  wanted = request.class_names
  if not wanted:
    raise UsageError('--labelme_dir needs --class_names. %s' % _labels_found(pairs))
  pens = labelme.Pens(tuple((name, i) for i, name in enumerate(wanted)), request.ignore_label,
                      request.line_width, request.on_error == 'skip')
  return _annotated(request, pairs, wanted,
                    lambda path, unlabelled: labelme.LabelmeLabel(path, pens, unlabelled))


def _labels_found(pairs):
  """Returns a sentence on the labels in the labelme files of Examples, with a flag to paste."""
  counts = labelme.count_labels(item.label for item in pairs if item.label)
  names = sorted(name for name in counts
                 if name not in BACKGROUND_NAMES + IGNORE_NAMES)
  return 'Labels found (number of shapes): %s. For example: --class_names=%s' % (
      ', '.join('%s (%d)' % (name, counts[name]) for name in sorted(counts)) or 'none',
      shlex.quote(','.join(['background'] + names)))


def _datumaro(request):
  return _coco(request, datumaro_labels.read_content(
      request.path, request.datumaro_format, request.line_width))


def _coco(request, content=None):
  annotations = coco_labels.CocoFile(
      request.path, request.class_names, request.ignore_label, request.boxes_as_areas,
      content)
  present = listing.files_by_stem(request.image_dir, listing.IMAGE_SUFFIXES, 'images')
  names, listed = request.names, annotations.stems()
  if request.on_error == 'stop' and not request.negatives:
    listing.require_all(names or sorted(present), set(listed), request.path, 'entry', 'images',
                        _NEGATIVES_HINT)
  if request.on_error == 'stop' and names is None:
    listing.require_all(listed, present, request.image_dir, 'image',
                        'images that %s lists' % request.path, _SKIP_HINT)
  # What is only an image or only an entry is skipped, and listed.
  examples = listing.find_pairs(request.image_dir, None, names or sorted(set(present).union(
      listed)), request.on_error)
  with_labels = set(listed if request.negatives else [item.name for item in examples])
  return _annotated(
      request, [item._replace(label=item.name if item.name in with_labels else None)
                for item in examples], annotations.class_names, annotations.label)


def _yolo(request):
  images = listing.files_by_stem(request.image_dir, listing.IMAGE_SUFFIXES, 'images')
  labels = listing.files_by_stem(request.path, ('.txt',), 'labels')
  if request.names is None:
    lists = set(yolo_labels.NAME_STEMS).difference(images)
    request = request._replace(names=sorted(set(images).union(labels).difference(lists)))
  pairs = _annotated_pairs(request, ('.txt',))
  wanted, classes = _yolo_classes(request, pairs)
  return _annotated(request, pairs, wanted, lambda path, unlabelled: yolo_labels.YoloLabel(
      path, classes, unlabelled, request.boxes_as_areas))


def _yolo_classes(request, pairs):
  """Returns (class names, classes of a YoloLabel)."""
  names, source = yolo_labels.find_names(request.path)
  wanted = request.class_names
  if names is None and not wanted:
    counts = yolo_labels.count_numbers(item.label for item in pairs if item.label)
    raise UsageError('--yolo_dir needs --class_names, or data.yaml or classes.txt beside the '
                     'labels or above. Class numbers found (number of lines): %s.' % (
                         ', '.join('%d (%d)' % item for item in sorted(counts.items()))))
  if names is None:
    # The numbers of YOLO are those of objects.
    names = dict(enumerate(name for name in wanted if name not in BACKGROUND_NAMES))
    source = '--class_names'
  wanted = wanted or [BACKGROUND] + [
      name for name in collections.OrderedDict.fromkeys(name for _, name in sorted(names.items()))
      if name not in BACKGROUND_NAMES + IGNORE_NAMES]
  ids = dict.fromkeys(IGNORE_NAMES, request.ignore_label)
  ids.update((name, i) for i, name in enumerate(wanted))
  if not set(names.values()).intersection(wanted):
    raise ValueError('%s: none of its classes %s is among --class_names: %s.' % (
        source, ', '.join(names.values()), ', '.join(wanted)))
  logging.info('Class numbers by %s: %s.', source, ', '.join(
      '%d %s%s' % (number, name, '' if name in ids else ' (not painted)')
      for number, name in sorted(names.items())))
  return wanted, tuple((number, name, ids.get(name)) for number, name in sorted(names.items()))


def _annotated_pairs(request, suffixes):
  """Returns Examples whose label is the file that annotates them; None: none, with --negatives."""
  endings = _endings(request)
  if not request.negatives:
    return listing.find_pairs(request.image_dir, request.path, request.names, request.on_error,
                              suffixes, endings)
  labels = listing.files_by_stem(request.path, suffixes, 'labels', endings.label)
  names = request.names or sorted(set(labels).union(listing.files_by_stem(
      request.image_dir, listing.IMAGE_SUFFIXES, 'images', endings.image)))
  pairs = listing.find_pairs(request.image_dir, None, names, request.on_error, endings=endings)
  return [item._replace(label=labels.get(item.name)) for item in pairs]


def _endings(request):
  return listing.Endings(request.image_suffix or '', request.label_suffix or '')


def _annotated(request, examples, names, make):
  """Returns the Labelled of Examples with the sources `make(label, id of unlabelled pixels)`."""
  unlabelled = _unlabelled(request, names)
  return Labelled([item._replace(label=label_sources.Unannotated(item.image_path, unlabelled)
                                 if item.label is None else make(item.label, unlabelled))
                   for item in examples], names, request.colors)


def _unlabelled(request, names):
  """Returns the id of pixels without annotation."""
  name = request.unlabelled
  if name is None:
    name = names[0] if names[0] in BACKGROUND_NAMES else 'ignore'
  if name not in names and name not in IGNORE_NAMES:
    raise UsageError('--unlabelled=%s is not one of the classes %s, nor ignore.'
                     % (name, ', '.join(names)))
  if request.negatives and name not in names:
    raise UsageError('--negatives: images without annotation would not count at all, because '
                     'pixels without annotation are `ignore`. Name their class: --unlabelled=...')
  logging.info('Pixels without annotation are %r.', name)
  return names.index(name) if name in names else request.ignore_label


_ENDINGS = ('label_suffix', 'image_suffix')

# The first is read where none is given, for images without labels.
KINDS = {
    'label_dir': Kind(_pictures, ('color_map', 'reduce_zero_label') + _ENDINGS),
    'labelme_dir': Kind(_labelme, ('unlabelled', 'negatives', 'line_width') + _ENDINGS),
    'coco_json': Kind(_coco, ('unlabelled', 'negatives', 'boxes_as_areas')),
    'yolo_dir': Kind(_yolo, ('unlabelled', 'negatives', 'boxes_as_areas')),
    'datumaro_path': Kind(_datumaro, ('datumaro_format', 'unlabelled', 'negatives',
                                      'boxes_as_areas', 'line_width')),
}
# Flag -> keys of the kinds that read it, of the flags that not all of them do.
FLAGS_OF_SOME = {flag: [key for key, other in KINDS.items() if flag in other.flags]
                 for kind in KINDS.values() for flag in kind.flags}
