"""Tests of the memory that a process may take yet."""
import os

import pytest

from deeplab.utils.speed_and_memory import free_memory

_MEMINFO = 'MemTotal:  8388608 kB\nMemFree:  100 kB\nMemAvailable:    4194304 kB\n'
_GB = 1 << 30
_SLURM = 'sys/fs/cgroup/memory/slurm/job_7'
_SLICE = 'sys/fs/cgroup/user.slice/job.scope'


@pytest.mark.parametrize('files, expected', [
    pytest.param({}, 4 * _GB, id='no groups'),
    pytest.param({'sys/fs/cgroup/memory.max': 'max\n', 'sys/fs/cgroup/memory.current': '5\n'},
                 4 * _GB, id='no limit'),
    pytest.param({'sys/fs/cgroup/memory.max': 2 * _GB, 'sys/fs/cgroup/memory.current': _GB,
                  'sys/fs/cgroup/memory.stat': 'anon 3\ninactive_file %d\nfile 5\n' % (_GB // 2)},
                 3 * _GB // 2, id='a container'),
    pytest.param({'sys/fs/cgroup/memory.max': 9 * _GB, 'sys/fs/cgroup/memory.current': _GB},
                 4 * _GB, id='a limit above what is free'),
    pytest.param({'sys/fs/cgroup/memory.max': 2 * _GB, 'sys/fs/cgroup/memory.current': 3 * _GB},
                 0, id='more than the limit is taken'),
    pytest.param({'sys/fs/cgroup/memory/memory.limit_in_bytes': 2 * _GB,
                  'sys/fs/cgroup/memory/memory.usage_in_bytes': _GB,
                  'sys/fs/cgroup/memory/memory.stat':
                      'inactive_file 7\ntotal_inactive_file %d\n' % (_GB // 4)},
                 5 * _GB // 4, id='a container, version 1'),
    pytest.param({'proc/self/cgroup': '5:cpu:/x\n4:memory:/slurm/job_7/step_0\n0::/y\n',
                  _SLURM + '/memory.limit_in_bytes': _GB, _SLURM + '/memory.usage_in_bytes': 1,
                  _SLURM + '/step_0/memory.limit_in_bytes': 2 ** 63 - 4096,
                  _SLURM + '/step_0/memory.usage_in_bytes': 1},
                 _GB - 1, id='a job of a batch system, version 1'),
    pytest.param({'proc/self/cgroup': '0::/user.slice/job.scope\n',
                  _SLICE + '/memory.max': 2 * _GB, _SLICE + '/memory.current': 5,
                  'sys/fs/cgroup/user.slice/memory.max': _GB,
                  'sys/fs/cgroup/user.slice/memory.current': 7},
                 _GB - 7, id='a group within a smaller one'),
])
def test_what_is_free_is_within_the_limits_of_groups(tmp_path, files, expected):
  for name, content in dict({'proc/meminfo': _MEMINFO}, **files).items():
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(content))
  assert free_memory.free_bytes(str(tmp_path)) == expected


def test_what_is_free_is_within_the_machine():
  free = free_memory.free_bytes()
  if free is None:
    pytest.skip('not told by this system')
  assert 1 << 20 < free <= os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')


def test_what_is_free_is_unknown_where_the_system_does_not_tell_it(tmp_path):
  assert free_memory.free_bytes(str(tmp_path)) is None
