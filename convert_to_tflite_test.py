"""Tests of converting frozen graphs from the command line."""
import re

import numpy as np
import pytest
from PIL import Image

from deeplab import model
from deeplab.core.tf_compat import tf
from deeplab.deployment.formats import tflite_converter, tflite_runner
from deeplab.deployment.graphs import freezing
from deeplab.testing import foreign_graphs, forked_scripts, tiny_run

SIZE = (33, 49)


# Code of the script with a converter that takes the graph of the first argument for any other.
_MIXED_UP = """
import sys
from deeplab import common, convert_to_tflite
from deeplab.deployment import opened_models
from deeplab.deployment.formats import tflite_converter
other, convert = opened_models.read_graph_def(sys.argv.pop(1)), tflite_converter.convert
tflite_converter.convert = lambda graph_def, *arguments: convert(other, *arguments)
common.run(convert_to_tflite.main)
"""


def write_graph(path, is_quantized=True, size=SIZE, channels=(0, 1, 2)):
  """Writes a frozen graph whose label is the brightest of three channels."""
  def quantize(tensor, low, high):
    if not is_quantized:
      return tensor
    return tf.quantization.fake_quant_with_min_max_vars(tensor, low, high)

  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.uint8, [1] + list(size) + [3], name='ImageTensor')
    weights = tf.constant(np.eye(3)[np.newaxis, np.newaxis][..., channels], tf.float32)
    weights = quantize(weights, -1., 1.)
    net = tf.nn.conv2d(tf.cast(images, tf.float32) / 255., weights, padding='SAME')
    net = quantize(tf.nn.relu6(net), 0., 1.)
    tf.identity(tf.cast(tf.argmax(net, 3), tf.int32), name='SemanticPredictions')
  path.write_bytes(graph.as_graph_def().SerializeToString())
  return str(path)


@pytest.fixture
def picture(tmp_path):
  """Path of a picture: a quarter red, three quarters blue."""
  image = np.zeros([66, 98, 3], np.uint8)
  image[..., 2] = 200
  image[:33, :49] = [200, 0, 0]
  Image.fromarray(image).save(str(tmp_path / 'picture.png'))
  return str(tmp_path / 'picture.png')


def run(path, output, *more):
  return forked_scripts.run_apart('convert_to_tflite.py', '--quantized_graph_def_path=%s' % path,
                                  '--output_tflite_path=%s' % output, *more)


def test_quantised_graph_becomes_integers_and_labels_a_picture(tmp_path, picture):
  output = tmp_path / 'new' / 'model.tflite'
  code, text, log = run(write_graph(tmp_path / 'graph.pb'), output,
                        '--test_image_path=%s' % picture)
  assert code == 0, log
  assert 'ranges from the fake quantisation' in log
  shares = re.findall(r'class (\d): ([\d.]+) %', text)
  assert [int(class_id) for class_id, _ in shares] == [0, 2]
  np.testing.assert_allclose([float(share) for _, share in shares], [25, 75], atol=3)
  assert tflite_runner.TfliteModel(str(output)).input_size == SIZE


def test_float_graph_of_any_size_gets_one_and_stays_float(tmp_path):
  path = write_graph(tmp_path / 'graph.pb', is_quantized=False, size=(None, None))
  output = tmp_path / 'model.tflite'
  code, _, log = run(path, output, '--input_size=21,17', '--input_tensor_name=ImageTensor',
                     '--output_tensor_name=SemanticPredictions')
  assert code == 0, log
  assert 'graph.pb has no fake quantisation: the file computes in floats' in log
  image = np.random.RandomState(0).randint(0, 256, [21, 17, 3]).astype(np.uint8)
  np.testing.assert_array_equal(tflite_runner.TfliteModel(str(output)).predict(image[np.newaxis])[0][0],
                                image.argmax(2))


@pytest.mark.parametrize('is_quantized, has_picture, refusal', [
    (False, False, 'of the pixels of drawn pictures have .*; at least 99 % should. Nothing was w'),
    (True, True, r'\b\d\.\d\d % of the pixels of .*picture.png have .*; at least 98 % should'),
    (True, False, None)])
def test_files_that_label_otherwise_than_their_graph_are_refused(tmp_path, picture, is_quantized,
                                                                 has_picture, refusal):
  graph = write_graph(tmp_path / 'graph.pb', is_quantized)
  other = write_graph(tmp_path / 'other.pb', is_quantized, channels=(2, 0, 1))
  output = tmp_path / 'model.tflite'
  code, _, log = forked_scripts.run_code(
      _MIXED_UP, other, '--quantized_graph_def_path=%s' % graph, '--output_tflite_path=%s' % output,
      *(['--test_image_path=%s' % picture] if has_picture else []))
  if refusal:
    assert code == 1
    assert re.search(refusal, log.splitlines()[-1])
    assert not output.exists()
  else:
    assert code == 0, log
    assert 'Drawn pictures tell little of 8 bits: give --test_image_path.' in log


@pytest.mark.parametrize('more, is_quantized', [
    (['--input_tensor_name=%s:0' % foreign_graphs.NETWORK_INPUT], True),
    (['--input_tensor_name=%s:0' % foreign_graphs.NETWORK_INPUT], False),
    (['--input_tensor_name=%s' % foreign_graphs.NETWORK_INPUT,
      '--output_tensor_name=ResizeBilinear:0'], False)])
def test_published_graphs_are_cut_at_a_tensor(tmp_path, picture, more, is_quantized):
  graph = foreign_graphs.write(
      tmp_path / 'graph.pb', lambda: foreign_graphs.published(SIZE, is_quantized))
  output = tmp_path / 'model.tflite'
  # The tensor of images does not tell its size, the labels do; scores need not have it.
  size = ['--input_size=33,49'] if len(more) > 1 else []
  code, text, log = run(graph, output, '--test_image_path=%s' % picture, *(more + size))
  assert code == 0, log
  assert ('ranges from the fake quantisation' in log) == is_quantized
  shares = dict(re.findall(r'class (\d): ([\d.]+) %', text))
  np.testing.assert_allclose(float(shares['0']), 25, atol=3)
  opened = tflite_runner.TfliteModel(str(output))
  image = np.random.RandomState(0).randint(0, 256, SIZE + (3,)).astype(np.uint8)
  equal = opened.predict(image[np.newaxis])[0][0] == image.argmax(2)
  assert equal.mean() > (0.95 if is_quantized else 0.999)


@pytest.mark.usefixtures('shallow_network')
@pytest.mark.parametrize('kind, quantize_delay_step', [('float32', -1), ('qat', 0)])
def test_exports_are_cut_as_published_graphs_are(tmp_path, kind, quantize_delay_step):
  options = tiny_run.MODEL_OPTIONS._replace(
      crop_size=SIZE, quantize_delay_step=quantize_delay_step)
  images = tiny_run.make_samples([SIZE])[0].image[np.newaxis]
  checkpoint = tiny_run.write_checkpoint(tmp_path, images[0], options)
  frozen, of_one_size = [
      freezing.freeze(checkpoint, options, model.predict_labels, freezing.ExportOptions(
          input_size=size))[0] for size in (None, SIZE)]
  (tmp_path / 'graph.pb').write_bytes(frozen.SerializeToString())
  code, _, log = run(tmp_path / 'graph.pb', tmp_path / 'cut.tflite', '--input_size=33,49',
                     '--input_tensor_name=%s:0' % foreign_graphs.NETWORK_INPUT)
  assert code == 0, log
  # Of random weights 8 bits make other labels than floats do, but the same whatever the input is.
  content = tflite_converter.convert(
      of_one_size, kind, 'ImageTensor', 'SemanticPredictions', SIZE)
  wanted, _ = tflite_runner.TfliteModel('exported', content=content).predict(images)
  labels, _ = tflite_runner.TfliteModel(str(tmp_path / 'cut.tflite')).predict(images)
  assert len(np.unique(wanted)) > 1
  assert np.mean(labels == wanted) > 0.99


def test_graphs_of_other_names_are_converted(tmp_path):
  graph = foreign_graphs.write(tmp_path / 'graph.pb', foreign_graphs.scores)
  output = tmp_path / 'model.tflite'
  code, _, log = run(graph, output, '--input_size=12,20')
  assert code == 0, log
  image = np.random.RandomState(0).randint(0, 256, [12, 20, 3]).astype(np.uint8)
  np.testing.assert_array_equal(
      tflite_runner.TfliteModel(str(output)).predict(image[np.newaxis])[0][0], image.argmax(2))


def test_an_output_that_needs_more_than_the_cut_is_told(tmp_path):
  graph = foreign_graphs.write(tmp_path / 'graph.pb', lambda: foreign_graphs.published(SIZE))
  code, _, log = run(graph, tmp_path / 'model.tflite', '--input_size=33,49',
                     '--input_tensor_name=%s' % foreign_graphs.NETWORK_INPUT,
                     '--output_tensor_name=SemanticPredictions')
  assert code == 1
  assert ('SemanticPredictions does not come from %s alone, but also from ImageTensor. Name an '
          'output that does, such as ArgMax:0.' % foreign_graphs.NETWORK_INPUT
          ) in log.splitlines()[-1]


def test_bad_input_is_told_in_one_line(tmp_path):
  path = write_graph(tmp_path / 'graph.pb')
  any_size = write_graph(tmp_path / 'any.pb', size=(None, None))
  (tmp_path / 'text').write_text('no graph, no picture')
  for graph, more, message in (
      (tmp_path / 'absent.pb', [], 'absent.pb: No such file'),
      (tmp_path / 'text', [], 'text is not a frozen graph'),
      (path, ['--input_tensor_name=image:0'],
       '--input_tensor_name=image:0 is not in the graph. Its placeholders: ImageTensor:0.'),
      (path, ['--output_tensor_name=labels:0'],
       '--output_tensor_name=labels:0 is not in the graph. Its outputs: SemanticPredictions:0.'),
      (path, ['--input_size=5,5'], '--input_size=5,5: ImageTensor takes images of 33,49'),
      (any_size, [], 'takes images of any size, a TFLite file of one: give --input_size'),
      (path, ['--test_image_path=%s' % (tmp_path / 'text')], 'text: not a readable picture')):
    code, _, log = run(graph, tmp_path / 'out' / 'model.tflite', *more)
    assert code == 1
    assert message in log.splitlines()[-1]
    assert 'Traceback' not in log
  code, _, log = run(path, tmp_path / 'text' / 'model.tflite')
  assert (code, 'cannot be written' in log.splitlines()[-1]) == (1, True)
  assert not (tmp_path / 'out').exists()
