"""Tests of utils/setup_env.sh with programs that stand in for interpreters."""
import os
import shutil
import stat
import subprocess

import pytest

_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'setup_env.sh')
# Like `python -m venv`, keeps a program that is there already.
_INTERPRETER = '''#!/bin/sh
# %s
for last; do :; done
case "$*" in
  *version_info*) echo tf2 ;;
  "-m venv"*)
    case "$*" in *--clear*) rm -rf "$last" ;; esac
    mkdir -p "$last/bin"
    [ -e "$last/bin/python" ] || cp "$0" "$last/bin/python"
    ;;
esac
'''


@pytest.fixture
def project(tmp_path):
  (tmp_path / 'utils').mkdir()
  shutil.copy(_SCRIPT, str(tmp_path / 'utils'))
  (tmp_path / 'pyproject.toml').write_text(u'one')
  for name in ('first', 'second'):
    program = tmp_path / name
    program.write_text(u'' + _INTERPRETER % name)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
  return tmp_path


def set_up(project, name):
  """Sets up on an interpreter; returns what is printed."""
  return subprocess.check_output(
      ['sh', '-c', '. utils/setup_env.sh'], cwd=str(project),
      env=dict(os.environ, PYTHON=str(project / name))).decode()


def program_of(project):
  return (project / '.venv-tf2' / 'bin' / 'python').read_text().splitlines()[1]


def test_an_environment_that_is_up_to_date_is_kept(project):
  assert 'setting up' in set_up(project, 'first')
  assert set_up(project, 'first') == ''


def test_another_interpreter_starts_anew(project):
  set_up(project, 'first')
  assert 'setting up' in set_up(project, 'second')
  assert program_of(project) == '# second'


def test_other_requirements_are_installed_into_what_is_there(project):
  set_up(project, 'first')
  kept = project / '.venv-tf2' / 'kept'
  kept.write_text(u'')
  (project / 'pyproject.toml').write_text(u'two')
  assert 'setting up' in set_up(project, 'first')
  assert kept.exists()


def test_what_an_interrupted_set_up_left_goes(project):
  set_up(project, 'first')
  (project / '.venv-tf2' / 'installed').unlink()
  left = project / '.venv-tf2' / 'left'
  left.write_text(u'')
  set_up(project, 'first')
  assert not left.exists()
