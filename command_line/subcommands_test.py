"""Tests of the `deeplab` command, run as a program."""
import importlib.util
import os
import subprocess
import sys

import pytest
from PIL import Image

from deeplab.command_line import subcommands
from deeplab.core import tf_compat
from deeplab.testing import forked_scripts, script_flags

COMMAND = os.path.join(os.path.dirname(sys.executable), 'deeplab')
# Stands in for the package so that an import of it shows.
_BROKEN_TENSORFLOW = "raise SystemExit('TensorFlow was imported')\n"


# The same command in a process that has TensorFlow at hand.
_CODE = 'from deeplab.command_line import subcommands; subcommands.main()'


def run(*words, **env):
  process = subprocess.run([COMMAND] + list(words), env=dict(os.environ, **env),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  return process.returncode, process.stdout.decode(), process.stderr.decode()


@pytest.fixture(name='quick')
def fixture_quick(tmp_path):
  """Returns `run` where TensorFlow cannot be imported."""
  (tmp_path / 'tensorflow.py').write_text(_BROKEN_TENSORFLOW)
  paths = [str(tmp_path)] + os.environ.get('PYTHONPATH', '').split(os.pathsep)
  return lambda *words: run(*words, PYTHONPATH=os.pathsep.join(filter(None, paths)))


def test_the_stand_in_for_tensorflow_works(quick):
  assert 'TensorFlow was imported' in quick('compare', 'A', 'B')[2]


def test_help_of_a_subcommand_needs_no_tensorflow(quick):
  code, output, errors = quick('train', '--help')
  assert (code, errors) == (0, '')
  assert '--learning_policy=poly|step' in output


@pytest.mark.parametrize('words', [(), ('help',), ('--help',), ('-h',)])
def test_alone_it_lists_the_subcommands_a_line_each(quick, words):
  code, output, errors = quick(*words)
  assert (code, errors) == (0, '')
  lines = [line.split(None, 1) for line in output.splitlines() if line.startswith('  ')]
  assert dict(lines) == subcommands.summaries()
  assert max(map(len, output.splitlines())) <= 80


def test_packages_that_are_not_installed_have_no_version():
  assert subcommands.installed_version('no-such-package') is None


@pytest.mark.parametrize('word', ['--version', 'version'])
def test_version(quick, word):
  code, output, errors = quick(word)
  assert (code, errors) == (0, '')
  assert output == 'deeplab %s, Python %s, TensorFlow %s\n' % (
      '0.1.0', '.'.join(map(str, sys.version_info[:3])), tf_compat.tf.version.VERSION)


@pytest.mark.parametrize('words, message', [
    (('trian',), "deeplab: error: Unknown subcommand 'trian'. Did you mean 'train'? Valid: "),
    (('help', 'evla'), "deeplab: error: Unknown subcommand 'evla'. Did you mean 'eval'? Valid: "),
    (('complete',), "deeplab: error: Unknown subcommand 'complete'. Did you mean 'completion'?"),
    (('completion', 'bsh'), "deeplab: error: Unknown shell 'bsh'. Did you mean 'bash'? Valid: "
                            'bash, fish, zsh.\n'),
    (('completion',), "deeplab: error: Unknown shell ''. Valid: bash, fish, zsh.\n"),
    (('--wrong',), "deeplab: error: Unknown subcommand '--wrong'."),
])
def test_unknown_words_end_it_with_the_nearest_match(quick, words, message):
  code, output, errors = quick(*words)
  assert (code, output) == (2, '')
  assert errors.startswith(message) and errors.count('\n') == 1


def test_every_subcommand_is_a_script_and_every_script_but_builders_a_subcommand():
  modules = [row.module for row in subcommands.SUBCOMMANDS.values()]
  assert len(modules) == len(set(modules))
  for module in modules:
    assert importlib.util.find_spec('deeplab.' + module), module
  without = set(script_flags.scripts()) - set(modules)
  folders = ('datasets.', 'tools.cluster.', 'tools.records.')
  assert all(module.startswith(folders) for module in without - {
      'testing.make_flag_listing', 'evaluation.panoptic.make_sample'}), without
  assert set(modules) <= set(script_flags.scripts())


def test_flags_reach_the_script_and_errors_carry_the_name():
  code, output, errors = run('train', '--train_logdir=x y', '--batch=3')
  assert (code, output) == (2, '')
  assert errors.splitlines()[-1].startswith(
      "deeplab train: error: Unknown command line flag 'batch'.")


def test_words_and_exit_code_are_those_of_the_script(tmp_path):
  code, _, errors = forked_scripts.run_code(
      _CODE, 'plot-losses', str(tmp_path), '--output=%s' % (tmp_path / 'a b.png'))
  assert code == 1
  assert errors.splitlines()[-1].startswith(
      'deeplab plot-losses: error: %s holds no losses.csv' % tmp_path)


def test_workers_of_a_script_find_its_functions(tmp_path):
  (tmp_path / 'in').mkdir()
  # More than one piece of work.
  names = ['%03d' % i for i in range(70)]
  for name in names:
    Image.new('L', (4, 3), 2).save(str(tmp_path / 'in' / (name + '.png')))
  # The code of a script whose functions go to worker processes; as `deeplab` runs it.
  code = ('from deeplab.command_line import subcommands as s; import sys; '
          "s.SUBCOMMANDS['grey'] = s.Subcommand('datasets.remove_gt_colormap', ''); "
          "sys.exit(s.run(['grey'] + sys.argv[1:]))")
  code, _, log = forked_scripts.run_code(
      code, '--original_gt_folder=%s' % (tmp_path / 'in'), '--output_dir=%s' % (tmp_path / 'out'),
      '--num_processes=2')
  assert code == 0, log
  assert sorted(os.listdir(str(tmp_path / 'out'))) == [name + '.png' for name in names]


def test_help_of_a_subcommand_is_that_of_the_script():
  code, output, errors = forked_scripts.run_code(_CODE, 'help', 'inspect')
  assert (code, errors) == (0, '')
  assert output.startswith('Tells what is in a checkpoint') and '--checkpoint_path=TEXT' in output
