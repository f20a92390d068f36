"""Lists the image/label pairs of raw datasets and divides them into splits."""
import collections
import os
import random

from deeplab.datasets.spec import Example

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
LABEL_SUFFIXES = ('.png', '.bmp', '.tif', '.tiff')
_SHOWN_NAMES = 5


def find_pairs(image_dir, label_dir, names=None, on_error='stop', label_suffixes=LABEL_SUFFIXES):
  """Returns the Examples of the files of the same stem in two folders, sorted by stem.

  Args:
    image_dir: folder of images.
    label_dir: folder of label maps, one per image; another folder than image_dir. None:
      images without labels.
    names: stems to take, in this order, e.g. of a split list; None: all.
    on_error: 'stop', or 'skip' to return pairs of which one file is missing too: the builder
      then counts and lists them.
    label_suffixes: file name extensions of labels, lower case.

  Raises:
    ValueError: a folder is missing or has no files, a stem is there twice, and with 'stop'
      an image has no label, or (without `names`) a label has no image.
  """
  images = files_by_stem(image_dir, IMAGE_SUFFIXES, 'images')
  labels = {} if label_dir is None else files_by_stem(
      label_dir, label_suffixes, 'labels')
  wanted = sorted(set(images) | set(labels)) if names is None else names
  if on_error == 'stop':
    require_all(wanted, images, image_dir, 'image',
                'labels' if names is None else 'names wanted')
    if label_dir is not None:
      require_all(wanted, labels, label_dir, 'label', 'images')
  return [Example(name, images.get(name) or absent_path(image_dir, name),
                  labels.get(name) or (label_dir and absent_path(label_dir, name)))
          for name in wanted]


def absent_path(folder, name):
  """Returns a path for messages about a file that is missing, its suffix left open."""
  return os.path.join(folder, name + '.*')


def require_all(wanted, present, folder, what, source):
  """Raises ValueError if names are not `present` in `folder`; says how many, shows some.

  Args:
    wanted: names.
    present: container of names.
    folder: where they should be.
    what: what is missing, e.g. 'label'.
    source: what asks for them, e.g. 'images'.
  """
  missing = [name for name in wanted if name not in present]
  if missing:
    raise ValueError('%r has no %s for %d of %d %s: %s. Add the files or take the others away.'
                     % (folder, what, len(missing), len(wanted), source, _shown(missing)))


def files_by_stem(folder, suffixes, what):
  """Returns a dict, file name without extension -> path, of the files with these suffixes.

  Raises:
    ValueError: no such folder, no such file in it, or two files of the same stem.
  """
  if not os.path.isdir(folder):
    raise ValueError('Folder of %s %r does not exist.' % (what, folder))
  found = {}
  for name in sorted(os.listdir(folder)):
    stem, suffix = os.path.splitext(name)
    if suffix.lower() not in suffixes or name.startswith('.'):
      continue
    if stem in found:
      raise ValueError('Folder %r holds two files called %r: %s and %s. Keep one of them.'
                       % (folder, stem, os.path.basename(found[stem]), name))
    found[stem] = os.path.join(folder, name)
  if not found:
    raise ValueError('Folder %r holds no %s (%s).' % (folder, what, ', '.join(suffixes)))
  return found


def read_split_list(path):
  """Returns the record names of a split list: one per line, blank lines apart.

  Folders and image extensions are cut off.

  Raises:
    ValueError: the file cannot be read, is empty, or names a record twice.
  """
  try:
    with open(path, encoding='utf-8') as f:
      lines = [line.strip() for line in f]
  except (OSError, UnicodeDecodeError) as error:
    raise ValueError('Split list %r cannot be read: %s.' % (path, error)) from error
  names = [_stem(line) for line in lines if line]
  if not names:
    raise ValueError('Split list %r is empty.' % path)
  repeated = sorted(name for name, n in collections.Counter(names).items() if n > 1)
  if repeated:
    raise ValueError('Split list %r names %s more than once.' % (path, _shown(repeated)))
  return names


def split_by_fractions(examples, fractions, seed=0):
  """Returns a dict, split name -> list of examples: a seeded shuffle, cut by fractions.

  Args:
    examples: list, whose order matters for the result.
    fractions: dict or list of pairs, split name -> fraction; their sum must be 1.
    seed: int; the same seed and examples give the same splits.

  Raises:
    ValueError: fractions are not positive with sum 1, or leave a split empty.
  """
  fractions = list(dict(fractions).items())
  total = sum(fraction for _, fraction in fractions)
  if any(fraction <= 0 for _, fraction in fractions) or abs(total - 1) > 1e-6:
    raise ValueError('Split fractions must be positive with sum 1, got %s.' % ', '.join(
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


def _stem(line):
  stem, suffix = os.path.splitext(os.path.basename(line))
  return stem if suffix.lower() in IMAGE_SUFFIXES else stem + suffix


def _shown(names):
  more = ', ... (%d in all)' % len(names) if len(names) > _SHOWN_NAMES else ''
  return ', '.join(repr(name) for name in names[:_SHOWN_NAMES]) + more
