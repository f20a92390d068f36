"""The whole job with every path given as file://, which TensorFlow opens and Python does not."""
import json
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.testing import forked_scripts, tiny_run

pytestmark = pytest.mark.usefixtures('shallow_network')

_STEPS = 2

run = forked_scripts.run_checked


@pytest.fixture(scope='module', name='folder')
def make_job(tmp_path_factory):
  """Builds, examines, trains, evaluates, visualises, exports and predicts; returns the folder."""
  folder = tmp_path_factory.mktemp('job')
  for kind in ('images', 'labels'):
    (folder / kind).mkdir()
  for sample in tiny_run.make_samples(tiny_run.SIZES + ((41, 40), (48, 49))):
    name = os.path.basename(sample.name) + '.png'
    Image.fromarray(sample.image).save(str(folder / 'images' / name))
    Image.fromarray(sample.label).save(str(folder / 'labels' / name))
  place = 'file://%s/' % folder
  records = '--dataset_dir=%srecords' % place
  checkpoint = '--checkpoint_dir=%strain' % place
  run('datasets/build_custom_data.py', '--image_dir=%s/images' % folder,
      '--label_dir=%s/labels' % folder, '--output_dir=%srecords' % place,
      '--class_names=' + ','.join(tiny_run.CLASS_NAMES), '--num_shards=2', '--num_processes=1',
      '--split_fractions=train=0.6,val=0.4')
  run('datasets/doctor.py', records, '--num_processes=1')
  run('train.py', records, '--train_logdir=%strain' % place, '--train_crop_size=33,33',
      '--train_batch_size=2', '--training_number_of_steps=%d' % _STEPS, '--log_steps=1',
      *tiny_run.MODEL_FLAGS)
  run('eval.py', records, checkpoint, '--eval_logdir=%seval' % place, '--eval_once',
      '--eval_crop_size=', '--also_save_best')
  run('vis.py', records, checkpoint, '--vis_logdir=%svis' % place, '--vis_crop_size=49,65',
      '--max_number_of_iterations=1', '--also_save_raw_predictions', '--save_overlay')
  run('export_model.py', records, '--checkpoint_path=%strain' % place,
      '--export_path=%sexport/model' % place, '--format=frozen,savedmodel',
      '--crop_size=49', '--crop_size=65', '--save_inference_graph')
  return folder


def test_records_are_built_and_examined(folder):
  names = set(os.listdir(str(folder / 'records')))
  assert {'dataset_info.json', 'train-00000-of-00002.tfrecord', 'val-00001-of-00002.tfrecord',
          'doctor_report.json', 'doctor_report.html'} <= names


def test_a_run_leaves_checkpoints_table_and_record(folder):
  names = set(os.listdir(str(folder / 'train')))
  assert {'model.ckpt-%d.index' % _STEPS, 'run.json', 'losses.csv', 'checkpoint'} <= names
  lines = (folder / 'train' / 'losses.csv').read_text().splitlines()
  assert [line.split(',')[0] for line in lines] == ['step', '1', '2']


def test_an_evaluation_leaves_numbers_charts_and_a_page(folder):
  names = set(os.listdir(str(folder / 'eval')))
  assert {'metrics.json', 'per_class.csv', 'per_image.csv', 'confusion_matrix.png',
          'per_class_iou.png', 'report.html'} <= names
  assert json.loads((folder / 'eval' / 'metrics.json').read_text())['num_examples'] == 2
  assert {'model.ckpt-%d.index' % _STEPS, 'run.json', 'best.json'} <= set(
      os.listdir(str(folder / 'eval' / 'best')))


def test_pictures_are_written_and_the_work_is_noted_as_done(folder):
  assert len(os.listdir(str(folder / 'vis' / 'segmentation_results'))) == 4
  assert len(os.listdir(str(folder / 'vis' / 'overlays'))) == 2
  assert not (folder / 'vis' / 'progress.json').exists()


def test_exported_models_are_described_and_label_as_pictures_show(folder):
  record = json.loads((folder / 'export' / 'export.json').read_text())
  assert list(record['models']) == ['model.pb', 'model_saved_model/saved_model.pb']
  assert (folder / 'export' / 'inference_graph.pbtxt').exists()
  assert (folder / 'export' / 'model_saved_model' / 'export.json').exists()
  raw = folder / 'vis' / 'raw_segmentation_results'
  for name in ('model.pb', 'model_saved_model'):
    run('predict.py', '--model=file://%s/export/%s' % (folder, name),
        '--input=%s/images' % folder, '--output_dir=file://%s/%s-labels' % (folder, name))
    for picture in os.listdir(str(raw)):
      labelled = folder / (name + '-labels') / (picture[:-4] + '_prediction.png')
      assert np.mean(np.array(Image.open(str(labelled))) == np.array(
          Image.open(str(raw / picture)))) > 0.95


def test_tools_read_what_runs_left(folder):
  place = 'file://%s/' % folder
  run('tools/runs/plot_losses.py', place + 'train', '--output=%slosses.png' % place)
  assert Image.open(str(folder / 'losses.png')).format == 'PNG'
  assert 'cannot be told apart' in run('tools/runs/compare_runs.py', place + 'eval', place + 'eval')


def test_nothing_was_written_elsewhere(folder):
  leftovers = [name for _, _, names in os.walk(str(folder)) for name in names
               if name.endswith('.tmp')]
  assert not leftovers
  # What functions of Python make of file:///folder.
  assert not os.path.exists(os.path.join(tiny_run.ROOT, 'file:'))


def test_an_unknown_scheme_is_one_clear_line():
  result = forked_scripts.run('train.py', '--dataset_dir=nowhere://bucket/records',
                              '--train_logdir=run')
  assert result.code == 1
  assert "nowhere://bucket/records/dataset_info.json: File system scheme 'nowhere' not " \
      'implemented' in result.last_line
