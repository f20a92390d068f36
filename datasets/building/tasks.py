"""The part of a build that one machine does, where several share it.

Every task lists and divides the raw files alike and writes the shards whose number leaves its
index when divided by the number of tasks; nothing is sent between them. A last one, of `merge`,
checks that all shards are there and describes them.
"""
import typing

from deeplab.core.usage import UsageError

_MAX_NAMED = 10


class BuildTask(typing.NamedTuple):
  """Which shards of a build to write.

  Attributes:
    num_tasks: number of tasks that share the shards of every split.
    index: number of this task, from 0; None where there is one alone, or for `merge`.
    merge: whether to write no shards, but check those of all tasks and describe them.
    command: command line of the build without the flags of tasks, for messages.
  """
  num_tasks: int = 1
  index: typing.Optional[int] = None
  merge: bool = False
  command: str = 'the builder'

  @property
  def is_part(self):
    """Whether other tasks write other shards."""
    return self.num_tasks > 1 and not self.merge

  def owns(self, shard):
    """Whether this task writes the shard of a number, from 0, of a split."""
    return not self.merge and shard % self.num_tasks == (self.index or 0)


ALONE = BuildTask()


def check(task):
  """Raises ValueError for a BuildTask that contradicts itself; names the flags."""
  if task.num_tasks < 1:
    raise UsageError('--num_tasks=%d must be at least 1.' % task.num_tasks)
  if task.merge and task.index is not None:
    raise UsageError('--merge and --task_index=%d exclude each other: start the tasks with '
                     '--task_index, and when all are done one with --merge.' % task.index)
  if task.index is not None and not 0 <= task.index < task.num_tasks:
    raise UsageError('--task_index=%d must be in 0..%d with --num_tasks=%d.'
                     % (task.index, task.num_tasks - 1, task.num_tasks))
  if task.is_part and task.index is None:
    raise UsageError('--num_tasks=%d: pass --task_index, 0..%d, to write the shards of one task, '
                     'or --merge when all are written.' % (task.num_tasks, task.num_tasks - 1))


def unfinished_message(problems, num_shards, output_dir, task):
  """Returns the message on a merge of shards that are not all ready.

  Args:
    problems: list of (number of the shard in its split, file name, what is wrong with it).
    num_shards: number of shards of all splits.
    output_dir: folder of the records.
    task: BuildTask of the merge.
  """
  named = ['%s %s' % (name, what) for _, name, what in problems[:_MAX_NAMED]]
  if len(problems) > _MAX_NAMED:
    named.append('and %d more' % (len(problems) - _MAX_NAMED))
  command = task.command
  if task.num_tasks > 1:
    indices = sorted({shard % task.num_tasks for shard, _, _ in problems})
    command += ' --num_tasks=%d --task_index=%d' % (task.num_tasks, indices[0])
    if indices[1:]:
      command += ' (likewise with %s)' % ', '.join(str(index) for index in indices[1:])
  return ('Nothing is merged: %d of %d shards in %s are not ready: %s. What builds them: %s'
          % (len(problems), num_shards, output_dir, '; '.join(named), command))
