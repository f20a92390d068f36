"""Scenes for tests of the panoptic metrics, and readers of pictures of segments."""
import os
import typing

import numpy as np
from PIL import Image

_TEST_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'testdata')

IGNORED = 0
NUM_CATEGORIES = 5
MAX_INSTANCES = 16
METRIC_ARGUMENTS = dict(num_categories=NUM_CATEGORIES, ignored_label=IGNORED,
                        max_instances_per_category=MAX_INSTANCES,
                        offset=(NUM_CATEGORIES + 1) * MAX_INSTANCES)


class Scene(typing.NamedTuple):
  """One image: ground truth and prediction."""
  # Four [height, width] integer arrays: category and instance of the ground truth, category and
  # instance of the prediction. Category `IGNORED` with instance 0 is void.
  arrays: tuple
  crowds: dict  # Dict from an instance of the ignored category to the category of its objects.


def random_scene(random, height=20, width=28, num_segments=9):
  """Returns a Scene of patches with void, crowds, and segments missing, moved, cut in two.

  `random` is a np.random.RandomState, sizes are in pixels; later patches are painted over earlier
  ones.
  """
  categories = np.full([height, width], IGNORED, np.int32)
  instances = np.zeros([height, width], np.int32)
  predicted = [categories.copy(), instances.copy()]
  crowds = {}
  for instance in range(1, num_segments + 1):
    category = random.randint(1, NUM_CATEGORIES)
    patch = _random_side(random, height), _random_side(random, width)
    kind = random.choice(['found', 'found', 'found', 'missing', 'cut', 'wrong', 'crowd',
                          'void'])
    is_crowd = kind == 'crowd'
    categories[patch] = IGNORED if is_crowd or kind == 'void' else category
    instances[patch] = 0 if kind == 'void' else instance
    if is_crowd:
      crowds[instance] = category
    if kind == 'missing':
      continue
    moved = tuple(slice(max(0, part.start + random.randint(-2, 3)),
                        max(1, part.stop + random.randint(-2, 3))) for part in patch)
    predicted[0][moved] = (random.randint(1, NUM_CATEGORIES) if kind in ('wrong', 'crowd')
                           else category)
    predicted[1][moved] = 16 - instance
    if kind == 'cut':
      left = slice(moved[1].start, (moved[1].start + moved[1].stop) // 2)
      predicted[1][moved[0], left] = 0
  return Scene((categories, instances, predicted[0], predicted[1]), crowds)


def _random_side(random, length):
  """Returns a slice, the rows or columns of a random rectangle."""
  size = random.randint(3, length * 2 // 3)
  start = random.randint(0, length - size + 1)
  return slice(start, start + size)


def masks(categories, instances):
  """Returns dict (category, instance) -> boolean mask, one by one."""
  keys = set(zip(np.ravel(categories).tolist(), np.ravel(instances).tolist()))
  return {key: (categories == key[0]) & (instances == key[1]) for key in keys}


def read_test_image(testdata_path, flatten=False, mode=None):
  """Returns a picture as an array.

  Args:
    testdata_path: absolute, or relative to `testdata` beside this file.
    flatten: whether the result is [height, width] float32, the lightness in 0..255.
    mode: mode of PIL to convert to, such as 'L' for uint8 grey or 'RGB'; None: that of the
      file, but colours of palettes instead of their indices, and grey of black and white.
  """
  with Image.open(os.path.join(_TEST_DIR, testdata_path)) as image:
    if mode is None and image.mode == 'P':
      mode = 'RGBA' if 'transparency' in image.info else 'RGB'
    image = image.convert(mode or image.mode)
    if flatten:
      image = image.convert('F')
    return np.asarray(image.convert('L') if image.mode == '1' else image)


def read_segmentation_with_rgb_color_map(image_testdata_path, rgb_to_semantic_label,
                                         output_dtype=None):
  """Returns the [height, width] labels of a picture whose colours stand for labels.

  The path is as in `read_test_image`; the table is a dict, (red, green, blue) -> label;
  output_dtype None: that of the labels. Raises ValueError if the picture has a colour that is not
  in the table.
  """
  image = read_test_image(image_testdata_path, mode='RGB')
  labels = np.zeros(image.shape[:2],
                    output_dtype or np.asarray(list(rgb_to_semantic_label.values())).dtype)
  is_known = np.zeros(image.shape[:2], bool)
  for color, label in rgb_to_semantic_label.items():
    has_color = (image == color).all(axis=2)
    labels[has_color] = label
    is_known |= has_color
  if not is_known.all():
    raise ValueError('%s has the colour %s, which is not in the table of labels.' % (
        image_testdata_path, tuple(image[~is_known][0].tolist())))
  return labels


def panoptic_segmentation_with_class_map(instance_testdata_path,
                                         instance_label_to_semantic_label):
  """Returns ([height, width] instances, [height, width] categories) of a picture of ids.

  The path is as in `read_test_image`; ids are the grey values, uint8. The table is a dict, instance
  id -> category. Raises ValueError unless the picture and the table have the same ids.
  """
  instances = read_test_image(instance_testdata_path, mode='L')
  present, known = set(np.unique(instances).tolist()), set(instance_label_to_semantic_label)
  if present != known:
    raise ValueError('%s has the ids %s, the table of categories has %s.' % (
        instance_testdata_path, sorted(present), sorted(known)))
  categories = np.zeros(instances.shape, np.uint8)
  for instance, category in instance_label_to_semantic_label.items():
    categories[instances == instance] = category
  return instances, categories
