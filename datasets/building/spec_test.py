"""Tests of specs, and of builds that tasks share: the same bytes, no merge of what is not right."""
import multiprocessing
import os
import re

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import registry
from deeplab.datasets.building import builder, spec
from deeplab.datasets.records import dataset_info
from deeplab.testing import forked_scripts, tiny_trees

_NUM_TASKS = 3
_FLAGS = ('--num_classes=3', '--split_fractions=train=0.7,val=0.3', '--num_shards=4', '--seed=5',
          '--num_processes=1')


@pytest.fixture(name='raw')
def make_raw(tmp_path):
  """Makes a raw folder of 20 pairs; returns its flags."""
  random = np.random.RandomState(0)
  for kind in ('images', 'labels'):
    (tmp_path / kind).mkdir()
  for i in range(20):
    image = random.randint(0, 256, (8 + i, 12, 3)).astype(np.uint8)
    label = random.randint(0, 3, (8 + i, 12)).astype(np.uint8)
    Image.fromarray(image).save(str(tmp_path / 'images' / ('%02d.png' % i)))
    Image.fromarray(label).save(str(tmp_path / 'labels' / ('%02d.png' % i)))
  return '--image_dir=%s/images' % tmp_path, '--label_dir=%s/labels' % tmp_path


def _run(raw, folder, *flags):
  return forked_scripts.run('datasets/build_custom_data.py', '--output_dir=%s' % folder,
                            '--dataset_name=mine', *(raw + _FLAGS + flags))


def _build(raw, folder, *flags):
  result = _run(raw, folder, *flags)
  assert result.code == 0, result.log
  return result


def _build_tasks(raw, folder, *flags):
  for index in range(_NUM_TASKS):
    _build(raw, folder, '--num_tasks=%d' % _NUM_TASKS, '--task_index=%d' % index, *flags)


def test_tasks_and_a_merge_leave_the_bytes_of_one_build(raw, tmp_path):
  _build(raw, tmp_path / 'one')
  for index in (1, 0, 2):
    result = _build(raw, tmp_path / 'shared', '--num_tasks=3', '--task_index=%d' % index)
    assert not (tmp_path / 'shared' / 'dataset_info.json').exists()
    assert '--num_tasks=3 --merge' in result.last_line
  before = tiny_trees.contents(tmp_path / 'shared')
  assert len([name for name in before if name.endswith('.tfrecord')]) == 7
  _build(raw, tmp_path / 'shared', '--num_tasks=3', '--merge')
  assert tiny_trees.contents(tmp_path / 'shared') == tiny_trees.contents(tmp_path / 'one')
  info = dataset_info.read(str(tmp_path / 'shared'))
  assert {name: split.num_examples for name, split in info.splits.items()} == {
      'train': 14, 'val': 6}


def test_a_task_writes_every_nth_shard_of_every_split(raw, tmp_path):
  _build(raw, tmp_path / 'out', '--num_tasks=3', '--task_index=0')
  assert sorted(name for name in os.listdir(str(tmp_path / 'out')) if name != '.build') == [
      'train-00000-of-00004.tfrecord', 'train-00003-of-00004.tfrecord',
      'val-00000-of-00003.tfrecord']


def test_tasks_that_run_at_once_do_not_disturb_each_other(raw, tmp_path):
  examples = [builder.Example(name, str(tmp_path / 'images' / name),
                              str(tmp_path / 'labels' / name))
              for name in sorted(os.listdir(str(tmp_path / 'images')))]
  spec = builder.DatasetSpec('mine', {'train': examples[:14], 'val': examples[14:]}, 3, 255,
                             num_shards=7)
  builder.build_dataset(spec, str(tmp_path / 'one'), 1)
  context = multiprocessing.get_context('fork')
  processes = [context.Process(target=builder.build_dataset, kwargs=dict(
      spec=spec, output_dir=str(tmp_path / 'shared'), num_processes=1,
      task=builder.BuildTask(_NUM_TASKS, index))) for index in range(_NUM_TASKS)]
  for process in processes:
    process.start()
  for process in processes:
    process.join(60)
  assert [process.exitcode for process in processes] == [0] * _NUM_TASKS
  builder.build_dataset(spec, str(tmp_path / 'shared'), 1,
                        task=builder.BuildTask(_NUM_TASKS, merge=True))
  assert tiny_trees.contents(tmp_path / 'shared') == tiny_trees.contents(tmp_path / 'one')


def test_another_task_keeps_its_unfinished_file_and_old_shards_go_at_the_merge(raw, tmp_path):
  out = tmp_path / 'out'
  _build(raw, out, '--num_shards=2')
  of_others = out / '.train-00001-of-00004.tfrecord.17.tmp'
  own = out / '.train-00000-of-00004.tfrecord.17.tmp'
  for path in (of_others, own):
    path.write_bytes(b'half')
  _build(raw, out, '--num_tasks=3', '--task_index=0')
  assert of_others.exists()
  assert not own.exists()
  assert (out / 'train-00000-of-00002.tfrecord').exists()
  assert not (out / 'dataset_info.json').exists(), 'it described other shards'
  for index in (1, 2):
    _build(raw, out, '--num_tasks=3', '--task_index=%d' % index)
  _build(raw, out, '--merge')
  _build(raw, tmp_path / 'one')
  assert tiny_trees.contents(out) == tiny_trees.contents(tmp_path / 'one')


def test_skipped_examples_are_listed_by_the_merge(raw, tmp_path):
  for name in ('03.png', '11.png', '12.png'):
    (tmp_path / 'images' / name).write_bytes(b'no picture')
  _build(raw, tmp_path / 'one', '--on_error=skip')
  _build_tasks(raw, tmp_path / 'shared', '--on_error=skip')
  assert not [name for name in os.listdir(str(tmp_path / 'shared')) if name.endswith('.txt')]
  _build(raw, tmp_path / 'shared', '--on_error=skip', '--merge')
  assert tiny_trees.contents(tmp_path / 'shared') == tiny_trees.contents(tmp_path / 'one')


# --- what stops a merge ---


def _spoil(out, kind):
  shard = out / 'train-00001-of-00004.tfrecord'
  if kind == 'shard':
    shard.unlink()
  elif kind == 'bytes':
    shard.write_bytes(shard.read_bytes()[:-3])
  elif kind == 'manifest':
    (out / '.build' / (shard.name + '.json')).write_text('{"finger')


@pytest.mark.parametrize('kind, message', [
    ('shard', 'train-00001-of-00004.tfrecord is missing.'),
    ('bytes', r'train-00001-of-00004.tfrecord has \d+ bytes in place of \d+.'),
    ('manifest', r'train-00001-of-00004.tfrecord has no readable .*.tfrecord.json.'),
])
def test_a_shard_that_is_not_ready_stops_the_merge(raw, tmp_path, kind, message):
  out = tmp_path / 'out'
  _build_tasks(raw, out)
  _spoil(out, kind)
  before = tiny_trees.contents(out)
  result = _run(raw, out, '--num_tasks=3', '--merge')
  assert result.code == 1
  assert re.search('error: Nothing is merged: 1 of 7 shards in .* are not ready: ' + message,
                   result.last_line), result.last_line
  assert result.last_line.endswith('--num_tasks=3 --task_index=1')
  assert 'build_custom_data.py --output_dir=%s' % out in result.last_line
  assert tiny_trees.contents(out) == before
  # The command that was named mends it.
  _build(raw, out, '--num_tasks=3', '--task_index=1')
  _build(raw, out, '--num_tasks=3', '--merge')


@pytest.mark.parametrize('change', ['flag', 'file'])
def test_shards_of_another_configuration_stop_the_merge(raw, tmp_path, change):
  out = tmp_path / 'out'
  _build_tasks(raw, out)
  if change == 'file':
    Image.fromarray(np.zeros((8, 12), np.uint8)).save(str(tmp_path / 'labels' / '00.png'))
  before = tiny_trees.contents(out)
  result = _run(raw, out, '--merge', *(['--ignore_label=254'] if change == 'flag' else []))
  assert result.code == 1
  wanted = '7 of 7' if change == 'flag' else '1 of 7'
  assert 'Nothing is merged: %s shards' % wanted in result.last_line
  assert 'was built from other files or settings' in result.last_line
  assert '--merge' not in result.last_line
  assert '--num_tasks' not in result.last_line, 'a merge that was not told of tasks'
  assert tiny_trees.contents(out) == before


def test_a_merge_of_nothing_makes_no_folder(raw, tmp_path):
  result = _run(raw, tmp_path / 'out', '--num_tasks=2', '--merge')
  assert result.code == 1
  assert '7 of 7 shards' in result.last_line
  assert '--num_tasks=2 --task_index=0 (likewise with 1)' in result.last_line
  assert not (tmp_path / 'out').exists()


def test_many_shards_are_counted_rather_than_named():
  message = spec.unfinished_message(
      [(number, 'shard-%d' % number, 'is missing') for number in range(64)], 64, 'out',
      spec.BuildTask(2, None, True, 'build'))
  assert 'shard-9 is missing; and 54 more. What builds them: build --num_tasks=2' in message


@pytest.mark.parametrize('flags, message', [
    (('--num_tasks=3', '--task_index=3'), '--task_index=3 must be in 0..2 with --num_tasks=3.'),
    (('--task_index=1',), '--task_index=1 must be in 0..0 with --num_tasks=1.'),
    (('--num_tasks=3',), '--num_tasks=3: pass --task_index, 0..2'),
    (('--num_tasks=3', '--task_index=0', '--merge'),
     '--merge and --task_index=0 exclude each other'),
    (('--num_tasks=0',), 'num_tasks=0'),
    (('--num_tasks=3', '--task_index=-1'), 'task_index=-1'),
])
def test_flags_that_contradict_each_other_are_told_before_anything_is_read(tmp_path, flags,
                                                                         message):
  absent = ('--image_dir=absent', '--label_dir=absent')
  result = _run(absent, tmp_path / 'out', *flags)
  assert result.code in (1, 2)
  assert message in result.last_line
  assert not (tmp_path / 'out').exists()


def test_commands_are_told_without_the_flags_of_tasks(raw, tmp_path):
  result = _build(raw, tmp_path / 'o ut', '--num_tasks', '2', '--task_index', '1', '--nomerge')
  assert re.search(r"When all tasks are done: python \S*build_custom_data.py "
                   r"'--output_dir=\S*/o ut' .* --num_processes=1 --num_tasks=2 --merge$",
                   result.last_line), result.last_line


@pytest.mark.parametrize('name', ['pascal_voc_seg', 'cityscapes', 'ade20k'])
def test_specs_have_what_the_registry_says(name):
  row = registry.DATASETS[name]
  assert spec.of_published_set(name, {'train': []}, 7, {1: 2}) == spec.DatasetSpec(
      name, {'train': []}, row.num_classes, row.ignore_label, row.class_names, row.colormap, 7,
      {1: 2})
