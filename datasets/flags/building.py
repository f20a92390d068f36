"""Flags that all builders of records share."""
import shlex
import sys

from absl import flags

from deeplab.command_line import declaring, image_flags
from deeplab.core.usage import UsageError
from deeplab.datasets.building import spec

FLAGS = flags.FLAGS

_TASK_FLAGS = ('num_tasks', 'task_index', 'merge')


def define_builder_flags():
  """Declares the flags of all dataset builders; `build_options` returns their values."""
  define_work_flags()
  define_task_flags()


def define_work_flags():
  """Declares the flags of work on many files; `work_options` returns their values."""
  declaring.declare_one('num_processes', spec.NUM_PROCESSES)
  declaring.declare_one('on_error', spec.ON_ERROR)
  image_flags.define_image_limit_flag(spec.WORK)


def define_task_flags():
  """Declares the flags of builds that several machines share."""
  declaring.declare(spec.BuildTask)


def build_options():
  """Returns the flags as arguments of `builder.build_dataset`; ValueError if they clash."""
  task = spec.BuildTask(command=_command_without_tasks(), **declaring.values_of(spec.BuildTask))
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
