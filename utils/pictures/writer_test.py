"""Tests of the files that visualisation leaves."""
import hashlib
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.utils.pictures import writer as result_writer

COLORS = [[10, 20, 30], [40, 50, 60], [70, 80, 90]]
CLASSES = result_writer.Classes(COLORS)
LABELS = np.array([[0, 1, 2], [2, 1, 0]])
IMAGE = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


def read(*path):
  return np.array(Image.open(os.path.join(*[str(part) for part in path])))


def test_pictures_have_numbers_and_the_colours_of_the_table(tmp_path):
  with result_writer.ResultWriter(str(tmp_path), CLASSES) as writer:
    for index in range(40):  # more than may wait
      writer.write(index, IMAGE, LABELS, b'name')
  names = os.listdir(writer.picture_folder)
  assert len(names) == 80
  np.testing.assert_array_equal(read(writer.picture_folder, '000039_image.png'), IMAGE)
  np.testing.assert_array_equal(read(writer.picture_folder, '000007_prediction.png'),
                                np.array(COLORS)[LABELS])
  assert sorted(os.listdir(str(tmp_path))) == ['segmentation_results']


def test_raw_predictions_have_the_name_of_the_record_and_evaluation_ids(tmp_path):
  with result_writer.ResultWriter(str(tmp_path), CLASSES._replace(eval_ids=[7, 8, 33]),
                                  result_writer.Outputs(raw=True)) as writer:
    writer.write(0, IMAGE, LABELS, 'h\u00e9llo'.encode('utf-8'))
    writer.write(1, IMAGE, LABELS, b'seq/001')
  folder = tmp_path / 'raw_segmentation_results'
  np.testing.assert_array_equal(read(folder, u'h\u00e9llo.png'), [[7, 8, 33], [33, 8, 7]])
  assert (folder / 'seq' / '001.png').exists()


def test_overlay_confidence_and_voc_results(tmp_path):
  outputs = result_writer.Outputs(overlay=True, confidence=True, voc_split='test')
  with result_writer.ResultWriter(str(tmp_path), CLASSES, outputs) as writer:
    writer.write(0, IMAGE, LABELS, b'2007_1', confidence=np.full((2, 3), 99, np.uint8))
  assert read(tmp_path, 'confidence', '2007_1.png').tolist() == [[99] * 3] * 2
  sheet = read(tmp_path, 'overlays', '000000_overlay.png')
  np.testing.assert_array_equal(sheet[:2, :3], IMAGE)
  for color in COLORS:
    assert (sheet[2:] == color).all(axis=2).any()
  path = tmp_path / 'results' / 'VOC2012' / 'Segmentation' / 'comp6_test_cls' / '2007_1.png'
  with Image.open(str(path)) as picture:
    assert picture.mode == 'P'
    assert picture.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
    np.testing.assert_array_equal(np.array(picture), LABELS)


def test_interrupted_run_with_equal_settings_is_resumed(tmp_path):
  def writer(settings):
    return result_writer.ResultWriter(str(tmp_path), CLASSES, settings=settings)

  with pytest.raises(KeyboardInterrupt):
    with writer({'checkpoint': 'a'}) as interrupted:
      for index in (0, 1, 2, 4):
        interrupted.write(index, IMAGE, LABELS, b'name')
      raise KeyboardInterrupt
  assert writer({'checkpoint': 'a'}).finished == (3, [4])
  assert writer({'checkpoint': 'b'}).finished == (0, [])
  assert writer(None).finished == (0, [])
  with writer({'checkpoint': 'a'}) as complete:
    complete.write(3, IMAGE, LABELS, b'name')
  assert writer({'checkpoint': 'a'}).finished == (0, [])


def test_folder_that_cannot_be_made_is_told(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(ValueError, match='segmentation_results cannot be written: Not a directory'):
    result_writer.ResultWriter(str(tmp_path / 'file'), CLASSES)


@pytest.mark.parametrize('name', [
    '2007_000033', 'a.b.c', 'seq/001', 'a_b', '.hidden', 'a.png', 'h\u00e9llo', 'n' * 200])
def test_plain_names_stay_as_they_are(name):
  assert result_writer.safe_name(name) == name.replace('/', os.sep)
  assert result_writer.safe_name(name.encode('utf-8')) == name.replace('/', os.sep)


@pytest.mark.parametrize('name, path', [
    (b'../../etc/passwd', 'etc/passwd'), (b'/root', 'root'), (b'a\\..\\b', 'a/b'),
    (b'..', 'unnamed'), (b'', 'unnamed'), (b'a:\x00b', 'a__b'), (b'a.png/b', 'a.png_/b')])
def test_names_never_leave_the_folder_and_changed_ones_end_in_a_hash(name, path):
  digest = hashlib.sha256(name).hexdigest()[:12]
  assert result_writer.safe_name(name) == '%s-%s' % (path.replace('/', os.sep), digest)


def test_different_names_have_different_files():
  names = [b'a:b', b'a?b', b'a_b', b'a', b'./a', b'../a', b'/a', b'a/', b'sub/a', b'sub//a',
           b'sub\\a', b'', b'.', b'unnamed', b'\xff', b'\xfe', b'\xef\xbf\xbd', b'a.png/b',
           b'a.png_/b', b'n' * 201, b'n' * 202, b'n' * 200, b'n' * 201 + b'/a',
           b'n' * 202 + b'/a']
  assert len({result_writer.safe_name(name) for name in names}) == len(names)


def test_a_name_may_be_file_and_folder(tmp_path):
  names = [b'a', b'a.png/b', b'a.PNG/b', b'a.png', b'n' * 196 + b'.png/b', b'n' * 196]
  with result_writer.ResultWriter(str(tmp_path), CLASSES,
                                  result_writer.Outputs(raw=True)) as writer:
    for index, name in enumerate(names):
      writer.write(index, IMAGE, LABELS, name)
  written = [name for _, _, found in os.walk(str(tmp_path / 'raw_segmentation_results'))
             for name in found]
  assert len(written) == len(names)


def test_equal_names_are_told_once(tmp_path, caplog):
  with result_writer.ResultWriter(str(tmp_path), CLASSES,
                                  result_writer.Outputs(raw=True)) as writer:
    for index, name in enumerate([b'a', b'b', b'b', b'a']):
      writer.write(index, IMAGE, LABELS, name)
  warning, = [record.getMessage() for record in caplog.records]
  assert warning.startswith('The images 1 and 2 of the split are both called b: the files of ')


def test_long_names_are_cut_and_stay_different():
  names = [('é' * 300 + end).encode('utf-8') for end in 'ab']
  short = [result_writer.safe_name(b'sub/' + name) for name in names]
  assert short[0] != short[1]
  for name in short:
    folder, part = os.path.split(name)
    assert folder == 'sub' and part.startswith('ééé') and len(part.encode('utf-8')) <= 200


def test_error_of_a_thread_reaches_the_caller(tmp_path):
  with pytest.raises(ValueError, match='Label ids range from 0 to 9'):
    with result_writer.ResultWriter(str(tmp_path), CLASSES) as writer:
      writer.write(0, IMAGE, LABELS + 7 * (LABELS == 2), b'name')
