"""The plan of the house holds: imports go down, flags stay at the door, libraries do not print.

A room is a folder; what stands in the root is a room of its own. Reads sources with `ast`; needs
no TensorFlow.
"""
import ast
import collections
import os

import pytest

ROOT = os.path.dirname(os.path.abspath(__file__))
SKIPPED_FOLDERS = {'g3doc', 'build', 'experiments', 'node_modules'}

# From top to bottom. A module imports from its own package or from lower floors; those of one
# floor do not know each other.
FLOORS = (
    ('tools',),
    ('train', 'eval', 'vis', 'predict', 'export_model', 'convert_to_tflite', 'testing'),
    ('common',),
    ('utils',),
    ('deployment',),
    ('evaluation',),
    ('datasets',),
    ('model', 'input_preprocess', 'command_line'),
    ('core',),
)
# The same for the folders of a package.
ROOMS = {
    'tools': (('benchmarks', 'checkpoints', 'cluster', 'demo', 'records', 'runs'),),
    'utils': (('training', 'evaluating', 'pictures'),
              ('inference', 'runs', 'speed_and_memory')),
    'deployment': (('exporting', 'cluster'), ('formats',), ('graphs',)),
    'evaluation': (('semantic', 'panoptic'),),
    'datasets': (('forma', 'sample_people'), ('flags',), ('building',), ('labels', 'checks'),
                 ('records',)),
    'core': (('checkpoints', 'jobs'), ('images', 'storage')),
}
# Who may read flags: programs, what declares them, and tests.
FLAG_ROOMS = ('common.py', 'command_line/', 'datasets/flags/', 'datasets/build_', 'testing/')
FLAG_FILES = 'flags.py'
# Everything that these rooms open is on this machine: raw pictures, own files, results of tests.
LOCAL_ROOMS = ('testing/', 'tools/', 'command_line/', 'core/storage/', 'datasets/building/',
               'datasets/labels/', 'datasets/sample_people/', 'evaluation/panoptic/',
               'evaluation/eval_coco_format')
# Elsewhere a call on such a file says so, and what the file is.
LOCAL_MARK = '# local: '
LOCAL_CALLS = {
    'open', 'io.open', 'files.atomic_path',
    'glob.glob', 'glob.iglob', 'os.link', 'os.listdir', 'os.makedirs', 'os.mkdir', 'os.open',
    'os.remove', 'os.rename', 'os.replace', 'os.scandir', 'os.stat', 'os.symlink', 'os.unlink',
    'os.walk', 'os.path.abspath', 'os.path.exists', 'os.path.getmtime', 'os.path.getsize',
    'os.path.isdir', 'os.path.isfile', 'os.path.lexists', 'shutil.copy', 'shutil.copy2',
    'shutil.copyfile', 'shutil.copyfileobj', 'shutil.copytree', 'shutil.move', 'shutil.rmtree',
}


def source_files():
  """Yields the paths of all modules but tests, as seen from the root."""
  for folder, folders, files in os.walk(ROOT):
    folders[:] = sorted(f for f in folders
                        if not f.startswith('.') and f not in SKIPPED_FOLDERS)
    for name in sorted(files):
      if name.endswith('.py') and not name.endswith('_test.py') and name not in (
          'conftest.py', '__init__.py', 'packages_needed.py'):
        yield os.path.relpath(os.path.join(folder, name), ROOT).replace(os.sep, '/')


FILES = list(source_files())


def parse(path):
  with open(os.path.join(ROOT, path), encoding='utf-8') as stream:
    return ast.parse(stream.read(), path)


TREES = {path: parse(path) for path in FILES}


def imported_modules(tree):
  """Yields dotted names of everything a module imports, anywhere in it."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      for alias in node.names:
        yield alias.name
    elif isinstance(node, ast.ImportFrom) and node.module:
      for alias in node.names:
        yield '%s.%s' % (node.module, alias.name)


def own_imports(path):
  """Yields the paths of the project's modules that a module imports."""
  for dotted in imported_modules(TREES[path]):
    parts = dotted.split('.')
    for end in (len(parts), len(parts) - 1):
      other = '/'.join(parts[1:end]) + '.py'
      if parts[0] == 'deeplab' and other in TREES:
        yield other
        break


def reads_flags(path):
  return 'absl.flags' in set(imported_modules(TREES[path]))


def package(path):
  """Returns 'core' for 'core/images/affine.py', 'train' for 'train.py'."""
  return path[:-3].split('/')[0]


def room(path):
  """Returns the folder of a module within its package, '' beside them."""
  return '/'.join(path.split('/')[1:-1])


def place(path):
  """Returns what stands in a package for a module: its folder, or itself beside the folders."""
  return room(path) or path[:-3].split('/')[-1]


def is_below(other, own, floors):
  """Whether one of two different names is on a lower floor."""
  height = {name: -index for index, floor in enumerate(floors) for name in floor}
  return height[other] < height[own]


@pytest.mark.parametrize('path', FILES)
def test_imports_go_down(path):
  for other in own_imports(path):
    if package(other) != package(path):
      assert is_below(package(other), package(path), FLOORS), '%s imports %s' % (path, other)
    elif room(path) and room(other) not in ('', room(path)):
      assert is_below(room(other), room(path), ROOMS[package(path)]), (
          '%s imports %s' % (path, other))


@pytest.mark.parametrize('name', sorted(ROOMS))
def test_rooms_and_the_files_beside_them_form_no_ring(name):
  below = collections.defaultdict(set)
  for path in FILES:
    if package(path) == name:
      below[place(path)].update(
          place(other) for other in own_imports(path) if package(other) == name)
  while below:
    lowest = [each for each, others in below.items() if not others - {each}]
    assert lowest, 'these import each other: %s' % dict(below)
    for each in lowest:
      del below[each]
    for others in below.values():
      others.difference_update(lowest)


def test_every_room_is_on_the_plan():
  assert {package(path) for path in FILES} == {name for floor in FLOORS for name in floor}
  rooms = {(package(path), room(path)) for path in FILES if room(path)}
  assert rooms == {(name, each) for name, floors in ROOMS.items() for floor in floors
                   for each in floor}


@pytest.mark.parametrize('folder', sorted({os.path.dirname(path) for path in FILES} - {''}))
def test_a_folder_names_its_files(folder):
  """The first lines of a folder lead to each of its files."""
  text = ast.get_docstring(parse(folder + '/__init__.py'))
  names = {os.path.basename(path)[:-3] for path in FILES if os.path.dirname(path) == folder}
  missing = [name for name in sorted(names - {'__main__'})
             if '`%s`' % name not in text and not name.startswith('build_')]
  assert not missing, '%s/__init__.py does not name %s' % (folder, ', '.join(missing))


@pytest.mark.parametrize('path', FILES)
def test_tensorflow_comes_through_one_door(path):
  if path == 'core/tf_compat.py':
    return
  for dotted in imported_modules(TREES[path]):
    assert dotted.split('.')[0] not in ('tensorflow', 'tf_slim'), (
        '%s imports %s: use deeplab.core.tf_compat' % (path, dotted))


def is_program(path):
  return any(isinstance(node, ast.FunctionDef) and node.name == 'main'
             for node in TREES[path].body)


@pytest.mark.parametrize('path', FILES)
def test_flags_and_prints_stay_at_the_door(path):
  if is_program(path) or path.startswith(FLAG_ROOMS):
    return
  assert path.endswith(FLAG_FILES) or not reads_flags(path), '%s reads flags' % path
  prints = [node.lineno for node in ast.walk(TREES[path])
            if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'print']
  assert not prints, '%s prints at line %s' % (path, prints)


def calls_of_this_machine(tree):
  """Yields (line, name) of calls in LOCAL_CALLS, but for those on the path of the module."""
  for node in ast.walk(tree):
    if not isinstance(node, ast.Call):
      continue
    parts, function = [], node.func
    while isinstance(function, ast.Attribute):
      parts.append(function.attr)
      function = function.value
    name = '.'.join([getattr(function, 'id', '')] + parts[::-1])
    is_of_module = any(getattr(argument, 'id', '') == '__file__' for argument in node.args)
    if name in LOCAL_CALLS and not is_of_module:
      yield node.lineno, name


@pytest.mark.parametrize('path', [path for path in FILES if not path.startswith(LOCAL_ROOMS)])
def test_paths_may_have_schemes(path):
  """Datasets, checkpoints and results may be gs://..., which functions of Python do not know."""
  with open(os.path.join(ROOT, path), encoding='utf-8') as stream:
    lines = stream.read().splitlines()
  found = ['line %d: %s' % call for call in calls_of_this_machine(TREES[path])
           if LOCAL_MARK not in lines[call[0] - 1]]
  assert not found, (
      '%s: %s. Use deeplab.core.storage.files; if all it opens is on this machine, end the line '
      'with "%s" and what that is.' % (path, ', '.join(found), LOCAL_MARK))


def test_the_look_for_local_calls_finds_them():
  code = ('import os, glob\nopen("a")\nos.path.exists("a")\nos.listdir("a")\nglob.glob("*")\n'
          'os.path.abspath(__file__)\nos.path.join("a", "b")\nfiles.open_binary("a")\n'
          'files.atomic_path("a")\n')
  assert [name for _, name in calls_of_this_machine(ast.parse(code))] == [
      'open', 'os.path.exists', 'os.listdir', 'glob.glob', 'files.atomic_path']
