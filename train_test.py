"""Tests of the trainer from the command line."""
import glob
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from deeplab.core.checkpoints import restoring
from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.testing import damage, forked_scripts, slow, tiny_run
from deeplab.utils.evaluating import checkpoints
from deeplab.utils.runs import loss_table, run_record

pytestmark = pytest.mark.usefixtures('shallow_network')

FLAGS = ('--train_crop_size=33,33', '--train_batch_size=2', '--training_number_of_steps=2',
         '--log_steps=1') + tiny_run.MODEL_FLAGS


# Written as for other versions of DeepLab, of which some ran on one machine like this.
_OF_OTHER_VERSIONS = (
    '--num_ps_tasks=1', '--num_replicas=1', '--decay_steps=30000.0', '--decoder_output_stride=',
    '--label_weights=1', '--label_weights=2', '--label_weights=0.5', '--label_weights=1')


@pytest.fixture(scope='module', name='records')
def make_records(tmp_path_factory):
  folder = tmp_path_factory.mktemp('records')
  tiny_run.write_records(str(folder), tiny_run.make_samples(), split='train')
  return folder


def test_program_trains_logs_and_summarises(records, tmp_path):
  code, _, log = forked_scripts.run_apart(
      'train.py', '--dataset_dir=%s' % records, '--train_logdir=%s' % (tmp_path / 'run'),
      '--save_summaries_images', '--save_summaries_secs=1', *FLAGS + _OF_OTHER_VERSIONS)
  assert code == 0, log
  assert '--num_ps_tasks=1 has no effect: it is for several processes' in log
  assert 'Weights of the classes in the loss: 1, 2, 0.5, 1.' in log
  # Each part of the start is told before it begins.
  told = ['Training on ', 'Building the graph of mobilenet_v2', 'All weights start at random',
          'Starting the session', 'The first step begins.', 'The first step took ',
          'step 1/2  loss ', 'images/s', 'Done: ']
  places = [log.index(text) for text in told]
  assert places == sorted(places)
  flags = run_record.read(str(tmp_path / 'run'))['flags']
  assert flags['train_batch_size'] == 2 and flags['decay_steps'] == 30000
  assert flags['dataset'] == tiny_run.NAME
  table = loss_table.read(str(tmp_path / 'run' / 'losses.csv'))
  assert table['step'].tolist() == [1, 2]
  checkpoint = restoring.resolve_checkpoint(str(tmp_path / 'run'))
  assert restoring.global_step(checkpoint) == 2
  events, = glob.glob(str(tmp_path / 'run' / 'events*'))
  tags = {value.tag for event in tf.train.summary_iterator(events)
          for value in event.summary.value}
  assert {'learning_rate', 'losses/total', 'losses/regularization',
          'variables/MobilenetV2/Conv/weights'} <= tags
  assert any(tag.startswith('samples/label/image') for tag in tags)


# Flags -> a part of the line of error.
_BAD_FLAGS = [
    (('--dataset=pascal_voc_seg',), 'tiny'),
    (('--train_split=val',), "'val'"),
    (('--model_variant=mobilenet_v3',), "Did you mean 'mobilenet_v2'"),
    (('--train_crop_size=33',), '--train_crop_size must be two positive integers'),
    (('--train_crop_size=33,x',), '--train_crop_size must be two positive integers'),
    (('--train_batch_size=1000000000',),
     '--train_batch_size=1000000000 with --train_crop_size=33,33: the images of a step alone '
     'take 13068 GB, and there is '),
    (('--train_batch_size=3', '--num_clones=2'),
     '--train_batch_size=3 must be divisible by --num_clones=2'),
    (('--num_clones=2',), '--num_clones=2, but TensorFlow finds 0 GPUs'),
    (('--precision=float16',), '--precision=float16 is for training on a GPU'),
    (('--precision=float16', '--worker_hosts=a:1,b:1', '--ps_hosts=c:1'),
     '--precision=float16 is for a single worker'),
    (('--eval_during_training', '--eval_split=test'), "split 'test' ("),
    (('--tf_initial_checkpoint=x',), '--tf_initial_checkpoint=x: no such checkpoint'),
    (('--label_weights=1,2',), '--label_weights must be 4 numbers'),
    (('--quantize_delay_step=0', '--num_clones=2', '--clone_on_cpu'),
     'quantize_delay_step=0 needs --num_clones=1, got 2'),
    (('--quantize_delay_step=0', '--worker_hosts=a:1,b:1', '--ps_hosts=c:1'),
     'quantize_delay_step=0 needs a single worker, got 2'),
    (('--quantize_delay_step=0', '--precision=bfloat16'),
     'quantize_delay_step=0 needs --precision=float32, got bfloat16'),
    (('--master=grpc://x',), '--master=grpc://x: '),
    (('--output_stride=12',), 'output_stride=12'),
    (('--min_scale_factor=2', '--max_scale_factor=1'), 'min_scale_factor=2'),
    (('--saturation=2,1',), '--saturation=2,1: the least factor comes first'),
    (('--affine_stddev=1,2',), '--affine_stddev must be 1 or 6 numbers from 0 up'),
    (('--image_pyramid=0',), 'image_pyramid scales must be positive'),
    (('--top_k_percent_pixels=0',), 'top_k_percent_pixels must be in (0, 1]'),
]


def refused(tmp_path, cases):
  """Checks that each of [(flags, part of the line of error)] is refused and leaves nothing."""
  logdir = tmp_path / 'none'
  common = ('--train_logdir=%s' % logdir,) + FLAGS
  messages = tiny_run.run_main('train', *[common + flags for flags, _ in cases])
  for (flags, wanted), message in zip(cases, messages):
    assert wanted in message, (flags, message)
  assert not logdir.exists()


def test_bad_flags_are_named_and_leave_nothing(records, tmp_path):
  here = '--dataset_dir=%s' % records
  refused(tmp_path, [((here,) + flags, wanted) for flags, wanted in _BAD_FLAGS])


def test_bad_folders_are_named_and_leave_nothing(records, tmp_path):
  here = '--dataset_dir=%s' % records
  a_file = tmp_path / 'file'
  a_file.write_text('')
  (tmp_path / 'empty').mkdir()
  unlabelled = tmp_path / 'unlabelled'
  unlabelled.mkdir()
  tiny_run.write_records(str(unlabelled), tiny_run.make_samples(), 'train')
  tiny_run.add_records(str(unlabelled), tiny_run.make_samples(), 'test', has_labels=False)
  refused(tmp_path, [
      (('--dataset_dir=%s' % (tmp_path / 'absent'),), 'absent'),
      (('--dataset_dir=%s' % (tmp_path / 'empty'),), 'empty'),
      (('--dataset_dir=%s' % unlabelled, '--eval_during_training', '--eval_split=test'),
       "Split 'test' in %s has no labels to evaluate on" % unlabelled),
      ((here, '--train_logdir=%s' % a_file),
       '--train_logdir=%s cannot be used for results: File exists.' % a_file),
      ((here, '--profile_logdir=%s' % a_file),
       '--profile_logdir=%s cannot be used for results: File exists.' % a_file),
  ])


def test_two_descriptions_of_a_cluster_must_be_of_the_same(tmp_path):
  cluster = {'cluster': {'chief': ['a:1'], 'worker': ['b:1'], 'ps': ['c:1']},
             'task': {'type': 'chief', 'index': 0}}
  result = forked_scripts.run(
      'train.py', '--dataset_dir=%s' % tmp_path, '--train_logdir=%s' % (tmp_path / 'run'),
      '--worker_hosts=a:1,x:1', '--ps_hosts=c:1', *FLAGS, TF_CONFIG=json.dumps(cluster))
  assert result.code == 1
  assert ('The variable TF_CONFIG and the flags --ps_hosts, --worker_hosts, --job_name and --task '
          'name different clusters: leave one of them out.') in result.last_line
  assert not (tmp_path / 'run').exists()


def test_bad_records_are_named(tmp_path):
  sample = tiny_run.make_samples()[0]
  records = tmp_path / 'records'
  records.mkdir()
  label = sample.label.copy()
  label[3, 4] = 9
  tiny_run.write_records(str(records), [sample._replace(name='odd one', label=label)],
                         split='train')
  code, _, log = forked_scripts.run_apart(
      'train.py', '--dataset_dir=%s' % records, '--train_logdir=%s' % (tmp_path / 'run'),
      *FLAGS)
  assert code == 1
  assert 'train.py: error: Record odd one: the label has the values 9' in log
  assert 'It is record 0 of shard %s' % records in log
  assert os.path.basename(str(restoring.resolve_checkpoint(str(tmp_path / 'run')))) in (
      'model.ckpt-0', 'None')


def test_bad_records_are_skipped_if_asked(tmp_path):
  """Also those that the look at the data sees; without any other the training fails."""
  samples = tiny_run.make_samples()
  odd = [sample._replace(name='odd %d' % index, label=np.full_like(sample.label, 9))
         for index, sample in enumerate(samples)]
  common = []
  for name, records in (('some', odd[:1] + samples), ('all', odd)):
    (tmp_path / name).mkdir()
    tiny_run.write_records(str(tmp_path / name), records, split='train')
    common.append(('--dataset_dir=%s' % (tmp_path / name), '--on_bad_record=skip',
                   '--train_logdir=%s' % (tmp_path / name / 'run'), '--max_bad_fraction=1') + FLAGS)
  stopped, some, none = tiny_run.run_main(
      'train', common[0] + ('--on_bad_record=stop',), *common)
  assert 'Record odd 0: the label has the values 9' in stopped
  assert some == ''
  assert restoring.global_step(
      restoring.resolve_checkpoint(str(tmp_path / 'some' / 'run'))) == 2
  assert 'Training ended at step 0 of 2: no record is left that can be used in the' in none
  assert str(tmp_path / 'all') in none


def test_checkpoints_are_evaluated_and_the_best_kept(records, tmp_path):
  run = tmp_path / 'run'
  code, _, log = forked_scripts.run_apart(
      'train.py', '--dataset_dir=%s' % records, '--train_logdir=%s' % run,
      '--eval_during_training', '--eval_split=train', '--gradient_accumulation_steps=2',
      '--gradient_checkpointing', *FLAGS)
  assert code == 0, log
  best = checkpoints.read_best(str(run / 'best'))
  assert best['checkpoint'] == 'model.ckpt-2'
  assert 'Mean IoU on train: %.4f, the best so far' % best['miou'] in log
  assert restoring.global_step(str(run / 'best' / 'model.ckpt-2')) == 2
  assert run_record.read(str(run / 'best'))['flags']['eval_during_training'] is True
  events, = glob.glob(str(run / 'eval' / 'events*'))
  points = {value.tag: (event.step, value.simple_value)
            for event in tf.train.summary_iterator(events) for value in event.summary.value}
  assert points['miou_1.0'] == (2, pytest.approx(best['miou'], abs=1e-6))


def weights_of(run):
  """Returns dict, name -> value, of everything in the newest checkpoint of a run."""
  reader = tf.train.NewCheckpointReader(restoring.resolve_checkpoint(str(run)))
  return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@slow.only_if_asked_on_tf1
def test_a_seeded_run_that_is_continued_goes_on_with_the_next_images(tmp_path):
  """Weights stay as they are, so that the loss of a step tells which images it had."""
  records, start = tmp_path / 'records', tmp_path / 'start'
  for folder in (records, start):
    folder.mkdir()
  samples = tiny_run.make_samples(sizes=[(33, 41)] * 14)
  tiny_run.write_records(str(records), samples, split='train')
  # Without ASPP there is no dropout.
  tiny_run.write_checkpoint(start, samples[0].image,
                            tiny_run.MODEL_OPTIONS._replace(aspp_with_batch_norm=False))

  def losses(name, num_steps):
    result = forked_scripts.run(
        'train.py', *FLAGS, '--dataset_dir=%s' % records, '--train_logdir=%s' % (tmp_path / name),
        '--training_number_of_steps=%d' % num_steps, '--tf_initial_checkpoint=%s' % start,
        '--noaspp_with_batch_norm', '--nofine_tune_batch_norm', '--base_learning_rate=0',
        '--data_seed=3', '--gradient_accumulation_steps=2')
    assert result.code == 0, result.log
    return loss_table.read(str(tmp_path / name / 'losses.csv'))['total_loss']

  whole = losses('whole', 4)
  assert len(set(np.round(whole, 4))) == 4
  np.testing.assert_allclose(losses('stopped', 2), whole[:2], rtol=1e-5)
  np.testing.assert_allclose(losses('stopped', 4), whole, rtol=1e-5)


_RECORDS_DONE = """
import sys
from deeplab import train
train.FLAGS(sys.argv)
print(train.training_dataset([33, 33], train.machine_flags.cluster_of_flags()).reading.num_done)
"""


@pytest.mark.parametrize('flags, num_done', [
    ((), 60),
    (('--gradient_accumulation_steps=2',), 120),
    (('--worker_hosts=a:1,b:1,c:1', '--ps_hosts=d:1'), 60),
    # Some 10 of the 30 steps are of each worker.
    (('--worker_hosts=a:1,b:1,c:1', '--ps_hosts=d:1', '--nosync', '--task=2'), 20),
    (('--job_name=evaluator', '--nosync'), 60),
])
def test_a_seeded_stream_continues_behind_the_batches_of_the_worker(records, tmp_path, flags,
                                                                    num_done):
  image = tiny_run.make_samples()[0].image
  tiny_run.write_checkpoint(tmp_path, image, step=30)
  # One with a wrong byte does not count.
  later = tiny_run.write_checkpoint(tmp_path, image, step=40)
  damage.flip_middle_bit(pathlib.Path(later + '.data-00000-of-00001'))
  code, output, log = forked_scripts.run_code(
      _RECORDS_DONE, '--dataset_dir=%s' % records, '--train_logdir=%s' % tmp_path,
      '--data_seed=1', *(FLAGS + flags))
  assert code == 0, log
  assert int(output) == num_done


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(records, tmp_path):
  run = tmp_path / 'run'
  flags = FLAGS + ('--dataset_dir=%s' % records, '--train_logdir=%s' % run)
  assert forked_scripts.run('train.py', *flags).code == 0
  good = weights_of(run)
  # The first of these steps sends the weights far away, the loss of the second shows it.
  result = forked_scripts.run('train.py', *flags, '--training_number_of_steps=9',
                              '--base_learning_rate=1e30')
  assert result.code == 1, result.log
  assert re.match(r'train\.py: error: The (loss|gradient) became NaN or infinite in the batch of '
                  r'(tiny/00\d(, )?)+; the weights in %s are those of the last checkpoint' % run,
                  result.last_line)
  assert result.log.count('train.py: error:') == 1
  assert 'Traceback' not in result.log
  kept = weights_of(run)
  assert kept['global_step'] == 2
  assert sorted(kept) == sorted(good)
  assert all(np.array_equal(kept[name], good[name]) for name in good)
  # Nothing stands in the way of going on.
  result = forked_scripts.run('train.py', *flags, '--training_number_of_steps=3')
  assert result.code == 0, result.log
  assert weights_of(run)['global_step'] == 3


def test_weights_that_are_not_finite_are_no_success_and_not_used(records, tmp_path):
  """The last step makes weights infinite, which no loss and no summary shows any more."""
  run = tmp_path / 'run'
  flags = FLAGS + ('--dataset_dir=%s' % records, '--train_logdir=%s' % run)
  assert forked_scripts.run('train.py', *flags).code == 0
  result = forked_scripts.run('train.py', *flags, '--training_number_of_steps=4',
                              '--base_learning_rate=1e38', '--learning_power=0.01',
                              '--slow_start_step=3', '--slow_start_learning_rate=1e-9',
                              '--last_layer_gradient_multiplier=1e6')
  assert result.code == 1, result.log
  problem = r' cannot be used: .* is NaN or infinite, and \d+ more, after a training that went'
  assert re.search('error: The last checkpoint, %s/model.ckpt-4,%s' % (run, problem),
                   result.last_line), result.log
  for script, *words in (
      ('eval.py', '--checkpoint_dir=%s' % run, '--eval_split=train', '--eval_crop_size=65,65',
       '--eval_logdir=%s' % (tmp_path / 'eval'), '--dataset_dir=%s' % records),
      ('export_model.py', '--checkpoint_path=%s' % run, '--export_path=%s' % (tmp_path / 'a.pb'))):
    result = forked_scripts.run(script, *words)
    assert result.code == 1, result.log
    assert re.search('model.ckpt-4' + problem, result.last_line), result.log
  assert not (tmp_path / 'a.pb').exists()
  result = forked_scripts.run('train.py', *flags, '--training_number_of_steps=5')
  assert result.code == 0, result.log
  assert 'Continuing at %s/model.ckpt-2.' % run in result.log
  assert all(np.isfinite(value).all() for value in weights_of(run).values())


@slow.only_if_asked
def test_a_step_too_large_is_refused_with_advice_that_helps(records, tmp_path):
  flags = ('--dataset_dir=%s' % records, '--training_number_of_steps=2', '--log_steps=1',
           '--output_stride=16', '--depth_multiplier=0.5')

  def train(name, *more):
    # Read when TensorFlow is loaded.
    process = subprocess.run(
        [sys.executable, os.path.join(tiny_run.ROOT, 'train.py'), *flags, *more,
         '--train_logdir=%s' % (tmp_path / name)],
        env=dict(os.environ, TF_CPU_BFC_MEM_LIMIT_IN_MB='150'),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return forked_scripts.Result(process.returncode, process.stdout.decode('utf-8', 'replace'))

  too_large = ('--train_batch_size=12', '--train_crop_size=193,193')
  result = train('all', *too_large)
  assert result.code == 1, result.log
  found = re.search(r'(?:Out of|Too little) memory (?:with|for) 12 images of 193x193 pixels per '
                    r'step.* Try half the batch, (--train_batch_size=6), or a smaller '
                    r'--train_crop_size, or (--gradient_checkpointing)\.', result.last_line)
  assert found, result.log
  if IS_TF1:
    return  # Its convolutions have work space that counts in so small a memory.
  assert 'there is 0.16 GB' in result.last_line
  result = train('less', *(too_large + found.groups()))
  assert result.code == 0, result.log
