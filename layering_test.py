"""The drawing of the house holds: imports go down, flags stay at the door, no prints.

Reads sources with `ast`; needs no TensorFlow.
"""
import ast
import os

import pytest

ROOT = os.path.dirname(os.path.abspath(__file__))
SKIPPED_FOLDERS = {'g3doc', 'build', 'experiments', 'node_modules'}

# Floor of each room; a module may import modules of its own room or of lower floors.
# Rooms on the same floor do not know each other.
FLOORS = {'core': 0, 'model': 1, 'datasets': 1, 'utils': 2, 'evaluation': 2, 'deployment': 2,
          'scripts': 3}
DATASETS_ROOM = {'input_preprocess'}
SCRIPTS = {'common', 'train', 'eval', 'vis', 'predict', 'export_model', 'convert_to_tflite',
           'datasets/doctor', 'datasets/preview', 'utils/plot_losses', 'utils/compare_runs',
           'utils/inspect_checkpoint', 'deployment/cluster_scripts',
           'utils/scaling_prediction'}
# What scripts share, and the scripts that live beside the libraries they call.
SCRIPT_PREFIXES = ('command_line/', 'datasets/build_', 'datasets/remove_gt_colormap',
                   'utils/benchmark', 'evaluation/eval_coco_format', 'evaluation/make_sample')


def source_files():
  for folder, folders, files in os.walk(ROOT):
    folders[:] = sorted(f for f in folders
                        if not f.startswith('.') and f not in SKIPPED_FOLDERS)
    for name in sorted(files):
      if name.endswith('.py') and not name.endswith('_test.py') and name != 'conftest.py':
        yield os.path.relpath(os.path.join(folder, name), ROOT).replace(os.sep, '/')


FILES = [f for f in source_files() if f != '__init__.py']


def room(path):
  """Returns the room of a module path such as 'core/aspp' or 'train'."""
  if path.startswith(SCRIPT_PREFIXES) or path in SCRIPTS:
    return 'scripts'
  if path in DATASETS_ROOM:
    return 'datasets'
  return path.split('/')[0]


def parse(path):
  with open(os.path.join(ROOT, path)) as stream:
    return ast.parse(stream.read(), path)


def imported_modules(tree):
  """Yields dotted names of everything a module imports, anywhere in it."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      for alias in node.names:
        yield alias.name
    elif isinstance(node, ast.ImportFrom) and node.module:
      for alias in node.names:
        yield '%s.%s' % (node.module, alias.name)


def package_path(dotted):
  """Returns 'core/aspp' for 'deeplab.core.aspp[.name]', or None for other packages."""
  parts = dotted.split('.')
  if parts[0] != 'deeplab':
    return None
  for end in range(len(parts), 1, -1):
    path = '/'.join(parts[1:end])
    if os.path.isfile(os.path.join(ROOT, path + '.py')) or os.path.isdir(
        os.path.join(ROOT, path)):
      return path
  return None


@pytest.mark.parametrize('path', FILES)
def test_imports_go_down(path):
  own = room(path[:-3])
  for dotted in imported_modules(parse(path)):
    target = package_path(dotted)
    if target is None:
      continue
    other = room(target)
    assert other == own or FLOORS[other] < FLOORS[own], (
        '%s (%s) imports %s (%s)' % (path, own, dotted, other))


@pytest.mark.parametrize('path', FILES)
def test_tensorflow_comes_through_one_door(path):
  if path == 'core/tf_compat.py':
    return
  for dotted in imported_modules(parse(path)):
    assert dotted.split('.')[0] not in ('tensorflow', 'tf_slim'), (
        '%s imports %s: use deeplab.core.tf_compat' % (path, dotted))


@pytest.mark.parametrize('path', FILES)
def test_flags_and_prints_stay_in_scripts(path):
  if room(path[:-3]) == 'scripts':
    return
  tree = parse(path)
  assert 'absl.flags' not in set(imported_modules(tree)), '%s reads flags' % path
  is_program = any(isinstance(node, ast.FunctionDef) and node.name == 'main'
                   for node in tree.body)
  prints = [node.lineno for node in ast.walk(tree)
            if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'print']
  assert is_program or not prints, '%s prints at line %s' % (path, prints)


def test_every_room_is_on_the_drawing():
  assert {room(path[:-3]) for path in FILES} <= set(FLOORS)
