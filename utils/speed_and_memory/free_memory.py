"""The memory that this process may take yet, on Linux: of the machine and of its container.

Reference: https://docs.kernel.org/admin-guide/cgroup-v2.html, "Memory Interface Files", and
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html, section 3.
"""
import os
import re
import typing


class ControlGroups(typing.NamedTuple):
  """Names of the files of a version of control groups.

  Attributes:
    root: folder of the groups of all processes.
    own_group: pattern of the line of /proc/self/cgroup that has the group of this process.
    limit: file with the largest bytes, or a word where there is no limit.
    taken: file with the bytes that are taken.
    reclaimable: line of memory.stat with the bytes of these that are given up when they are
      needed.
  """
  root: str
  own_group: typing.Pattern
  limit: str
  taken: str
  reclaimable: str


VERSIONS = (
    ControlGroups('sys/fs/cgroup', re.compile(r'^0::(.*)$', re.MULTILINE), 'memory.max',
                  'memory.current', 'inactive_file'),
    ControlGroups('sys/fs/cgroup/memory', re.compile(r'^\d+:(?:.*,)?memory(?:,.*)?:(.*)$',
                                                     re.MULTILINE),
                  'memory.limit_in_bytes', 'memory.usage_in_bytes', 'total_inactive_file'),
)


def free_bytes(root='/'):
  """Returns the bytes of memory that this process may take yet, or None where not known.

  That is what the machine has available, within what is left of the limits of its control group,
  as containers and batch systems set them, and of those above it.

  Args:
    root: folder of proc/ and sys/.
  """
  kilobytes = _number_after('MemAvailable:', _text_of(os.path.join(root, 'proc/meminfo')))
  if kilobytes is None:
    return None
  left = [left for version in VERSIONS for left in _left_in_groups(root, version)]
  return min([kilobytes << 10] + left)


def _left_in_groups(root, version):
  """Yields the bytes left in each group of this process that has a limit."""
  own = version.own_group.search(_text_of(os.path.join(root, 'proc/self/cgroup')))
  # In a container the group is called as outside of it, but its files are those of the root.
  group = own.group(1).strip('/') if own else ''
  while True:
    folder = os.path.join(root, version.root, group)
    try:
      limit = int(_text_of(os.path.join(folder, version.limit)))
      taken = int(_text_of(os.path.join(folder, version.taken)))
    except ValueError:
      pass  # Another version, no limit, or no such group.
    else:
      reclaimable = _number_after(version.reclaimable + ' ',
                                  _text_of(os.path.join(folder, 'memory.stat')))
      yield max(0, limit - max(0, taken - (reclaimable or 0)))
    if not group:
      return
    group = os.path.dirname(group)


def _number_after(name, text):
  """Returns the number behind a name at the start of a line, or None."""
  match = re.search(r'^%s\s*(\d+)' % re.escape(name), text, re.MULTILINE)
  return int(match.group(1)) if match else None


def _text_of(path):
  """Returns the text of a file of the system; '' where there is none."""
  try:
    with open(path) as stream:  # local: /proc and /sys
      return stream.read()
  except OSError:
    return ''
