"""Tests of the range that images of more than 8 bits are scaled by."""
import io

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import registry
from deeplab.datasets.building import builder
from deeplab.datasets.building.spec import Example
from deeplab.datasets.records import example, image_range


@pytest.fixture(name='make')
def fixture_make(tmp_path):
  """Returns a function from names and values to the Examples of such images."""
  def make(**images):
    examples = []
    for name, values in sorted(images.items()):
      path = str(tmp_path / (name + '.png'))
      Image.fromarray(np.atleast_2d(values)).save(path)
      examples.append(Example(name, path))
    return examples
  return make


def _wide(*values):
  return np.array(values, np.uint16)


def test_images_of_8_bits_need_no_range(make):
  splits = {'train': make(a=np.zeros((2, 2), np.uint8))}
  assert image_range.resolve(splits, None, None, 1) is None
  assert image_range.resolve(splits, None, [1, 9], 1) == [1, 9]
  with pytest.raises(ValueError, match='--image_range has no effect: it is for images of more'):
    image_range.resolve(splits, (0, 9), None, 1)


@pytest.mark.parametrize('highest', [40, 1023, 4095, 32767])
def test_values_that_do_not_fill_16_bits_are_told(make, highest):
  splits = {'train': make(a=_wide(100, highest), b=_wide(100, 50))}
  with pytest.raises(ValueError, match='2 images have more than 8 bits per channel, with values '
                     '%d..%d, .*--image_range=' % (min(50, highest), max(100, highest))):
    image_range.resolve(splits, None, None, 1)


def test_a_dark_image_among_others_is_no_mistake(make):
  splits = {'train': make(a=_wide(1, 2), b=_wide(0, 40000))}
  assert image_range.resolve(splits, None, None, 1) == [0, 65535]


def test_two_numbers_are_taken(make):
  splits = {'train': make(a=_wide(100, 800))}
  assert image_range.resolve(splits, (100, 800.5), None, 1) == [100, 800.5]
  assert image_range.resolve(splits, (100, 800), [100, 800], 1) == [100, 800]
  with pytest.raises(ValueError, match='other splits have image_range=100,800, now 0,9 was given'):
    image_range.resolve(splits, (0, 9), [100, 800], 1)


def test_auto_measures_what_is_learnt_from(make):
  values = np.arange(1000, dtype=np.uint16)
  splits = {'train': make(a=values[:500], b=values[500:]), 'val': make(c=_wide(9000, 9001)),
            'test': make(d=_wide(9000, 9001))}
  expected = np.percentile(values, (0.5, 99.5))
  assert image_range.resolve(splits, 'auto', None, 1) == [int(expected[0]), int(expected[1]) + 1]


def test_auto_of_a_later_split_is_that_of_the_first(make):
  splits = {'val': make(a=_wide(1, 9))}
  assert image_range.resolve(splits, 'auto', [3, 7], 1) == [3, 7]
  with pytest.raises(ValueError, match='Build that split first'):
    image_range.resolve(splits, 'auto', None, 1)


def test_auto_needs_values_that_differ(make):
  with pytest.raises(ValueError, match='nearly all are 5. Give two numbers'):
    image_range.resolve({'train': make(a=_wide(5, 5))}, 'auto', None, 1)


def test_floats_are_measured(tmp_path):
  path = str(tmp_path / 'a.tif')
  Image.fromarray(np.array([[0.25, np.nan, 0.75]], np.float32)).save(path)
  splits = {'train': [Example('a', path)]}
  low, high = image_range.resolve(splits, 'auto', None, 1)
  assert (low, high) == pytest.approx((0.2525, 0.7475))
  with pytest.raises(ValueError, match='values 0.25..0.75'):
    image_range.resolve(splits, None, None, 1)


def test_files_that_cannot_be_read_do_not_count(make, tmp_path):
  examples = make(a=_wide(0, 40000), b=_wide(0, 9))
  (tmp_path / 'b.png').write_bytes((tmp_path / 'b.png').read_bytes()[:45])
  (tmp_path / 'c.png').write_bytes(b'')
  examples.append(Example('c', str(tmp_path / 'c.png')))
  assert image_range.resolve({'train': examples}, None, None, 1) == [0, 65535]
  with pytest.raises(ValueError, match='None of the 1 images .* can be read'):
    image_range.resolve({'train': examples[1:]}, None, None, 1)


def test_records_hold_scaled_images_and_the_info_the_range(make, tmp_path):
  examples = make(a=_wide(100, 450, 800), b=np.array([[5, 6]], np.uint8))
  examples = [item._replace(label=_label(tmp_path, item)) for item in examples]
  out = str(tmp_path / 'out')
  spec = builder.DatasetSpec('wide', {'train': examples}, 2, 255, image_range=(100, 800))
  assert builder.build_dataset(spec, out, 1).image_range == [100, 800]
  found = {}
  for path in registry.split_files(out, 'train'):
    for record in example.read_records(path):
      with Image.open(io.BytesIO(example.image_bytes(record))) as image:
        found[example.record_name(record)] = np.asarray(image)[..., 1].tolist()
  assert found == {'a': [[0, 128, 255]], 'b': [[5, 6]]}
  # Another split follows without being told, and not with another range.
  other = spec._replace(splits={'val': examples}, image_range=None)
  assert builder.build_dataset(other, out, 1).image_range == [100, 800]
  with pytest.raises(ValueError, match='other splits have image_range=100,800'):
    builder.build_dataset(other._replace(image_range=(0, 9)), out, 1)


def _label(folder, item):
  path = str(folder / ('label_%s.png' % item.name))
  with Image.open(item.image_path) as image:
    Image.new('L', image.size, 1).save(path)
  return path
