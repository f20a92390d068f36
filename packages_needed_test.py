"""Tests of what scripts say in an interpreter that lacks their packages."""
import glob
import os
import shutil
import subprocess
import sys

import pytest

from deeplab import packages_needed

_ROOT = os.path.dirname(os.path.abspath(__file__))
_FOLDERS = ('.', 'datasets', 'evaluation', 'evaluation/panoptic', 'tools/*')


def _scripts():
  for folder in _FOLDERS:
    for path in sorted(glob.glob(os.path.join(_ROOT, folder, '*.py'))):
      with open(path) as stream:
        if "if __name__ == '__main__'" in stream.read() and not path.endswith('_test.py'):
          yield os.path.relpath(path, _ROOT)


# PyTorch's side is run by an interpreter that has PyTorch.
_SCRIPTS = [path for path in _scripts() if path != 'tools/benchmarks/torch_peer.py']


def run_bare(*words, cwd=_ROOT):
  """Returns exit code and stderr of an interpreter that sees no installed package."""
  done = subprocess.run([sys.executable, '-S', '-E'] + list(words), cwd=str(cwd),
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
  assert done.stdout == ''
  return done.returncode, done.stderr


@pytest.mark.parametrize('script', _SCRIPTS)
def test_every_script_says_in_one_line_what_to_run(script):
  code, log = run_bare(script, '--help')
  assert code == 1
  assert log.startswith('%s: error: %s has no deeplab, absl, ' % (
      os.path.basename(script), sys.executable))
  assert ('/bin/activate` first.\n' in log) != ('. utils/setup_env.sh`, which installs' in log)
  assert log.count('\n') == 1


def test_the_scripts_are_those_of_the_readme():
  assert {'train.py', 'eval.py', 'vis.py', 'predict.py', 'export_model.py', 'convert_to_tflite.py',
          'datasets/build_custom_data.py', 'datasets/doctor.py', 'tools/benchmarks/__main__.py',
          'evaluation/eval_coco_format.py'} <= set(map(os.path.normpath, _SCRIPTS))


@pytest.mark.parametrize('module', ['train', 'datasets.doctor', 'command_line.subcommands'])
def test_modules_say_it_too(tmp_path, module):
  os.symlink(_ROOT, str(tmp_path / 'deeplab'))
  code, log = run_bare('-m', 'deeplab.' + module, cwd=tmp_path)
  assert code == 1
  assert log.startswith('deeplab: error: %s has no absl, ' % sys.executable)
  assert log.count('\n') == 1


def test_what_is_there_is_no_trouble():
  assert packages_needed.trouble_with(['absl', 'deeplab'], _ROOT) is None


@pytest.mark.parametrize('lanes, remedy', [
    ((), 'Run `cd ROOT && . utils/setup_env.sh`, which installs them.'),
    (('tf1',), 'Run `. ROOT/.venv-tf1/bin/activate` first.'),
    (('tf1', 'tf2'), 'Run `. ROOT/.venv-%s/bin/activate` first.' % (
        'tf1' if sys.version_info[:2] == (3, 7) else 'tf2')),
])
def test_the_environment_that_is_there_is_named(tmp_path, lanes, remedy):
  for lane in lanes:
    (tmp_path / ('.venv-' + lane) / 'bin').mkdir(parents=True)
    (tmp_path / ('.venv-' + lane) / 'bin' / 'python').write_text('')
  found = packages_needed.trouble_with(['no_such_package', 'absl'], str(tmp_path))
  assert found == '%s has no no_such_package. %s' % (
      sys.executable, remedy.replace('ROOT', str(tmp_path)))


def test_another_deeplab_on_the_path_is_named(tmp_path):
  other = tmp_path / 'deeplab'
  other.mkdir()
  (other / '__init__.py').write_text('')
  for name in ('absl', 'matplotlib', 'numpy', 'PIL', 'tensorflow', 'tf_slim', 'tqdm'):
    (tmp_path / (name + '.py')).write_text('')
  (tmp_path / 'script').mkdir()
  for name in ('train.py', 'packages_needed.py'):
    shutil.copy(os.path.join(_ROOT, name), str(tmp_path / 'script'))
  done = subprocess.run(
      [sys.executable, '-S', str(tmp_path / 'script' / 'train.py')], stderr=subprocess.PIPE,
      env=dict(os.environ, PYTHONPATH=str(tmp_path)), universal_newlines=True)
  assert done.returncode == 1
  assert done.stderr == (
      'train.py: error: `import deeplab` finds another one, %s: take its folder off PYTHONPATH.\n'
      % other)
