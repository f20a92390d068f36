"""Records that declare a raw dataset, its pairs of files, splits and classes, and its build.

Several machines may share a build. Every task lists and divides the raw files alike and writes
the shards whose number leaves its index when divided by the number of tasks; nothing is sent
between them. A last one, of `merge`, checks that all shards are there and describes them.
"""
import math
import os
import typing

from deeplab.core import keys, settings
from deeplab.core.settings import NO_FLAG, Setting
from deeplab.core.usage import UsageError
from deeplab.datasets import registry

WORK = 'work and errors'
STOP, SKIP = ON_ERRORS = 'stop', 'skip'
NUM_PROCESSES = Setting(
    None, 'Number of worker processes; each takes about one processor. Default: one per processor.',
    int, at_least=1, group=WORK)
ON_ERROR = Setting(
    STOP, 'At an image or label that cannot be used: stop, or skip it, count it in the log and '
    'list it in skipped_<split>.txt beside the records.', choices=ON_ERRORS, group=WORK)
NUM_SHARDS = Setting(
    4, 'Number of files to spread the records of a split over.', at_least=1,
    group='records to write')
LABELS_AS_STORED = Setting(
    False, 'Labels were drawn on the pixels as the image files store them: they are turned with '
    'the images where EXIF says so. Where the size shows it, this is done without the flag.')

_MAX_NAMED = 10


class Example(typing.NamedTuple):
  """One image and its label map on disk."""
  name: str  # Name of the record.
  image_path: str  # Path of the image, of any format Pillow reads.
  # Path of the label map, a PNG of class ids; or a label source (see `label_sources.py`); None only
  # in the split 'test'.
  label: typing.Any = None
  # Body points as numbers, [1, num_points, 2 or more]; or the path of a JSON file with them, as it
  # is or under the key 'pose_landmarks'; None: none.
  landmarks: typing.Any = None

  @property
  def image_stem(self):
    """The file name of the image, without folder and extension."""
    return os.path.splitext(os.path.basename(self.image_path))[0]


class DatasetSpec(typing.NamedTuple):
  """A raw dataset, ready to be built."""
  name: str  # Name of the dataset.
  # Dict, split name -> list of Example, in the order of the records.
  splits: typing.Dict[str, typing.Sequence[Example]]
  num_classes: int  # Number of class ids, at most 256.
  ignore_label: int  # Label value that takes no part in training and evaluation, 0..255.
  class_names: typing.Optional[typing.Sequence[str]] = None  # One name per class id, or None.
  # Name in `core.colormaps.COLORMAPS`, list of [r, g, b] per class id, or None.
  colormap: typing.Any = None
  num_shards: int = NUM_SHARDS.default
  # Dict, value in the label file -> class id or ignore_label, or None to take the values as they
  # are. With a map, values that are not in it are an error, the ignore label excepted. Label
  # sources give class ids, which no map changes.
  label_map: typing.Optional[typing.Dict[int, int]] = None
  # Number of examples per shard, which then decides instead of num_shards, or None.
  shard_size: typing.Optional[int] = None
  # (lowest, highest) value of images of more than 8 bits, which become black and white; or
  # `image_range.AUTO`; None: as `image_range.resolve` says.
  image_range: typing.Any = None
  labels_as_stored: bool = LABELS_AS_STORED.default


@settings.record
class BuildTask(object):
  """Which shards of a build to write."""
  num_tasks = Setting(
      1, 'Number of machines, or processes, that share the shards of each split; each runs the '
      'same command with its own --task_index.', at_least=1, group='several machines')
  task_index = Setting(
      None, 'Which of --num_tasks this one is, from 0: it writes the shards whose number leaves it '
      'when divided by num_tasks, and no dataset_info.json. Required with --num_tasks over 1, '
      'unless --merge.', int, at_least=0)
  merge = Setting(
      False, 'Writes no shards, but checks that those of all tasks are there, whole and of this '
      'command, and writes dataset_info.json.')
  command = Setting(
      'the builder', 'Command line of the build without these flags, for messages.', group=NO_FLAG)

  @property
  def is_part(self):
    """Whether other tasks write other shards."""
    return self.num_tasks > 1 and not self.merge

  def owns(self, shard):
    """Whether this task writes the shard of a number, from 0, of a split."""
    return not self.merge and shard % self.num_tasks == (self.task_index or 0)


ALONE = BuildTask()


def of_published_set(name, splits, num_shards, label_map=None):
  """Returns the DatasetSpec of a row of `registry.DATASETS`; splits, ... as there."""
  row = registry.DATASETS[name]
  return DatasetSpec(
      name=name, splits=splits, num_classes=row.num_classes, ignore_label=row.ignore_label,
      class_names=row.class_names, colormap=row.colormap, num_shards=num_shards,
      label_map=label_map)


def check(spec):
  """Raises ValueError for a DatasetSpec that cannot be built whatever the files hold."""
  for field, lowest, highest, words in (
      ('num_classes', 1, 256, 'in 1..256'), ('ignore_label', 0, 255, 'in 0..255'),
      ('num_shards', 1, math.inf, 'at least 1'), ('shard_size', 1, math.inf, 'at least 1')):
    value = getattr(spec, field)
    if not (field == 'shard_size' and value is None or lowest <= value <= highest):
      raise ValueError('%s must be %s, got %r.' % (field, words, value))
  if spec.class_names is not None and len(spec.class_names) != spec.num_classes:
    raise ValueError('class_names must hold %d names for num_classes=%d, got %d.'
                     % (spec.num_classes, spec.num_classes, len(spec.class_names)))
  targets = set((spec.label_map or {}).values())
  bad = sorted(t for t in targets if not 0 <= t < spec.num_classes and t != spec.ignore_label)
  if bad:
    raise ValueError('label_map maps to %s; expected 0..%d or the ignore label %d.'
                     % (bad, spec.num_classes - 1, spec.ignore_label))
  if not spec.splits:
    raise ValueError('Dataset %r has no splits to build.' % spec.name)
  for split, examples in spec.splits.items():
    _check_split(split, examples)


def check_task(task):
  """Raises ValueError for a BuildTask that contradicts itself; names the flags."""
  if task.num_tasks < 1:
    raise UsageError('--num_tasks=%d must be at least 1.' % task.num_tasks)
  if task.merge and task.task_index is not None:
    raise UsageError('--merge and --task_index=%d exclude each other: start the tasks with '
                     '--task_index, and when all are done one with --merge.' % task.task_index)
  if task.task_index is not None and not 0 <= task.task_index < task.num_tasks:
    raise UsageError('--task_index=%d must be in 0..%d with --num_tasks=%d.'
                     % (task.task_index, task.num_tasks - 1, task.num_tasks))
  if task.is_part and task.task_index is None:
    raise UsageError('--num_tasks=%d: pass --task_index, 0..%d, to write the shards of one task, '
                     'or --merge when all are written.' % (task.num_tasks, task.num_tasks - 1))


def unfinished_message(problems, num_shards, output_dir, task):
  """Returns the message on the BuildTask of a merge of shards that are not all ready.

  `problems` are (number of the shard in its split, file name, what is wrong with it); `num_shards`
  is that of all splits.
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


def _check_split(split, examples):
  if not split or '/' in split or split.startswith('.'):
    raise ValueError('%r cannot be the name of a split: it begins the file names.' % split)
  if not examples:
    raise ValueError('Split %r is empty: there are no examples to build.' % split)
  seen = set()
  for item in examples:
    if item.name in seen:
      raise ValueError('Split %r names the record %r twice.' % (split, item.name))
    seen.add(item.name)
    if item.label is None and split != keys.TEST_SET:
      raise ValueError('Record %r of split %r has no label; only split %r may have none.'
                       % (item.name, split, keys.TEST_SET))
