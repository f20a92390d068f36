"""Whether a training takes more memory the longer it is."""
import os
import signal

import numpy as np

from deeplab.testing import forked_scripts, tiny_cluster, tiny_run

# Graph and pools are complete after so many steps.
_WARM_UP_STEPS, _STEPS = 300, 1000
_MEBIBYTE = 1 << 20
# A leak of 50 KB per step, which long runs of small pictures fail at, is 35 MiB.
_MOST_GROWTH_MIB = 20


def resident_mib(pid):
  with open('/proc/%d/statm' % pid) as f:
    return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / _MEBIBYTE


def num_open_files(pid):
  return len(os.listdir('/proc/%d/fd' % pid))


def test_memory_and_files_do_not_grow_with_the_steps(tmp_path):
  samples = [sample._replace(label=np.minimum(sample.label, 3))
             for sample in tiny_run.make_samples([(33, 33)] * 4)]
  (tmp_path / 'records').mkdir()
  tiny_run.write_records(str(tmp_path / 'records'), samples, split='train')
  process = forked_scripts.start(
      'train.py', tmp_path / 'log', '--dataset_dir=%s' % (tmp_path / 'records'),
      '--train_logdir=%s' % (tmp_path / 'run'), '--train_crop_size=33,33',
      '--train_batch_size=1', '--training_number_of_steps=1000000', '--log_steps=50',
      '--fine_tune_batch_norm=false', '--skip_data_check', *tiny_run.MODEL_FLAGS)
  try:
    tiny_cluster.wait_for_step(process, _WARM_UP_STEPS)
    before, files_before = resident_mib(process.pid), num_open_files(process.pid)
    tiny_cluster.wait_for_step(process, _STEPS)
    assert resident_mib(process.pid) - before < _MOST_GROWTH_MIB
    assert num_open_files(process.pid) <= files_before
  finally:
    process.send(signal.SIGKILL)
