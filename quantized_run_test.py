"""A quantised training from end to end: from a float checkpoint to an integer TFLite file."""
import json

import numpy as np
import pytest
from PIL import Image

from deeplab.core import quantization
from deeplab.core.checkpoints import restoring
from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.deployment import inference, opened_models
from deeplab.testing import forked_scripts, slow, tiny_run

pytestmark = slow.only_if_asked

_SIZE = (97, 129)
# So many that the labels are no matter of chance, which rounding decides.
_STEPS = 150

run = forked_scripts.run_checked


def make_sample(name, left, right):
  """Returns a Sample of two classes side by side, each of a colour of its own."""
  label = np.full(_SIZE, right, np.uint8)
  label[:, :_SIZE[1] // 2] = left
  return tiny_run.Sample(name, np.array(tiny_run.COLORMAP, np.uint8)[label], label)


_SAMPLES = [make_sample('a', 0, 3), make_sample('b', 3, 2), make_sample('c', 2, 0)]


@pytest.fixture(scope='module', name='folder')
def train(tmp_path_factory):
  """A folder with records, the checkpoint of a float model, and that of its fine-tuning."""
  folder = tmp_path_factory.mktemp('quantised')
  for name in ('records', 'float'):
    (folder / name).mkdir()
  tiny_run.write_records(str(folder / 'records'), _SAMPLES, split='train')
  tiny_run.write_checkpoint(folder / 'float', _SAMPLES[0].image)
  log = run('train.py', '--dataset_dir=%s/records' % folder, '--train_logdir=%s/train' % folder,
            '--tf_initial_checkpoint=%s/float' % folder, '--quantize_delay_step=0',
            '--train_crop_size=%d,%d' % _SIZE, '--train_batch_size=3',
            '--training_number_of_steps=%d' % _STEPS, '--optimizer=adam',
            '--adam_learning_rate=0.01', '--batch_norm_decay=0.9', '--augmentation=none',
            *tiny_run.MODEL_FLAGS)
  assert 'bounds of quantised ranges are not in' in log
  return folder


def labels_of(folder, name):
  """Returns the labels that an exported model gives the samples."""
  with inference.Segmenter(str(folder / 'export' / name)) as segmenter:
    return segmenter.run([sample.image for sample in _SAMPLES])


def test_float_weights_are_the_start_and_ranges_are_learnt(folder):
  reader = restoring.open_reader(restoring.resolve_checkpoint(str(folder / 'train')))
  start = restoring.open_reader(restoring.resolve_checkpoint(str(folder / 'float')))
  names = set(reader.get_variable_to_shape_map())
  for name in start.get_variable_to_shape_map():
    if name.endswith('weights'):
      weights, first = [each.get_tensor(name).ravel() for each in (reader, start)]
      assert np.corrcoef(weights, first)[0, 1] > 0.3, name
      bounds = [name.rpartition('/')[0] + '/weights_quant/' + end for end in ('min', 'max')]
      assert set(bounds) <= names
      low, high = [reader.get_tensor(bound) for bound in bounds]
      assert low == -high < 0
  # Four less than those of the whole network: there is no image pooling here.
  assert sum(quantization.is_range(name) for name in names) == 236


def test_evaluation_pictures_exported_graph_and_integers_agree(folder):
  shared = ('--dataset_dir=%s/records' % folder,)
  run('eval.py', '--checkpoint_dir=%s/train' % folder, '--eval_logdir=%s/eval' % folder,
      '--eval_split=train', '--eval_crop_size=%d,%d' % _SIZE, '--eval_once', *shared)
  run('vis.py', '--checkpoint_dir=%s/train' % folder, '--vis_logdir=%s/vis' % folder,
      '--vis_split=train', '--vis_crop_size=%d,%d' % _SIZE,
      '--also_save_raw_predictions', '--max_number_of_iterations=1', *shared)
  log = run('export_model.py', '--checkpoint_path=%s/train' % folder,
            '--export_path=%s/export/model' % folder, '--format=frozen,tflite',
            '--tflite_kind=qat', '--crop_size=%d' % _SIZE[0],
            '--crop_size=%d' % _SIZE[1], *shared)
  drawn = [np.array(Image.open(str(
      folder / 'vis' / 'raw_segmentation_results' / (sample.name + '.png'))))
           for sample in _SAMPLES]
  counts = np.zeros([4, 4], int)
  for sample, labels in zip(_SAMPLES, drawn):
    known = sample.label < 4
    np.add.at(counts, (sample.label[known], labels[known]), 1)
  with open(str(folder / 'eval' / 'metrics.json')) as stream:
    assert np.abs(np.array(json.load(stream)['confusion_matrix']) - counts).sum() <= 4
  assert np.trace(counts) > 0.8 * counts.sum()
  for name, least in (('model.pb', 0.999), ('model.tflite', 0.98)):
    equal = np.mean([found == wanted for found, wanted in zip(labels_of(folder, name), drawn)])
    assert equal >= least, (name, equal)
  assert 'model.tflite: ' in log
  tensors = tf.lite.Interpreter(str(folder / 'export' / 'model.tflite')).get_tensor_details()
  assert np.float32 not in {tensor['dtype'] for tensor in tensors}


def convert_frozen_graph(folder):
  return forked_scripts.run(
      'convert_to_tflite.py', '--quantized_graph_def_path=%s/export/model.pb' % folder,
      '--output_tflite_path=%s/converted.tflite' % folder, '--input_size=%d,%d' % _SIZE)


@pytest.mark.skipif(IS_TF1, reason='its converter wants a range for the scaling of the input')
def test_converter_makes_the_same_file_of_the_frozen_graph(folder):
  result = convert_frozen_graph(folder)
  assert result.code == 0, result.log
  converted = opened_models.open_exported(str(folder / 'converted.tflite'))
  for sample, wanted in zip(_SAMPLES, labels_of(folder, 'model.tflite')):
    np.testing.assert_array_equal(converted.predict(sample.image[np.newaxis])[0][0], wanted)


@pytest.mark.skipif(not IS_TF1, reason='the converter of TensorFlow 2 converts it')
def test_frozen_graph_that_cannot_be_converted_is_told(folder):
  result = convert_frozen_graph(folder)
  assert result.code == 1
  assert 'error: TensorFlow 1.15 cannot convert this graph to TFLite' in result.log
  assert not (folder / 'converted.tflite').exists()
