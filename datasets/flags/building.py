"""Flags that all builders of records share."""
import shlex
import sys

from absl import flags

from deeplab.command_line import flag_groups, image_flags
from deeplab.core.usage import UsageError
from deeplab.datasets.building import shard_writer, spec

FLAGS = flags.FLAGS

_TASK_FLAGS = ('num_tasks', 'task_index', 'merge')


def define_builder_flags():
  """Declares the flags of all dataset builders; `build_options` returns their values."""
  define_work_flags()
  define_task_flags()


def define_work_flags():
  """Declares the flags of work on many files; `work_options` returns their values."""
  flag_groups.begin('work and errors')
  flags.DEFINE_integer('num_processes', None,
                       'Number of worker processes; each takes about one processor. Default: '
                       'one per processor.', lower_bound=1)
  flags.DEFINE_enum('on_error', shard_writer.STOP, shard_writer.ON_ERROR,
                    'At an image or label that cannot be used: stop, or skip it, count it in '
                    'the log and list it in skipped_<split>.txt beside the records.')
  image_flags.define_image_limit_flag('work and errors')


def define_task_flags():
  """Declares the flags of builds that several machines share."""
  flag_groups.begin('several machines')
  flags.DEFINE_integer('num_tasks', 1,
                       'Number of machines, or processes, that share the shards of each split; '
                       'each runs the same command with its own --task_index.', lower_bound=1)
  flags.DEFINE_integer('task_index', None,
                       'Which of --num_tasks this one is, from 0: it writes the shards whose '
                       'number leaves it when divided by num_tasks, and no dataset_info.json. '
                       'Required with --num_tasks over 1, unless --merge.',
                       lower_bound=0)
  flags.DEFINE_boolean('merge', False,
                       'Writes no shards, but checks that those of all tasks are there, whole '
                       'and of this command, and writes dataset_info.json.')


def build_options():
  """Returns the flags as arguments of `builder.build_dataset`; ValueError if they clash."""
  task = spec.BuildTask(FLAGS.num_tasks, FLAGS.task_index, FLAGS.merge,
                        _command_without_tasks())
  spec.check_task(task)
  return dict(work_options(), task=task)


def work_options():
  """Returns the values of `define_work_flags` as keyword arguments."""
  return {'num_processes': FLAGS.num_processes, 'on_error': FLAGS.on_error}


def refuse_tasks(reason):
  """Raises ValueError if machines are to share the build; says why that cannot be."""
  for name in _TASK_FLAGS:
    if FLAGS[name].value != FLAGS[name].default:
      raise UsageError('--%s: %s' % (name, reason))


def _command_without_tasks():
  """Returns the command line of this process without the flags of tasks."""
  words, is_value = ['python'], False
  for word in sys.argv:
    name = word.lstrip('-').split('=')[0] if word.startswith('-') else None
    if not is_value and name not in _TASK_FLAGS + ('nomerge',):
      words.append(shlex.quote(word))
    # Flags of numbers may have their value in a word of its own.
    is_value = name in _TASK_FLAGS[:2] and '=' not in word
  return ' '.join(words)
