"""Tests of evaluation from the command line, against predictions counted with numpy."""
import glob
import json
import os

import numpy as np
import pytest

from deeplab.core import feature_extractor
from deeplab.core.tf_compat import tf
from deeplab.evaluation import image_results, segmentation_metrics
from deeplab.utils import run_record, tiny_run

SAMPLES = tiny_run.make_samples()


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A folder with records, checkpoints and the results of evaluations."""
  folder = tmp_path_factory.mktemp('run')
  for name in ('records', 'train'):
    (folder / name).mkdir()
  tiny_run.write_records(str(folder / 'records'), SAMPLES)
  tiny_run.write_checkpoint(folder / 'train', SAMPLES[1].image)
  return folder


def flags_for(run, logdir, *more):
  return ('--dataset_dir=%s/records' % run, '--checkpoint_dir=%s/train' % run,
          '--eval_logdir=%s/%s' % (run, logdir), '--max_number_of_evaluations=1',
          '--eval_crop_size=%d,%d' % tiny_run.CROP) + tiny_run.MODEL_FLAGS + more


def read_metrics(run, logdir):
  with open(str(run / logdir / 'metrics.json')) as f:
    return json.load(f)


def expected_counts(checkpoint):
  predictions = tiny_run.predict(checkpoint, SAMPLES,
                                 feature_extractor.mean_pixel('mobilenet_v2'))
  return sum(segmentation_metrics.confusion_matrix(sample.label, prediction, 4)
             for sample, prediction in zip(SAMPLES, predictions))


def test_program_writes_and_shows_the_metrics_of_the_newest_checkpoint(run):
  code, _, log = tiny_run.run_script('eval.py', *flags_for(run, 'eval'))
  assert code == 0, log
  metrics = read_metrics(run, 'eval')
  counts = expected_counts(str(run / 'train' / 'model.ckpt-3'))
  assert np.sum(counts > 0) > 6
  assert np.abs(np.array(metrics['confusion_matrix']) - counts).sum() <= 2  # tips of ties
  assert metrics['miou'] == pytest.approx(segmentation_metrics.mean_iou(counts), abs=1e-3)
  assert metrics['num_examples'] == len(SAMPLES)
  assert metrics['global_step'] == 3
  assert metrics['checkpoint'] == str(run / 'train' / 'model.ckpt-3')
  assert [c['name'] for c in metrics['classes']] == tiny_run.CLASS_NAMES
  assert 'house' in log
  assert 'pixel accuracy' in log

  rows, names = image_results.read_per_image(str(run / 'eval'))
  assert names == tiny_run.CLASS_NAMES
  assert [row.name for row in rows] == [sample.name for sample in SAMPLES]
  matrix = np.array(metrics['confusion_matrix'])
  np.testing.assert_array_equal(sum(row.counts for row in rows),
                                [np.diagonal(matrix), matrix.sum(1), matrix.sum(0)])
  assert 0 < metrics['boundary_iou'] < 1
  assert [row['width_px'] for row in metrics['trimap_miou']] == [1, 2, 4, 8, 16, 32]
  for name in ('per_class.csv', 'confusion_matrix.png', 'per_class_iou.png', 'report.html'):
    assert (run / 'eval' / name).exists()

  events, = glob.glob(str(run / 'eval' / 'events*'))
  values = {value.tag: value.simple_value for event in tf.train.summary_iterator(events)
            for value in event.summary.value}
  assert values['miou_1.0'] == pytest.approx(metrics['miou'])
  assert values['eval/miou_1.0_class_2'] == pytest.approx(metrics['classes'][2]['iou'])
  assert values['eval/pixel_accuracy'] == pytest.approx(metrics['pixel_accuracy'])


def test_batches_scales_and_flips(run):
  messages = tiny_run.run_main(
      'eval', flags_for(run, 'one'), flags_for(run, 'batch', '--eval_batch_size=2'),
      flags_for(run, 'scales', '--eval_scales=0.75', '--eval_scales=1', '--add_flipped_images'),
      flags_for(run, 'resized', '--min_resize_value=33', '--max_resize_value=49'))
  assert messages == [''] * 4
  one, batch = [np.array(read_metrics(run, name)['confusion_matrix'])
                for name in ('one', 'batch')]
  assert np.abs(one - batch).sum() <= 2
  assert read_metrics(run, 'scales')['tag'] == 'miou_0.75_1.0_flipped'
  assert read_metrics(run, 'resized')['num_pixels'] > 0


def test_images_of_their_own_size_and_tiles(run):
  """Sizes of 16 k + 1 need no padding; one tile that holds an image is the whole image."""
  messages = tiny_run.run_main(
      'eval', flags_for(run, 'plain'),
      flags_for(run, 'tile', '--tile_size=49,65', '--tile_overlap=8'),
      flags_for(run, 'tiles', '--tile_size=33,33', '--tile_overlap=8', '--eval_batch_size=2'),
      flags_for(run, 'own', '--eval_crop_size=', '--eval_batch_size=2'),
      flags_for(run, 'odd', '--tile_size=33,33', '--tile_overlap=33'))
  assert messages[:4] == [''] * 4
  plain, tile, tiles, own = [read_metrics(run, name)
                             for name in ('plain', 'tile', 'tiles', 'own')]
  assert tile['confusion_matrix'] == plain['confusion_matrix']
  assert tile['boundary_iou'] == plain['boundary_iou']
  for other in (tiles, own):
    assert other['num_examples'] == len(SAMPLES)
    assert [c['label_pixels'] for c in other['classes']] == [
        c['label_pixels'] for c in plain['classes']]
  predictions = [
      tiny_run.predict(str(run / 'train' / 'model.ckpt-3'), [sample],
                       feature_extractor.mean_pixel('mobilenet_v2'),
                       tiny_run.MODEL_OPTIONS._replace(
                           crop_size=[(side + 14) // 16 * 16 + 1
                                      for side in sample.label.shape]))[0]
      for sample in SAMPLES]
  expected = sum(segmentation_metrics.confusion_matrix(sample.label, prediction, 4)
                 for sample, prediction in zip(SAMPLES, predictions))
  assert np.abs(np.array(own['confusion_matrix']) - expected).sum() <= 4
  rows, _ = image_results.read_per_image(str(run / 'tiles'))
  np.testing.assert_array_equal(sum(row.counts for row in rows)[0],
                                np.diagonal(tiles['confusion_matrix']))
  assert 'The overlap of tiles must be from 0 to less than their size 33,33' in messages[4]


def test_prefix_once_and_the_best_checkpoint(run):
  (run / 'two').mkdir()
  for step in (3, 5):
    tiny_run.write_checkpoint(run / 'two', SAMPLES[0].image, step=step)
  messages = tiny_run.run_main(
      'eval', flags_for(run, 'prefix', '--checkpoint_dir=%s/two/model.ckpt-3' % run,
                        '--also_save_best', '--noper_image_report'),
      flags_for(run, 'newest', '--eval_once', '--checkpoint_dir=%s/two' % run),
      flags_for(run, 'none', '--eval_once', '--checkpoint_dir=%s/records' % run),
      flags_for(run, 'late', '--eval_timeout_secs=0.1', '--checkpoint_dir=%s/records' % run))
  assert messages[:2] == [''] * 2
  assert read_metrics(run, 'prefix')['global_step'] == 3
  assert 'boundary_iou' not in read_metrics(run, 'prefix')
  assert not (run / 'prefix' / 'report.html').exists()
  assert (run / 'prefix' / 'best' / 'model.ckpt-3.index').exists()
  assert read_metrics(run, 'newest')['global_step'] == 5
  assert 'the folder holds no checkpoint' in messages[2]
  assert 'Waited 0 s for a first checkpoint in %s/records' % run in messages[3]


def test_bad_input_is_told_in_one_line(run, tmp_path):
  broken, other = tmp_path / 'broken', tmp_path / 'other'
  for folder in (broken, other):
    folder.mkdir()
  path = tiny_run.write_records(str(broken), SAMPLES)
  with open(path, 'r+b') as f:
    f.seek(os.path.getsize(path) // 2)
    f.write(b'\xff' * 8)
  tiny_run.write_checkpoint(other, SAMPLES[1].image, tiny_run.MODEL_OPTIONS._replace(
      outputs_to_num_classes={'semantic': 7}))

  cases = [
      (['--eval_split=test'], "'test'"),
      (['--dataset=cityscapes'], "Dataset 'cityscapes' has num_classes=19"),
      (['--dataset_dir=%s/absent' % tmp_path], 'absent'),
      (['--checkpoint_dir=%s' % other], 'logits/semantic/weights is [1,1,256,7] in the '
                                        'checkpoint, [1,1,256,4] here'),
      (['--model_variant=mobilenet_v9'], 'mobilenet_v9'),
      (['--eval_crop_size=49'], '--eval_crop_size must be two positive integers'),
      (['--eval_crop_size=33,65'], '--eval_crop_size=33,65 is smaller than images of split '
                                   "'val'"),
      (['--min_resize_value=60'], 'Record tiny/000: the image is 60x75 (height x width), more '
                                  'than the crop size 49,65 holds'),
      (['--dataset_dir=%s' % broken], os.path.basename(path)),
      (['--quantize_delay_step=0'], 'trained in floats: leave out --quantize_delay_step'),
      (['--eval_logdir=%s/x' % path], '--eval_logdir=%s/x cannot be used for results' % path),
      (['--master=grpc://x'], '--master=grpc://x'),
      (['--eval_scales=0'], '--eval_scales must be positive'),
      (['--image_pyramid=1', '--add_flipped_images'], '--image_pyramid cannot be combined'),
  ]
  messages = tiny_run.run_main('eval', *[flags_for(run, 'bad', *flags)
                                         for flags, _ in cases])
  for (flags, expected), message in zip(cases, messages):
    assert expected in message, (flags, message)
    assert not message.strip().count('\n'), message
  assert not (run / 'bad' / 'metrics.json').exists()


def test_the_network_is_that_of_the_run(run, tmp_path):
  train = tmp_path / 'train'
  train.mkdir()
  tiny_run.write_checkpoint(train, SAMPLES[1].image)
  # What tiny_run.MODEL_FLAGS say.
  run_record.write(str(train), {'model_variant': 'mobilenet_v2', 'depth_multiplier': 0.25,
                                'output_stride': 16, 'add_image_level_feature': False})
  common = ('--dataset_dir=%s/records' % run, '--checkpoint_dir=%s' % train,
            '--eval_logdir=%s' % (tmp_path / 'eval'), '--eval_once', '--also_save_best',
            '--noper_image_report', '--eval_crop_size=%d,%d' % tiny_run.CROP)
  code, _, log = tiny_run.run_script('eval.py', *common)
  assert code == 0, log
  assert '--add_image_level_feature=False --depth_multiplier=0.25' in log
  # The best checkpoint takes the record along.
  best = tmp_path / 'eval' / 'best'
  assert run_record.read(str(best / 'model.ckpt-3')) == run_record.read(str(train))
  code, _, log = tiny_run.run_script('eval.py', *(common + ('--depth_multiplier=0.7',)))
  assert code == 1
  assert '--depth_multiplier=0.7, but the checkpoint was trained with' in log.split('\n')[-2]
