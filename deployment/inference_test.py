"""Tests of running exported graphs on numpy images."""
import concurrent.futures

import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.deployment import exported, inference


def write_graph(path, output_name=exported.OUTPUT_NAME):
  """Writes a graph whose labels are red // 100, for images of any size."""
  with tf.Graph().as_default() as graph:
    image = tf.placeholder(tf.uint8, [1, None, None, 3], name=exported.INPUT_NAME)
    tf.cast(image[..., 0] // 100, tf.int32, name=output_name)
    path.write_bytes(graph.as_graph_def().SerializeToString())
  return str(path)


def image_of(red, height=4, width=6):
  return np.full([height, width, 3], [red, 7, 9], np.uint8)


def test_images_of_different_sizes_are_labelled(tmp_path):
  with inference.Segmenter(write_graph(tmp_path / 'graph.pb')) as segmenter:
    masks = segmenter.run([image_of(250), image_of(50, 3, 5)])
  np.testing.assert_array_equal(masks[0], np.full([4, 6], 2))
  np.testing.assert_array_equal(masks[1], np.full([3, 5], 0))
  assert masks[0].dtype == np.int32


def test_threads_share_a_segmenter(tmp_path):
  reds = [0, 100, 200] * 10
  with inference.Segmenter(write_graph(tmp_path / 'graph.pb')) as segmenter, \
       concurrent.futures.ThreadPoolExecutor(4) as threads:
    masks = list(threads.map(lambda red: segmenter.run([image_of(red)])[0], reds))
  assert [mask[0, 0] for mask in masks] == [red // 100 for red in reds]


def test_names_and_colours_come_from_the_record_of_the_graph(tmp_path, caplog):
  path = write_graph(tmp_path / 'graph.pb')
  plain = inference.Segmenter(path)
  assert plain.class_names is None
  assert plain.class_name(2) == 'class 2'
  assert plain.colormap.tolist()[1] == [128, 0, 0]
  exported.write_record(path, {'class_names': ['sky', 'road'], 'colormap': [[1, 2, 3], [4, 5, 6]]})
  named = inference.Segmenter(path)
  assert [named.class_name(i) for i in range(3)] == ['sky', 'road', 'class 2']
  assert named.colormap.tolist()[:2] == [[1, 2, 3], [4, 5, 6]]
  assert named.colormap.shape == (256, 3)
  with open(path, 'ab') as f:
    f.write(b'')
  other = write_graph(tmp_path / 'other.pb', exported.OUTPUT_NAME)
  with open(other, 'ab') as f:  # an empty library field: another file, the same graph
    f.write(b'\x12\x00')
  with caplog.at_level('WARNING'):
    assert inference.Segmenter(other).class_names is None
  assert 'is of another graph than' in caplog.text


@pytest.mark.parametrize('image', [
    np.zeros([4, 4], np.uint8), np.zeros([4, 4, 4], np.uint8), np.zeros([4, 4, 3]),
    np.zeros([0, 4, 3], np.uint8)])
def test_other_arrays_are_refused(tmp_path, image):
  with inference.Segmenter(write_graph(tmp_path / 'graph.pb')) as segmenter:
    with pytest.raises(ValueError, match='must be a .* uint8 RGB array, got '):
      segmenter.run([image])


def test_files_that_are_no_exported_graph_are_named(tmp_path):
  with pytest.raises(ValueError, match='Cannot read the model .*absent.pb'):
    inference.Segmenter(str(tmp_path / 'absent.pb'))
  (tmp_path / 'text.pb').write_text('no graph')
  with pytest.raises(ValueError, match='text.pb is not a frozen graph'):
    inference.Segmenter(str(tmp_path / 'text.pb'))
  with pytest.raises(ValueError, match='other.pb cannot be used as an exported model'):
    inference.Segmenter(write_graph(tmp_path / 'other.pb', output_name='Labels'))
