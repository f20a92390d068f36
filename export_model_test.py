"""Tests of exporting from the command line, and of the exported graph in use."""
import json
import os

import numpy as np
import pytest

from deeplab.core import feature_extractor
from deeplab.deployment import inference
from deeplab.evaluation.semantic import segmentation_metrics
from deeplab.testing import forked_scripts, tiny_run, tiny_trees

pytestmark = pytest.mark.usefixtures('shallow_network')

SAMPLES = tiny_run.make_samples()


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A folder with records and a checkpoint."""
  return tiny_run.make_run(tmp_path_factory.mktemp('run'), SAMPLES)


def flags_for(run, *more):
  return ('--checkpoint_path=%s/train' % run, '--export_path=%s/export/graph.pb' % run,
          '--crop_size=%d' % tiny_run.CROP[0], '--crop_size=%d' % tiny_run.CROP[1]
          ) + tiny_run.MODEL_FLAGS + more


def test_exported_graph_labels_like_the_checkpoint(run):
  code, text, log = forked_scripts.run_apart('export_model.py', *flags_for(
      run, '--dataset_dir=%s/records' % run, '--save_inference_graph',
      '--num_check_pictures=2'))
  assert code == 0, log
  path = run / 'export' / 'graph.pb'
  assert 'ImageTensor -> SemanticPredictions, RawSemanticPredictions' in log
  assert sorted(os.listdir(str(run / 'export'))) == ['export.json', 'graph.pb',
                                                     'inference_graph.pbtxt']
  expected = tiny_run.predict(str(run / 'train' / 'model.ckpt-3'), SAMPLES,
                              feature_extractor.mean_pixel('mobilenet_v2'))
  with inference.Segmenter(str(path)) as segmenter:
    masks = segmenter.run([sample.image for sample in SAMPLES])
  for mask, labels in zip(masks, expected):
    assert np.mean(mask == labels) > 0.999
  assert segmenter.class_names == tiny_run.CLASS_NAMES
  assert segmenter.colormap.tolist()[:4] == tiny_run.COLORMAP
  with open(str(run / 'export' / 'export.json')) as f:
    record = json.load(f)
  assert record['global_step'] == 3
  assert record['crop_size'] == list(tiny_run.CROP)
  entry = record['models']['graph.pb']
  assert entry['equal_pixels'] > 0.999
  counts = sum(segmentation_metrics.confusion_matrix(sample.label, labels, 4)
               for sample, labels in list(zip(SAMPLES, expected))[:2])
  assert entry['checkpoint_miou'] == pytest.approx(segmentation_metrics.mean_iou(counts), abs=1e-3)
  assert entry['miou'] == pytest.approx(entry['checkpoint_miou'], abs=1e-3)
  assert entry['pictures'] == 2
  assert 'mean IoU %.2f %% (checkpoint ' % (100 * entry['miou']) in text
  assert record['flags']['depth_multiplier'] == 0.25


_REPRESENTATIVE = '''
import sys
from deeplab import export_model
export_model.FLAGS(sys.argv)
for image in export_model._fitted_pictures((33, 49), [1, 2, 3]):
  print(image.shape, image.dtype, image[32, 48].tolist() == [1, 2, 3])
'''


def test_pictures_that_tell_of_ranges_are_those_of_the_records_at_the_size_of_the_file(run):
  code, printed, log = forked_scripts.run_code(_REPRESENTATIVE, '--dataset_dir=%s/records' % run)
  assert code == 0, log
  # Of 33x41, which is padded; of 49x65, shrunk, and of 40x33.
  assert [sample.image.shape[:2] for sample in SAMPLES] == [(33, 41), (49, 65), (40, 33)]
  assert printed.splitlines() == ['(33, 49, 3) uint8 True'] * 3


def test_nothing_changes_where_one_of_the_files_cannot_be_written(run, tmp_path):
  for name in ('a/m_saved_model', 'b/export.json'):
    (tmp_path / name).mkdir(parents=True)
    (tmp_path / name / 'mine').write_text('mine')
  (tmp_path / 'a' / 'm.pb').write_text('earlier')
  before = tiny_trees.contents(tmp_path)
  common = ('--num_classes=4', '--save_inference_graph')
  messages = tiny_run.run_main('export_model', *[
      flags_for(run, '--export_path=%s/%s' % (tmp_path, path), '--format=%s' % formats, *common)
      for path, formats in (('a/m', 'frozen,savedmodel'), ('b/m.pb', 'frozen'))])
  for message, name in zip(messages, ('a/m_saved_model', 'b/export.json')):
    assert 'Cannot write %s/%s: there is a folder of that name' % (tmp_path, name) in message
  assert tiny_trees.contents(tmp_path) == before
  assert sorted(os.listdir(str(tmp_path / 'a'))) == ['m.pb', 'm_saved_model']


def test_absurd_crops_are_refused_before_memory_is_taken(run, tmp_path):
  flags = [flag for flag in flags_for(run, '--export_path=%s/graph.pb' % tmp_path)
           if not flag.startswith('--crop_size=')]
  message, = tiny_run.run_main('export_model', flags + ['--crop_size=1000000'] * 2)
  assert message == ('--crop_size is 1000000x1000000 (height x width), more pixels than the '
                     '89478485 that --max_image_pixels allows')
  assert os.listdir(str(tmp_path)) == []


def test_bad_input_is_told_in_one_line(run, tmp_path):
  (tmp_path / 'empty').mkdir()
  cases = [
      (['--num_classes=21'],
       'logits/semantic/weights is [1,1,256,4] in the checkpoint, [1,1,256,21] here'),
      (['--num_classes=4', '--decoder_output_stride=4'],
       'not in the checkpoint: decoder/decoder_conv0_depthwise/BatchNorm/beta, '),
      (['--num_classes=7', '--dataset_dir=%s/records' % run],
       "--num_classes=7, but dataset 'tiny' has 4 classes"),
      (['--num_classes=4', '--checkpoint_path=%s/empty' % tmp_path],
       'the folder holds no checkpoint'),
      (['--num_classes=4', '--checkpoint_path=%s/train/model.ckpt-9' % run],
       'no such checkpoint; there are model.ckpt-3 in'),
      (['--num_classes=4', '--crop_size=9'], '--crop_size must be given twice'),
      (['--quantize_delay_step=0', '--add_flipped_images'],
       'images as they are, got also mirrored ones: leave out --add_flipped_images'),
      (['--quantize_delay_step=0', '--inference_scales=0.5'], 'the scale 1.0 alone'),
      (['--format=frozen,tflight'], 'tflite'),
      (['--format=tflite'], 'must end in .tflite'),
      (['--format=frozen,tflite', '--tflite_kind=int8'], 'give --dataset_dir'),
      (['--format=frozen,tflite', '--tflite_kind=qat'], 'was not trained with'),
      (['--format=frozen', '--tflite_kind=int8', '--dataset_dir=%s/records' % run],
       '--tflite_kind=int8 has no effect with --format=frozen: it is for tflite.'),
      (['--format=tflite', '--nooptimize', '--export_path=%s/graph.tflite' % tmp_path],
       '--nooptimize has no effect with --format=tflite: it is for frozen, onnx, savedmodel.'),
      (['--format=tflite,onnx', '--dynamic_batch'],
       '--dynamic_batch has no effect with --format=tflite,onnx: it is for frozen, savedmodel.'),
      (['--format=onnx', '--export_probabilities'],
       '--export_probabilities has no effect with --format=onnx: it is for frozen, savedmodel.'),
      (['--format=frozen,tflite', '--crop_size=0'], '--crop_size must be given twice'),
      (['--num_classes=4', '--export_path=%s/records/x/../val-00000-of-00001.tfrecord/g.pb'
        % run], 'cannot be written'),
      (['--num_classes=4', '--max_resize_value=50'],
       '--max_resize_value=50 needs --min_resize_value too'),
      (['--num_classes=4', '--inference_scales=-1'], '--inference_scales must be positive'),
  ]
  messages = tiny_run.run_main('export_model', *[
      flags_for(run, '--export_path=%s/graph.pb' % tmp_path, *flags) for flags, _ in cases])
  for (flags, expected), message in zip(cases, messages):
    assert expected in message, (flags, message)
  assert os.listdir(str(tmp_path)) == ['empty']
