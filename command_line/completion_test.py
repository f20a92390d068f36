"""Tests of completion, in the shells that are installed, and of the listing it is made from."""
import os
import shutil
import subprocess
import sys

import pytest

from deeplab.command_line import completion, subcommands
from deeplab.testing import make_flag_listing, slow

COMMAND = os.path.join(os.path.dirname(sys.executable), 'deeplab')
_SUMMARIES = subcommands.summaries()

# Asks bash for the completions of a line as readline would: $1 script, $2... words.
_BASH = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_deeplab 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""
# Shows what the function of zsh hands to the completion system, which runs in terminals only.
_ZSH = """
compdef() { }
compset() { }
compadd() { print -l -- "$@" }
_describe() { print -l -- $rows }
_files() { print FILES }
source "$1"
shift
words=("$@") CURRENT=$#
_deeplab
"""


@slow.only_if_asked_on_tf1
def test_the_listing_is_that_of_the_flags_there_are():
  expected, found = make_flag_listing.make(), completion.read_listing()
  differences = ['%s: %s' % (name, ' '.join(sorted(
      set(expected.get(name, {})).symmetric_difference(found.get(name, {}))) or ['values']))
                 for name in sorted(set(expected) | set(found))
                 if expected.get(name) != found.get(name)]
  assert not differences, (
      'flag_listing.json is out of date; write it anew with\n  python -m '
      'deeplab.testing.make_flag_listing\nIt differs in\n' + '\n'.join(differences))


def test_the_listing_knows_flags_and_values():
  flags = completion.read_listing()['train']
  assert flags['xla'] == completion.BOOLEAN
  assert flags['train_logdir'] == completion.VALUE
  assert flags['learning_policy'] == ['poly', 'step', 'cosine', 'multi_steps']
  assert 'xception_65' in flags['model_variant']


@pytest.fixture(scope='module', name='scripts')
def fixture_scripts(tmp_path_factory):
  folder = tmp_path_factory.mktemp('completion')
  paths = {}
  for shell in completion.SHELLS:
    paths[shell] = str(folder / shell)
    with open(paths[shell], 'wb') as f:
      f.write(subprocess.run([COMMAND, 'completion', shell], stdout=subprocess.PIPE,
                             check=True).stdout)
  return paths


@pytest.fixture(name='bash')
def fixture_bash(scripts):
  if not shutil.which('bash'):
    pytest.skip('bash is not installed')

  def complete(*words):
    process = subprocess.run(
        ['bash', '--norc', '-c', _BASH, 'bash', scripts['bash']] + list(words),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (process.returncode, process.stderr) == (0, b'')
    return process.stdout.decode().split()

  return complete


def test_bash_completes_subcommands(bash):
  assert bash('deeplab', '') == list(_SUMMARIES)
  assert bash('deeplab', 'ex') == ['export']
  assert bash('deeplab', 'build-s') == ['build-sample']
  assert bash('deeplab', 'help', 'pre') == ['predict', 'preview']
  assert bash('deeplab', 'completion', '') == list(completion.SHELLS)


@pytest.mark.parametrize('subcommand', sorted(subcommands.SUBCOMMANDS))
def test_bash_completes_every_flag(bash, subcommand):
  for flag, kind in completion.read_listing()[subcommand].items():
    wanted = '--' + flag + ('' if kind == completion.BOOLEAN else '=')
    assert wanted in bash('deeplab', subcommand, '--' + flag)


def test_bash_completes_flags_by_their_start(bash):
  assert bash('deeplab', 'train', '--train_') == [
      '--train_batch_size=', '--train_crop_size=', '--train_logdir=', '--train_split=']
  assert bash('deeplab', 'eval', '--train_') == []
  assert bash('deeplab', 'train', '--a=1', '--noxl') == ['--noxla']
  assert bash('deeplab', 'train', '--helpf') == ['--helpfull']
  assert bash('deeplab', 'nothing', '--') == []


def test_bash_completes_values_of_enumerations(bash):
  # As bash splits the line at =, and where a user has told it not to.
  assert bash('deeplab', 'train', '--learning_policy', '=', 'p') == ['poly']
  assert bash('deeplab', 'train', '--learning_policy=p') == ['--learning_policy=poly']
  assert bash('deeplab', 'train', '--learning_policy', '=') == [
      'poly', 'step', 'cosine', 'multi_steps']
  assert bash('deeplab', 'train', '--model_variant', '=', 'xception_6') == ['xception_65']
  assert bash('deeplab', 'export', '--format', '=', 'frozen,tf') == ['frozen,tflite']
  assert bash('deeplab', 'train', '--train_logdir', '=', 'x') == []


def test_bash_offers_files_where_there_are_no_words(scripts):
  if not shutil.which('bash'):
    pytest.skip('bash is not installed')
  shown = subprocess.run(
      ['bash', '--norc', '-c', 'source %s; complete -p deeplab' % scripts['bash']],
      stdout=subprocess.PIPE, check=True).stdout.decode()
  assert '-o default' in shown and '-F _deeplab' in shown


@pytest.mark.parametrize('shell', sorted(completion.SHELLS))
def test_scripts_are_correct_for_their_shell(scripts, shell):
  if not shutil.which(shell):
    pytest.skip('%s is not installed' % shell)
  subprocess.run([shell, '-n', scripts[shell]], check=True)


def test_zsh_completes(scripts):
  if not shutil.which('zsh'):
    pytest.skip('zsh is not installed')

  def complete(*words):
    return subprocess.run(
        ['zsh', '-f', '-c', _ZSH, 'zsh', scripts['zsh']] + list(words),
        stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()

  assert complete('deeplab', '') == ['%s:%s' % row for row in _SUMMARIES.items()]
  flags = complete('deeplab', 'train', '--')
  assert {'--train_logdir=', '--xla', '--noxla', '--helpfull'} <= set(flags)
  assert '--eval_logdir=' not in flags
  assert complete('deeplab', 'train', '--learning_policy=p') == ['--', 'poly', 'step']
  assert complete('deeplab', 'train', '--train_logdir=p') == ['FILES']
  assert complete('deeplab', 'completion', '') == ['--'] + list(completion.SHELLS)
  assert complete('deeplab', 'predict', 'x') == ['FILES']


def test_fish_completes(scripts):
  if not shutil.which('fish'):
    pytest.skip('fish is not installed')

  def complete(line):
    output = subprocess.run(
        ['fish', '--no-config', '-c', 'source %s; complete -C "%s"' % (scripts['fish'], line)],
        stdout=subprocess.PIPE, check=True).stdout.decode()
    return [row.split('\t')[0] for row in output.splitlines()]

  assert complete('deeplab build-s') == ['build-sample']
  assert complete('deeplab train --noxl') == ['--noxla']
  assert complete('deeplab train --learning_policy=') == [
      '--learning_policy=poly', '--learning_policy=step']


@pytest.mark.parametrize('shell', sorted(completion.SHELLS))
def test_every_flag_is_in_every_script(scripts, shell):
  with open(scripts[shell], encoding='utf-8') as f:
    words = set(f.read().replace("'", ' ').replace('=', ' ').split())
  for flags in completion.read_listing().values():
    for flag in flags:
      assert flag in words or '--' + flag in words, flag
