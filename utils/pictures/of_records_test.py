"""Tests of bringing predictions back to the size of the record, and of the files that are left."""
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.core.tf_compat import tf
from deeplab.utils.pictures import of_records

COLORS = [[10, 20, 30], [40, 50, 60], [70, 80, 90]]
CLASSES = of_records.Classes(COLORS)
LABELS = np.array([[0, 1, 2], [2, 1, 0]])
IMAGE = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize('resized_size, size', [
    ((17, 23), (40, 61)), ((40, 61), (17, 23)), ((9, 9), (2, 5)), ((1, 4), (6, 7)),
    ((30, 40), (481, 361))])
def test_labels_are_resized_to_the_nearest_with_corners_aligned(resized_size, size):
  padded = np.random.RandomState(0).randint(0, 9, (49, 65)).astype(np.uint8)
  with tf.Graph().as_default(), tf.Session() as session:
    expected = session.run(tf.image.resize_nearest_neighbor(
        padded[np.newaxis, :resized_size[0], :resized_size[1], np.newaxis], size,
        align_corners=True))[0, ..., 0]
  np.testing.assert_array_equal(of_records.undo_resizing(
      padded[:resized_size[0], :resized_size[1]], size), expected)


def test_images_are_resized_smoothly():
  image = np.zeros([8, 8, 3], np.uint8)
  image[:4, :4] = 200
  result = of_records.undo_resizing(image[:4], (8, 16))
  assert result.shape == (8, 16, 3)
  assert result[0, 0].tolist() == [200] * 3
  assert 0 < result[0, 8, 0] < 200


def read(*path):
  return np.array(Image.open(os.path.join(*[str(part) for part in path])))


def test_pictures_have_numbers_and_the_colours_of_the_table(tmp_path):
  with of_records.ResultWriter(str(tmp_path), CLASSES) as writer:
    for index in range(40):  # more than may wait
      writer.write(index, IMAGE, LABELS, b'name')
  names = os.listdir(writer.picture_folder)
  assert len(names) == 80
  np.testing.assert_array_equal(read(writer.picture_folder, '000039_image.png'), IMAGE)
  np.testing.assert_array_equal(read(writer.picture_folder, '000007_prediction.png'),
                                np.array(COLORS)[LABELS])
  assert sorted(os.listdir(str(tmp_path))) == ['segmentation_results']


def test_raw_predictions_have_the_name_of_the_record_and_evaluation_ids(tmp_path):
  with of_records.ResultWriter(str(tmp_path), CLASSES._replace(eval_ids=[7, 8, 33]),
                                  of_records.Outputs(also_save_raw_predictions=True)) as writer:
    writer.write(0, IMAGE, LABELS, 'h\u00e9llo'.encode('utf-8'))
    writer.write(1, IMAGE, LABELS, b'seq/001')
  folder = tmp_path / 'raw_segmentation_results'
  np.testing.assert_array_equal(read(folder, u'h\u00e9llo.png'), [[7, 8, 33], [33, 8, 7]])
  assert (folder / 'seq' / '001.png').exists()


def test_overlay_confidence_and_voc_results(tmp_path):
  outputs = of_records.Outputs(
      save_overlay=True, save_confidence=True, voc_split='test')
  with of_records.ResultWriter(str(tmp_path), CLASSES, outputs) as writer:
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
    return of_records.ResultWriter(str(tmp_path), CLASSES, settings=settings)

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
    of_records.ResultWriter(str(tmp_path / 'file'), CLASSES)


def test_a_name_may_be_file_and_folder(tmp_path):
  names = [b'a', b'a.png/b', b'a.PNG/b', b'a.png', b'n' * 196 + b'.png/b', b'n' * 196]
  with of_records.ResultWriter(str(tmp_path), CLASSES,
                                  of_records.Outputs(also_save_raw_predictions=True)) as writer:
    for index, name in enumerate(names):
      writer.write(index, IMAGE, LABELS, name)
  written = [name for _, _, found in os.walk(str(tmp_path / 'raw_segmentation_results'))
             for name in found]
  assert len(written) == len(names)


def test_equal_names_are_told_once(tmp_path, caplog):
  with of_records.ResultWriter(str(tmp_path), CLASSES,
                                  of_records.Outputs(also_save_raw_predictions=True)) as writer:
    for index, name in enumerate([b'a', b'b', b'b', b'a']):
      writer.write(index, IMAGE, LABELS, name)
  warning, = [record.getMessage() for record in caplog.records]
  assert warning.startswith('The images 1 and 2 of the split are both called b: the files of ')


def test_error_of_a_thread_reaches_the_caller(tmp_path):
  with pytest.raises(ValueError, match='Label ids range from 0 to 9'):
    with of_records.ResultWriter(str(tmp_path), CLASSES) as writer:
      writer.write(0, IMAGE, LABELS + 7 * (LABELS == 2), b'name')
