"""Lists the image/label pairs of raw datasets and divides them into splits."""
import collections
import contextlib
import os
import random
import re
import typing

from absl import logging

from deeplab.core.storage import errors, files
from deeplab.core.usage import UsageError
from deeplab.datasets.building.spec import STOP, Example
from deeplab.datasets.labels.label_sources import shown

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
LABEL_SUFFIXES = ('.png', '.bmp', '.tif', '.tiff')
_HINT_SHARE = 4  # Endings are told of where every fourth name has one at least.
_SEPARATORS = re.compile(r'[\s,;]+')
# What lists of one class of VOC say of an image; the last one: it does not show the class.
_MEMBERS, _NOT_A_MEMBER = ('0', '1'), '-1'


class Endings(typing.NamedTuple):
  """What files of images and of labels are called behind the name that they share.

  Such as '_mask', or with the extension: '_mask.png', '.png'; '': nothing.
  """
  image: str = ''
  label: str = ''


NO_ENDINGS = Endings()


class Files(typing.NamedTuple):
  """Files of one kind."""
  what: str  # What one of them is, e.g. 'label'.
  folder: str  # Where they are.
  paths: typing.Dict[str, typing.Any]  # Dict, name of the record -> path; or its label source.


def find_pairs(image_dir, label_dir, names=None, on_error=STOP, label_suffixes=LABEL_SUFFIXES,
               endings=NO_ENDINGS):
  """Returns the Examples of the files of the same name in two folders, sorted by name.

  Args:
    image_dir: folder of images.
    label_dir: folder of label maps, one per image; another folder than image_dir unless `endings`
      tell labels from images. None: images without labels.
    names: names to take, in this order, e.g. of a split list; None: all.
    on_error: 'stop', or 'skip' to return pairs of which one file is missing too: the builder then
      counts and lists them.
    label_suffixes: file name extensions of labels, lower case.
    endings: Endings; without them a name is that of the file without extension.

  Raises ValueError if a folder is missing or has no files, a name is there twice, an image is its
  own label, no image has a label, and with 'stop' an image has none, or (without `names`) a label
  has no image.
  """
  is_one_folder = label_dir is not None and (
      os.path.isdir(image_dir) and os.path.isdir(label_dir)
      and os.path.samefile(image_dir, label_dir))
  if is_one_folder and not any(endings) and set(label_suffixes).intersection(IMAGE_SUFFIXES):
    raise ValueError(
        'Images and labels are in the same folder %r: images would be their own labels. Say what '
        'the names of labels end in with --label_suffix, such as _mask, or .png beside images of '
        'another kind.%s' % (image_dir, _ending_hint(*[stems(image_dir)] * 2)))
  other = Endings(endings.label, endings.image) if is_one_folder else NO_ENDINGS
  images = files_by_stem(image_dir, IMAGE_SUFFIXES, 'images', endings.image, other.image)
  labels = {} if label_dir is None else files_by_stem(
      label_dir, label_suffixes, 'labels', endings.label, other.label)
  _require_two_files(images, labels)
  if label_dir and not set(images).intersection(labels):
    on_error = 'stop'
  files_of_kinds = (Files('image', image_dir, images),
                    Files('label', label_dir, labels) if label_dir else None)
  hint = _ending_hint(images, labels)
  if names is None:
    return sorted(join(None, *files_of_kinds, on_error, hint=hint), key=lambda item: item.name)
  return join([_as_present(name, images, endings) for name in names], *files_of_kinds, on_error,
              ('names wanted', 'images'), hint)


def join(names, images, labels, on_error, sources=('labels', 'images'), hint=''):
  """Returns the Examples of `names`; None: of all images, then of labels alone.

  `images` and `labels` are Files; labels None: images without labels. `sources` is what asks for
  images and what for labels, and `hint` more sentences, each after a blank, for the message. Raises
  ValueError if with `on_error` 'stop' a file is missing; 'skip' takes a path that is not there.
  """
  kinds = [kind for kind in (images, labels) if kind]
  if names is None:  # There must be a label for every image, and an image for every label.
    needs = zip(kinds[::-1], [list(kind.paths) for kind in kinds], sources[::-1])
    names = list(images.paths) + sorted(set(kinds[-1].paths).difference(images.paths))
  else:
    needs = zip(kinds, (names, names), sources)
  for kind, wanted, source in needs if on_error == 'stop' else ():
    require_all(wanted, kind.paths, kind.folder, kind.what, source, hint)
  return [Example(name, *(kind.paths.get(name) or absent_path(kind.folder, name)
                          for kind in kinds)) for name in names]


def absent_path(folder, name):
  """Returns a path for messages about a file that is missing, its suffix left open."""
  return os.path.join(folder, name + '.*')


def require_all(wanted, present, folder, what, source, hint=''):
  """Raises ValueError if names are not `present` in `folder`; says how many, shows some.

  `what` is missing, e.g. 'label', and `source` asks for it, e.g. 'images'; `hint` is more sentences
  for the message, each after a blank.
  """
  missing = [name for name in wanted if name not in present]
  if missing:
    raise ValueError('%r has no %s for %d of %d %s: %s. Add the files or take the others away.%s'
                     % (folder, what, len(missing), len(wanted), source, _reprs(missing), hint))


def files_by_stem(folder, suffixes, what, ending='', other_ending=''):
  """Returns a dict, name -> path, of the files with these suffixes (lower case).

  `what` says what the files are, for messages. Names are followed by `ending`, without or with
  extension (`Endings`), and not by `other_ending`, unless this is ''. Raises ValueError if there is
  no such folder, no such file in it, or two files of the same name.
  """
  if not os.path.isdir(folder):
    raise ValueError('Folder of %s %r does not exist.' % (what, folder))
  found, others = {}, []
  for name in sorted(os.listdir(folder)):
    if os.path.splitext(name)[1].lower() not in suffixes or name.startswith('.'):
      continue
    stem = _name_of(name, ending)
    if stem is None or (other_ending and _name_of(name, other_ending) is not None):
      others.append(name)
      continue
    if stem in found:
      raise ValueError('Folder %r holds two files called %r: %s and %s. Keep one of them.'
                       % (folder, stem, os.path.basename(found[stem]), name))
    found[stem] = os.path.join(folder, name)
  if not found:
    raise ValueError('Folder %r holds no %s (%s).' % (folder, what, ', '.join(
        '*%s%s' % (ending, suffix) for suffix in suffixes) if ending else ', '.join(suffixes)))
  if others and not other_ending:
    logging.warning('%d files in %r are left out: their names do not end in %s: %s.',
                    len(others), folder, ending, _reprs(others))
  return found


def stems(folder):
  """Returns the names without extension of all images of a folder, [] where there is none."""
  names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
  return [os.path.splitext(name)[0] for name in names
          if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES]


def read_split_list(path, present=()):
  """Returns the record names of a split list: one per line, blank lines apart.

  Folders and image extensions are cut off. A second column may name the label, or be the 1 or 0 of
  lists of one class of VOC, whose lines with -1 are left out. Lines that are a name in `present`
  are not divided into columns. Raises ValueError if the file cannot be read, is empty, or names a
  record twice.
  """
  with errors.told('Split list %r cannot be read' % path):
    lines = [line for line in files.read_lines(path) if line]
  names = [_listed(line, present) for line in lines]
  num_out = names.count(None)
  if num_out:
    logging.warning('Split list %r: %d lines with %s are left out.', path, num_out, _NOT_A_MEMBER)
  names = [name for name in names if name is not None]
  if not names:
    raise ValueError('Split list %r is empty.' % path)
  repeated = sorted(name for name, n in collections.Counter(names).items() if n > 1)
  if repeated:
    raise ValueError('Split list %r names %s more than once.' % (path, _reprs(repeated)))
  return names


def split_by_fractions(examples, fractions, seed):
  """Returns a dict, split name -> list of examples: a seeded shuffle, cut by fractions.

  `fractions` is a dict or list of pairs, split name -> fraction. The same seed and examples in the
  same order give the same splits. Raises ValueError if fractions are not positive with sum 1, or
  leave a split empty.
  """
  fractions = list(dict(fractions).items())
  total = sum(fraction for _, fraction in fractions)
  if not (all(fraction > 0 for _, fraction in fractions) and abs(total - 1) < 1e-6):
    raise UsageError('Split fractions must be positive with sum 1, got %s.' % ', '.join(
        '%s=%s' % pair for pair in fractions))
  shuffled = list(examples)
  random.Random(seed).shuffle(shuffled)
  splits, begin, upto = {}, 0, 0.0
  for split, fraction in fractions:
    upto += fraction
    end = int(upto * len(shuffled) + 1e-6)
    splits[split] = shuffled[begin:end]
    begin = end
    if not splits[split]:
      raise ValueError('Split %r is empty: %d examples are too few for the fraction %s.'
                       % (split, len(shuffled), fraction))
  return splits


def _listed(line, present):
  """Returns the record name in a line of a split list; None: it says that it is not meant."""
  whole, cells = _stem(line), _SEPARATORS.split(line)
  if whole in present or len(cells) != 2:
    return whole
  first, second = _stem(cells[0]), cells[1]
  if second == _NOT_A_MEMBER:
    return None
  is_pair = (first in present or second in _MEMBERS or _stem(second).startswith(first)
             or all(os.path.splitext(cell)[1].lower() in IMAGE_SUFFIXES for cell in cells))
  return first if is_pair else whole


def _stem(line):
  stem, suffix = os.path.splitext(os.path.basename(line))
  return stem if suffix.lower() in IMAGE_SUFFIXES else stem + suffix


def _name_of(file_name, ending):
  """Returns what is before an ending, or None where a file name has another one."""
  stem = os.path.splitext(file_name)[0]
  if not ending:
    return stem
  return next((text[:-len(ending)] for text in (file_name, stem)
               if text.endswith(ending) and text != ending), None)


def _as_present(name, images, endings):
  """Returns the name of an image that a list may name with an ending."""
  shorter = [_name_of(name + '.', ending) for ending in endings if ending]
  return next((each for each in [name] + shorter if each in images), name)


def _require_two_files(images, labels):
  """Raises ValueError if an image is its own label, by whatever links."""
  for name in sorted(set(images).intersection(labels)):
    with contextlib.suppress(OSError):  # What cannot be read is told of when it is.
      if os.path.samefile(images[name], labels[name]):
        raise ValueError('%s and %s are one file: an image cannot be its own label. Give the '
                         'folder of the label maps.' % (images[name], labels[name]))


def _ending_hint(images, labels):
  """Returns a sentence on the endings that names of labels or images seem to have, or ''."""
  for names, others, flag in ((labels, images, 'label'), (images, labels, 'image')):
    rests = collections.Counter(_rest(name, set(others)) for name in names)
    rests.pop('', None)
    for rest, count in rests.most_common(1):
      if _HINT_SHARE * count >= len(names):
        return ' Names seem to end so: --%s_suffix=%s' % (flag, rest)
  ends = [os.path.commonprefix([name[::-1] for name in names])[::-1] for names in (images, labels)]
  if all(ends) and {name[:-len(ends[0])] for name in images}.intersection(
      name[:-len(ends[1])] for name in labels):
    return ' Names seem to end so: --image_suffix=%s --label_suffix=%s' % tuple(ends)
  return ''


def _rest(name, others):
  """Returns what a name has more than the longest of `others` that it begins with, or ''."""
  cuts = (cut for cut in range(len(name) - 1, 0, -1) if name[:cut] in others)
  rest = name[next(cuts, len(name)):]
  return rest if not rest[:1].isdigit() else ''


def _reprs(names):
  return shown([repr(name) for name in names])
