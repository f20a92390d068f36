"""Tests of labelling pictures from the command line."""
import io

import numpy as np
import pytest
from PIL import Image

from deeplab.core.tf_compat import tf
from deeplab.deployment import exported
from deeplab.utils import tiny_run


@pytest.fixture(scope='module')
def model_path(tmp_path_factory):
  """A graph whose labels are red // 100."""
  path = str(tmp_path_factory.mktemp('model') / 'graph.pb')
  with tf.Graph().as_default() as graph, open(path, 'wb') as f:
    image = tf.placeholder(tf.uint8, [1, None, None, 3], name=exported.INPUT_NAME)
    tf.cast(image[..., 0] // 100, tf.int32, name=exported.OUTPUT_NAME)
    f.write(graph.as_graph_def().SerializeToString())
  exported.write_record(path, {'class_names': ['sky', 'road', 'car'],
                             'colormap': [[0, 0, 0], [100, 0, 0], [0, 50, 250]]})
  return path


def test_folder_of_pictures_good_and_bad(tmp_path, model_path):
  folder, results = tmp_path / 'in', tmp_path / 'out'
  folder.mkdir()
  pixels = np.zeros([4, 10, 3], np.uint8)
  pixels[:, 3:, 0] = 210
  Image.fromarray(pixels).save(str(folder / 'a.png'))
  Image.fromarray(pixels[..., 0]).save(str(folder / 'grey.png'))
  turned = io.BytesIO()
  exif = Image.Exif()
  exif[0x0112] = 6  # to be turned by a quarter
  Image.fromarray(np.full([8, 16, 3], 120, np.uint8)).save(turned, 'JPEG', exif=exif)
  (folder / 'a.jpg').write_bytes(turned.getvalue())
  (folder / 'broken.jpg').write_bytes(turned.getvalue()[:200])
  (folder / 'notes.txt').write_text('no picture')

  code, printed, log = tiny_run.run_script(
      'predict.py', '--model=' + model_path, '--input=%s' % folder,
      '--output_dir=%s' % results)

  assert code == 3, log
  assert '%s: car 70.0%%, sky 30.0%%\n' % (folder / 'a.png') in printed
  assert '%s: road 100.0%%\n' % (folder / 'a.jpg') in printed
  assert 'broken.jpg: not a readable picture' in log.split('Not labelled:')[1]
  assert '3 of 4 pictures labelled' in log
  written = sorted(path.name for path in results.iterdir())
  assert written == sorted(
      stem + ending for stem in ('a', 'a_png', 'grey')
      for ending in ('_prediction.png', '_color.png', '_overlay.png'))

  def read(name):
    return np.array(Image.open(str(results / name)))

  expected = np.where(pixels[..., 0] == 210, 2, 0)
  np.testing.assert_array_equal(read('a_png_prediction.png'), expected)
  np.testing.assert_array_equal(read('a_png_color.png')[0, [0, -1]], [[0, 0, 0], [0, 50, 250]])
  np.testing.assert_array_equal(read('a_png_overlay.png')[0, -1], [105, 25, 125])
  assert read('a_prediction.png').shape == (16, 8)


def test_unusable_command_lines_are_told(tmp_path, model_path):
  (tmp_path / 'empty').mkdir()
  picture = tmp_path / 'a.png'
  Image.fromarray(np.zeros([4, 4, 3], np.uint8)).save(str(picture))
  output = '--output_dir=%s' % (tmp_path / 'out')
  no_file, empty_folder, no_model, no_folder = tiny_run.run_main(
      'predict',
      ['--model=' + model_path, '--input=%s/*.gif' % tmp_path, output],
      ['--model=' + model_path, '--input=%s/empty' % tmp_path, output],
      ['--model=absent.pb', '--input=%s' % picture, output],
      ['--model=' + model_path, '--input=%s' % picture, '--output_dir=%s/x' % picture])
  assert 'no such file or folder, and the pattern matches none' in no_file
  assert 'the folder holds no pictures' in empty_folder
  assert 'Cannot read the model absent.pb' in no_model
  assert '--output_dir=' in no_folder
