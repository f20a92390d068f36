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
          'testing': 3, 'scripts': 4}
DATASETS_ROOM = {'input_preprocess'}
SCRIPTS = {'common', 'packages_needed', 'train', 'eval', 'vis', 'predict', 'export_model',
           'convert_to_tflite', 'datasets/doctor', 'tools/records/preview', 'tools/runs/plot_losses',
           'tools/runs/compare_runs', 'tools/checkpoints/inspect_checkpoint', 'tools/cluster/cluster_scripts',
           'tools/cluster/scaling_prediction'}
# What scripts share, and the scripts that live beside the libraries they call.
SCRIPT_PREFIXES = ('command_line/', 'datasets/build_', 'datasets/remove_gt_colormap',
                   'tools/benchmarks/__main__', 'evaluation/eval_coco_format', 'evaluation/panoptic/make_sample')


def source_files():
  for folder, folders, files in os.walk(ROOT):
    folders[:] = sorted(f for f in folders
                        if not f.startswith('.') and f not in SKIPPED_FOLDERS)
    for name in sorted(files):
      path = os.path.join(folder, name)
      if name.endswith('.py') and not name.endswith('_test.py') and name != 'conftest.py' and (
          not os.path.islink(path)):
        yield os.path.relpath(path, ROOT).replace(os.sep, '/')


# Files that open what is always on this machine, and what that is. The rest handles datasets,
# checkpoints, logs or results.
LOCAL_FILES = {
    'command_line/flag_listing.py': 'a file of the package',
    'testing/script_flags.py': 'files of the package',
    'core/storage/files.py': 'the one place for both kinds',
    'core/tf_compat.py': 'device files',
    'datasets/build_cityscapes_data.py': 'raw pictures',
    'datasets/build_voc2012_data.py': 'raw pictures',
    'datasets/labels/class_names.py': 'raw lists',
    'datasets/labels/fashion_masks.py': 'raw labels',
    'datasets/building/listing.py': 'raw pictures',
    'datasets/building/manifests.py': 'states of raw files',
    'datasets/labels/raw_files.py': 'raw pictures',
    'datasets/remove_gt_colormap.py': 'raw labels',
    'datasets/sample_people/contact_sheet.py': 'raw pictures',
    'datasets/sample_people/forma_layouts.py': 'raw pictures',
    'datasets/sample_people/raw_folder.py': 'raw pictures',
    'datasets/building/shard_writer.py': 'TensorFlow writes to the path of atomic_path',
    'datasets/building/unpack.py': 'archives of raw pictures',
    'deployment/opening/zoo_archive.py': 'unpacks into a temporary folder',
    'deployment/exporting/comparison.py': 'a temporary folder',
    'evaluation/panoptic/cityscapes.py': 'pictures and JSON of panoptic results',
    'evaluation/panoptic/coco.py': 'pictures and JSON of panoptic results',
    'evaluation/eval_coco_format.py': 'pictures and JSON of panoptic results',
    'evaluation/panoptic/folder_pairs.py': 'pictures and JSON of panoptic results',
    'evaluation/panoptic/matching.py': 'pictures and JSON of panoptic results',
    'evaluation/panoptic/images.py': 'pictures and JSON of panoptic results',
    'evaluation/panoptic/sample.py': 'pictures and JSON of panoptic results',
    'packages_needed.py': 'environments of the project',
    'testing/browser.py': 'pages of tests',
    'testing/damage.py': 'files of tests',
    'testing/documentation_pages.py': 'pages of the package',
    'testing/folders.py': 'results of tests',
    'testing/forked_scripts.py': 'logs of tests',
    'testing/tiny_run.py': 'files of tests',
    'testing/tiny_trees.py': 'raw pictures',
    'tools/checkpoints/architecture_guess.py': 'a file of the package',
    'utils/speed_and_memory/free_memory.py': '/proc and /sys',
    'utils/pictures/of_files.py': 'own pictures',
    'tools/checkpoints/published_kinds.py': 'files of the package',
    'utils/runs/run_lock.py': '/proc',
}
LOCAL_PREFIXES = ('tools/benchmarks/__main__',)
LOCAL_CALLS = {
    'open', 'io.open', 'files.atomic_path',
    'glob.glob', 'glob.iglob', 'os.link', 'os.listdir', 'os.makedirs', 'os.mkdir', 'os.open',
    'os.remove', 'os.rename', 'os.replace', 'os.scandir', 'os.stat', 'os.symlink', 'os.unlink',
    'os.walk', 'os.path.abspath', 'os.path.exists', 'os.path.getmtime', 'os.path.getsize',
    'os.path.isdir', 'os.path.isfile', 'os.path.lexists', 'shutil.copy', 'shutil.copy2',
    'shutil.copyfile', 'shutil.copyfileobj', 'shutil.copytree', 'shutil.move', 'shutil.rmtree',
}

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


@pytest.mark.parametrize('path', FILES)
def test_paths_may_have_schemes(path):
  """Datasets, checkpoints and results may be gs://..., which functions of Python do not know."""
  found = {'line %d: %s' % call for call in calls_of_this_machine(parse(path))}
  if path.startswith(LOCAL_PREFIXES):
    return
  if path in LOCAL_FILES:
    assert found, '%s need not be an exception any more' % path
  else:
    assert not found, '%s: %s. Use deeplab.core.storage.files, or add the file to LOCAL_FILES if all it ' \
        'opens is on this machine.' % (path, ', '.join(sorted(found)))


def test_exceptions_of_local_files_exist():
  assert set(LOCAL_FILES) <= set(FILES)


def test_the_look_for_local_calls_finds_them():
  code = ('import os, glob\nopen("a")\nos.path.exists("a")\nos.listdir("a")\nglob.glob("*")\n'
          'os.path.abspath(__file__)\nos.path.join("a", "b")\nfiles.open_binary("a")\n'
          'files.atomic_path("a")\n')
  assert [name for _, name in calls_of_this_machine(ast.parse(code))] == [
      'open', 'os.path.exists', 'os.listdir', 'glob.glob', 'files.atomic_path']


def test_every_room_is_on_the_drawing():
  assert {room(path[:-3]) for path in FILES} <= set(FLOORS)
