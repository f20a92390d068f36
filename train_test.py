"""Tests of the trainer from the command line."""
import glob
import os

import pytest

from deeplab.core import checkpoints
from deeplab.core.tf_compat import tf
from deeplab.utils import best_checkpoint, loss_table, run_record, tiny_run

FLAGS = ('--train_crop_size=33,33', '--train_batch_size=2', '--training_number_of_steps=2',
         '--log_steps=1') + tiny_run.MODEL_FLAGS


@pytest.fixture(scope='module', name='records')
def make_records(tmp_path_factory):
  folder = tmp_path_factory.mktemp('records')
  tiny_run.write_records(str(folder), tiny_run.make_samples(), split='train')
  return folder


def test_program_trains_logs_and_summarises(records, tmp_path):
  code, _, log = tiny_run.run_script(
      'train.py', '--dataset_dir=%s' % records, '--train_logdir=%s' % (tmp_path / 'run'),
      '--save_summaries_images', '--save_summaries_secs=1', *FLAGS)
  assert code == 0, log
  assert 'step 1/2  loss ' in log
  assert 'images/s' in log
  assert run_record.read(str(tmp_path / 'run'))['flags']['train_batch_size'] == 2
  table = loss_table.read(str(tmp_path / 'run' / 'losses.csv'))
  assert table['step'].tolist() == [1, 2]
  checkpoint = checkpoints.resolve_checkpoint(str(tmp_path / 'run'))
  assert checkpoints.global_step(checkpoint) == 2
  events, = glob.glob(str(tmp_path / 'run' / 'events*'))
  tags = {value.tag for event in tf.train.summary_iterator(events)
          for value in event.summary.value}
  assert {'learning_rate', 'losses/total', 'losses/regularization',
          'variables/MobilenetV2/Conv/weights'} <= tags
  assert any(tag.startswith('samples/label/image') for tag in tags)


def test_bad_input_is_named_and_leaves_nothing(records, tmp_path):
  logdir = tmp_path / 'none'
  common = ('--train_logdir=%s' % logdir,) + FLAGS
  here = '--dataset_dir=%s' % records
  (tmp_path / 'empty').mkdir()
  cases = [
      (('--dataset_dir=%s' % (tmp_path / 'absent'),), 'absent'),
      (('--dataset_dir=%s' % (tmp_path / 'empty'),), 'empty'),
      ((here, '--dataset=pascal_voc_seg'), 'tiny'),
      ((here, '--train_split=val'), "'val'"),
      ((here, '--model_variant=mobilenet_v3'), "Did you mean 'mobilenet_v2'"),
      ((here, '--train_crop_size=33'), '--train_crop_size must be two positive integers'),
      ((here, '--train_crop_size=33,x'), '--train_crop_size must be two positive integers'),
      ((here, '--train_batch_size=3', '--num_clones=2'),
       '--train_batch_size=3 must be divisible by --num_clones=2'),
      ((here, '--num_clones=2'), '--num_clones=2, but TensorFlow finds 0 GPUs'),
      ((here, '--precision=float16'), '--precision=float16 is for training on a GPU'),
      ((here, '--eval_during_training', '--eval_split=test'), "split 'test' ("),
      ((here, '--tf_initial_checkpoint=x'), '--tf_initial_checkpoint=x: no such checkpoint'),
      ((here, '--label_weights=1,2'), '--label_weights must be 4 numbers'),
      ((here, '--quantize_delay_step=0', '--num_clones=2', '--clone_on_cpu'),
       'quantize_delay_step=0 needs'),
      ((here, '--master=grpc://x'), '--master=grpc://x: '),
      ((here, '--output_stride=12'), 'output_stride=12'),
      ((here, '--min_scale_factor=2', '--max_scale_factor=1'), 'min_scale_factor=2'),
      ((here, '--saturation=2,1'), '--saturation=2,1: the least factor comes first'),
      ((here, '--affine_stddev=1,2'), '--affine_stddev must be 1 or 6 numbers from 0 up'),
      ((here, '--hue=0.6'), '--hue=0.6 must be in 0..0.5'),
      ((here, '--image_pyramid=0'), 'image_pyramid scales must be positive'),
      ((here, '--top_k_percent_pixels=0'), 'top_k_percent_pixels must be in (0, 1]'),
  ]
  messages = tiny_run.run_main('train', *[common + flags for flags, _ in cases])
  for (flags, wanted), message in zip(cases, messages):
    assert wanted in message, (flags, message)
  assert not logdir.exists()


def test_bad_records_are_named(tmp_path):
  sample = tiny_run.make_samples()[0]
  records = tmp_path / 'records'
  records.mkdir()
  label = sample.label.copy()
  label[3, 4] = 9
  tiny_run.write_records(str(records), [sample._replace(name='odd one', label=label)],
                         split='train')
  code, _, log = tiny_run.run_script(
      'train.py', '--dataset_dir=%s' % records, '--train_logdir=%s' % (tmp_path / 'run'),
      *FLAGS)
  assert code == 1
  assert 'train.py: error: Record odd one: the label has the values 9' in log
  assert os.path.basename(str(checkpoints.resolve_checkpoint(str(tmp_path / 'run')))) in (
      'model.ckpt-0', 'None')


def test_checkpoints_are_evaluated_and_the_best_kept(records, tmp_path):
  run = tmp_path / 'run'
  code, _, log = tiny_run.run_script(
      'train.py', '--dataset_dir=%s' % records, '--train_logdir=%s' % run,
      '--eval_during_training', '--eval_split=train', '--gradient_accumulation_steps=2',
      '--gradient_checkpointing', *FLAGS)
  assert code == 0, log
  best = best_checkpoint.read_best(str(run / 'best'))
  assert best['checkpoint'] == 'model.ckpt-2'
  assert 'Mean IoU on train: %.4f, the best so far' % best['miou'] in log
  assert checkpoints.global_step(str(run / 'best' / 'model.ckpt-2')) == 2
  assert run_record.read(str(run / 'best'))['flags']['eval_during_training'] is True
  events, = glob.glob(str(run / 'eval' / 'events*'))
  points = {value.tag: (event.step, value.simple_value)
            for event in tf.train.summary_iterator(events) for value in event.summary.value}
  assert points['miou_1.0'] == (2, pytest.approx(best['miou'], abs=1e-6))
