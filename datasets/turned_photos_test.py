"""Tests of labels of photos that EXIF turns."""
import io
import json

import numpy as np
import pytest
from PIL import Image

from deeplab.core.images import orientation
from deeplab.datasets import registry
from deeplab.datasets.building import builder
from deeplab.datasets.labels import labelme
from deeplab.datasets.labels.label_sources import ColorPicture
from deeplab.datasets.records import example

_STORED = np.random.RandomState(0).randint(0, 3, (4, 6)).astype(np.uint8)
_COLORS = ((0, 0, 0), (9, 0, 0), (0, 9, 0))


def _photo(path, turn, size):
  exif = Image.Exif()
  exif[0x0112] = turn
  Image.new('RGB', size[::-1]).save(str(path), exif=exif)
  return str(path)


def _build(folder, label, turn, size=(4, 6), **spec):
  """Returns the label map in the record of one photo."""
  photo = builder.Example('a', _photo(folder / 'a.jpg', turn, size), label)
  builder.build_dataset(builder.DatasetSpec('tiny', {'train': [photo]}, 3, 255, **spec),
                        str(folder / 'out'), 1)
  path, = registry.split_files(str(folder / 'out'), 'train')
  record, = example.read_records(path)
  return np.asarray(Image.open(io.BytesIO(example.label_bytes(record))))


def _label(folder, values, kind='ids'):
  path = str(folder / 'label.png')
  if kind == 'ids':
    Image.fromarray(values).save(path)
    return path
  Image.fromarray(np.array(_COLORS, np.uint8)[values]).save(path)
  return ColorPicture(path, _COLORS, (0, 1, 2))


@pytest.mark.parametrize('turn', [5, 6, 7, 8])
@pytest.mark.parametrize('kind', ['ids', 'colours'])
def test_labels_of_the_stored_size_are_turned_and_counted(tmp_path, turn, kind, caplog):
  found = _build(tmp_path, _label(tmp_path, _STORED, kind), turn)
  np.testing.assert_array_equal(found, orientation.upright(_STORED, turn))
  assert "Split 'train': 1 examples: by their size, labels were drawn" in caplog.text
  assert caplog.text.rstrip().count('says: a') == 1


@pytest.mark.parametrize('turn', [5, 6, 7, 8])
def test_labels_of_the_upright_size_stay(tmp_path, turn, caplog):
  upright = orientation.upright(_STORED, turn)
  np.testing.assert_array_equal(_build(tmp_path, _label(tmp_path, upright), turn), upright)
  assert 'examples:' not in caplog.text


@pytest.mark.parametrize('turn, size', [(2, (4, 6)), (3, (4, 6)), (4, (4, 6)), (6, (4, 4))])
def test_what_the_size_does_not_show_is_counted_and_named(tmp_path, turn, size, caplog):
  label = _STORED[:, :size[1]]
  np.testing.assert_array_equal(_build(tmp_path, _label(tmp_path, label), turn, size), label)
  assert "1 examples: EXIF turns the images without a change of size" in caplog.text
  assert '--labels_as_stored: a' in caplog.text
  # A second run writes nothing and says the same.
  caplog.clear()
  _build(tmp_path, _label(tmp_path, label), turn, size)
  assert '--labels_as_stored: a' in caplog.text


@pytest.mark.parametrize('turn', range(1, 9))
def test_labels_may_all_be_turned(tmp_path, turn):
  found = _build(tmp_path, _label(tmp_path, _STORED), turn, labels_as_stored=True)
  np.testing.assert_array_equal(found, orientation.upright(_STORED, turn))


def test_other_sizes_are_errors(tmp_path):
  with pytest.raises(ValueError, match=r'image .*a.jpg is 6x4 .* label .* is 4x5'):
    _build(tmp_path, _label(tmp_path, _STORED[:, :5]), 6)


@pytest.mark.parametrize('height, width', [(4, 6), (6, 4)])
def test_shapes_are_drawn_on_what_they_were_drawn_on(tmp_path, height, width):
  path = tmp_path / 'a.json'
  path.write_text(json.dumps({'imageHeight': height, 'imageWidth': width, 'shapes': [
      {'label': 'sky', 'points': [[0, 0], [width, 0], [width, 1], [0, 1]]}]}))
  pens = labelme.Pens((('ground', 0), ('sky', 1)), 255, 1, False)
  drawn = np.zeros((height, width), np.uint8)
  drawn[:2] = 1
  found = _build(tmp_path, labelme.LabelmeLabel(str(path), pens, 0), 6)
  np.testing.assert_array_equal(found, drawn if height == 6 else np.rot90(drawn, -1))
