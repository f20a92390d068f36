"""Tests of the demo, and of the model that comes with the project."""
import os

import numpy as np
import pytest
from PIL import Image

from deeplab import model
from deeplab.core import options
from deeplab.core.checkpoints import initial_weights
from deeplab.core.storage import json_text
from deeplab.core.tf_compat import tf
from deeplab.evaluation.semantic import image_results
from deeplab.testing import forked_scripts, tiny_run

MODEL = os.path.join(tiny_run.ROOT, 'tools', 'demo', 'sample_people.pb')
_MOST_BYTES = 5e6


def test_people_are_labelled_well_and_shown(tmp_path):
  result = forked_scripts.run('tools/demo/__main__.py', '--num_val=12',
                              '--output_dir=%s' % tmp_path)
  assert result.code == 0, result.log
  metrics = json_text.read(str(tmp_path / 'metrics.json'))
  assert metrics['num_examples'] == 12 and metrics['miou'] > 0.65
  assert '%.2f' % (100 * metrics['miou']) in result.log
  rows, class_names = image_results.read_per_image(str(tmp_path))
  assert [row.name for row in rows] == ['val_%05d' % index for index in range(12)]
  assert len(class_names) == 9
  with Image.open(str(tmp_path / 'sheet.png')) as sheet:
    assert sheet.width > 1000 and len(np.unique(np.asarray(sheet.convert('RGB')))) > 100
  with Image.open(str(tmp_path / 'val_00003_prediction.png')) as prediction, \
       Image.open(str(tmp_path / 'raw' / 'images' / 'val_00003.jpg')) as picture:
    assert prediction.size == picture.size
  assert str(tmp_path / 'sheet.png') in result.log


def test_a_training_can_start_from_all_of_the_model():
  with tf.Graph().as_default():
    model.multi_scale_logits(
        tf.zeros([1, 65, 65, 3]),
        options.NetworkOptions({'semantic': 9}, crop_size=(65, 65), output_stride=16,
                               decoder_output_stride=[4]), image_pyramid=None)
    plan = initial_weights.plan_restore(
        initial_weights.read_weights(MODEL, 'tf_initial_checkpoint'), tf.global_variables(), [], [])
    assert len(plan.variables) == len(tf.global_variables())
    with tf.Session() as session:
      plan.load(session)
      assert all(np.isfinite(value).all() for value in session.run(tf.global_variables()))


def test_the_model_is_small_and_tells_its_classes():
  assert os.path.getsize(MODEL) < _MOST_BYTES
  record = json_text.read(os.path.join(os.path.dirname(MODEL), 'export.json'))
  assert record['class_names'][4] == 'hair'
  # Of the machine it was made on nothing is left.
  assert '/' not in record['checkpoint'].replace('experiments/', '').replace(
      'demo_model/', '').replace('sample_people-mobilenet_v2-tf1/train/', '')


@pytest.mark.parametrize('words', [('--num_val=0',), ('--output_dir=',)])
def test_settings_that_cannot_be_are_refused(words):
  assert forked_scripts.run('tools/demo/__main__.py', *words).code == 2
