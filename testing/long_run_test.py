"""Whether a training takes more memory, files or disk the longer it is."""
import glob
import os

import numpy as np
import pytest

from deeplab.testing import forked_scripts, slow, tiny_run

pytestmark = [slow.only_if_asked, pytest.mark.usefixtures('shallow_network')]

# Graph and pools are complete after so many steps.
_WARM_UP_STEPS = 300
_STEPS = slow.times(1000, 20000)
_DEADLINE_SECS = 1800
_MEBIBYTE = 1 << 20
# A leak of 50 KB per step, which long runs of small pictures fail at, is 35 MiB in the short
# run and 960 in the long one.
_MOST_GROWTH_MIB = slow.times(20, 50)
_KEPT = 3


def resident_mib(pid):
  with open('/proc/%d/statm' % pid) as f:
    return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / _MEBIBYTE


def num_open_files(pid):
  return len(os.listdir('/proc/%d/fd' % pid))


@pytest.mark.fault('a thousand steps and more of a tiny model',
                   'memory stays within %d MiB, open files and checkpoints do not become more'
                   % _MOST_GROWTH_MIB)
def test_memory_and_files_do_not_grow_with_the_steps(tmp_path, measured):
  samples = [sample._replace(label=np.minimum(sample.label, 3))
             for sample in tiny_run.make_samples([(33, 33)] * 4)]
  (tmp_path / 'records').mkdir()
  tiny_run.write_records(str(tmp_path / 'records'), samples, split='train')
  with forked_scripts.running(
      'train.py', tmp_path / 'log', '--dataset_dir=%s' % (tmp_path / 'records'),
      '--train_logdir=%s' % (tmp_path / 'run'), '--train_crop_size=33,33',
      '--train_batch_size=1', '--training_number_of_steps=1000000', '--log_steps=50',
      '--fine_tune_batch_norm=false', '--skip_data_check', '--save_interval_secs=5',
      '--keep_checkpoint_max=%d' % _KEPT, *tiny_run.MODEL_FLAGS) as process:
    forked_scripts.wait_for_step(process, _WARM_UP_STEPS)
    before, files_before = resident_mib(process.pid), num_open_files(process.pid)
    forked_scripts.wait_for_step(process, _STEPS, _DEADLINE_SECS)
    growth = resident_mib(process.pid) - before
    assert growth < _MOST_GROWTH_MIB

    def num_more_files():
      return num_open_files(process.pid) - files_before

    # More for moments, in which a checkpoint is written.
    forked_scripts.wait_until(lambda: num_more_files() <= 1, 'end of more open files', process)
    num_checkpoints = len(glob.glob(str(tmp_path / 'run' / 'model.ckpt-*.index')))
    assert num_checkpoints <= _KEPT + 1
  measured('%d steps: %+d MiB, %+d files, %d checkpoints'
           % (_STEPS, growth, num_more_files(), num_checkpoints))
