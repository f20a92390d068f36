"""The whole job on real photographs, without a code edit: 20 steps on CamVid."""
import glob
import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from deeplab.testing import forked_scripts, slow, tiny_run

pytestmark = slow.only_if_asked_on_tf1

_CAMVID = os.path.join(tiny_run.ROOT, '..', 'shared', 'data', 'camvid')
_NUM_CLASSES = 11
_IGNORE_LABEL = 11
_CLASS_NAMES = ('Sky,Building,Pole,Road,Pavement,Tree,SignSymbol,Fence,Car,Pedestrian,'
                'Bicyclist')
_SIZE = (360, 480)
_MODEL_FLAGS = ('--output_stride=16', '--depth_multiplier=0.5', '--decoder_output_stride=4')
_STEPS = 20

run = forked_scripts.run_checked


@pytest.fixture(scope='module', name='folder')
def make_job(tmp_path_factory):
  """Builds, trains, evaluates, visualises, exports and predicts; returns the folder."""
  if not os.path.isdir(_CAMVID):
    pytest.skip('no ../shared/data/camvid')
  folder = str(tmp_path_factory.mktemp('camvid'))
  records = '--dataset_dir=%s/records' % folder
  checkpoints = '--checkpoint_dir=%s/train' % folder
  for split in ('train', 'val'):
    run('datasets/build_custom_data.py', '--split=' + split,
        '--image_dir=%s/%s' % (_CAMVID, split), '--label_dir=%s/%sannot' % (_CAMVID, split),
        '--output_dir=%s/records' % folder, '--num_classes=%d' % _NUM_CLASSES,
        '--ignore_label=%d' % _IGNORE_LABEL, '--class_names=' + _CLASS_NAMES)
  log = run('train.py', records, '--train_logdir=%s/train' % folder,
            '--training_number_of_steps=%d' % _STEPS, '--train_crop_size=161,161',
            '--train_batch_size=2', '--optimizer=adam', '--adam_learning_rate=0.003',
            '--augmentation=deeplab', '--data_seed=1', '--log_steps=1', *_MODEL_FLAGS)
  with open(os.path.join(folder, 'train.log'), 'w') as stream:
    stream.write(log)
  run('eval.py', records, checkpoints, '--eval_logdir=%s/eval' % folder,
      '--eval_crop_size=369,481', '--max_number_of_evaluations=1', *_MODEL_FLAGS)
  run('vis.py', records, checkpoints, '--vis_logdir=%s/vis' % folder,
      '--vis_crop_size=369,481', '--max_number_of_iterations=1', *_MODEL_FLAGS)
  run('export_model.py', records, '--checkpoint_path=%s/train' % folder,
      '--export_path=%s/frozen.pb' % folder, '--crop_size=369', '--crop_size=481',
      *_MODEL_FLAGS)
  run('predict.py', '--model=%s/frozen.pb' % folder, '--output_dir=%s/predict' % folder,
      '--input=%s' % sorted(glob.glob(os.path.join(_CAMVID, 'val', '*.png')))[0])
  return folder


def test_twenty_steps_lower_the_loss(folder):
  with open(os.path.join(folder, 'train.log')) as stream:
    losses = [float(loss) for loss in re.findall(r'loss ([0-9.]+)', stream.read())]
  assert len(losses) == _STEPS
  # Batches of two photographs differ: the mean of three of them can be anything.
  assert np.mean(losses[_STEPS // 4:]) < 0.85 * losses[0]


def test_every_labelled_pixel_is_evaluated_under_its_class(folder):
  with open(os.path.join(folder, 'eval', 'metrics.json')) as stream:
    metrics = json.load(stream)
  labels = np.concatenate([
      np.array(Image.open(path)).ravel()
      for path in glob.glob(os.path.join(_CAMVID, 'valannot', '*.png'))])
  counts = np.bincount(labels, minlength=_NUM_CLASSES + 1)[:_NUM_CLASSES]
  classes = metrics['classes']
  assert [c['name'] for c in classes] == _CLASS_NAMES.split(',')
  np.testing.assert_array_equal([c['label_pixels'] for c in classes], counts)
  assert metrics['global_step'] == _STEPS


def test_pictures_have_the_size_of_the_photographs(folder):
  results = os.path.join(folder, 'vis', 'segmentation_results')
  predictions = sorted(glob.glob(os.path.join(results, '*_prediction.png')))
  assert len(predictions) == len(os.listdir(os.path.join(_CAMVID, 'val')))
  assert np.array(Image.open(predictions[0])).shape[:2] == _SIZE


def test_exported_graph_agrees_with_the_checkpoint(folder):
  prediction, = glob.glob(os.path.join(folder, 'predict', '*_color.png'))
  seen = np.array(Image.open(os.path.join(
      folder, 'vis', 'segmentation_results', '000000_prediction.png')).convert('RGB'))
  exported = np.array(Image.open(prediction).convert('RGB'))
  assert np.mean(np.all(seen == exported, axis=-1)) > 0.99
