"""Tests of utils/setup_env.sh with programs that stand in for interpreters and for pip."""
import os
import shutil
import signal
import stat
import subprocess
import sys

import pytest

_FOLDER = os.path.dirname(os.path.abspath(__file__))
# An interpreter; in an environment, which has a pyvenv.cfg, that tells what it was made on. Making
# one keeps a program that is there, as Python does. pip writes what it is asked for to the file
# `pip`, waits as long as there is a file `hold`, and fails where there is a file `broken`.
_INTERPRETER = u'''#!/bin/sh
lane=%(lane)s version=%(version)s
prefix=$(dirname "$(dirname "$0")") base=$0
[ ! -f "$prefix/pyvenv.cfg" ] || base=$(cat "$prefix/pyvenv.cfg")
case "$*" in
  *version_info*) printf '%%s\\n' "$lane" "$version" "$(readlink -f "$base")" "$prefix" ;;
  *find_spec*) test -f "$prefix/packages" ;;
  *fcntl*) exec %(python)s "$@" ;;
  "-m venv"*)
    for venv; do :; done
    case "$*" in *--clear*) rm -rf "$venv" ;; esac
    mkdir -p "$venv/bin"
    [ -e "$venv/bin/python" ] || cp "$base" "$venv/bin/python"
    echo "$base" > "$venv/pyvenv.cfg"
    ;;
  "-m pip"*)
    echo "$*" >> pip
    case "$*" in *.[[]*)
      echo "Downloading tensorflow-2.0-none.whl (200.1 MB)"
      while [ -e hold ]; do sleep 0.05; done
      [ ! -e broken ] || { echo "ERROR: no network"; exit 1; }
      touch "$prefix/packages"
    esac
    ;;
esac
'''


def add_interpreter(path, lane='tf2', version='3.11.7'):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(_INTERPRETER % {'lane': lane, 'version': version, 'python': sys.executable})
  path.chmod(path.stat().st_mode | stat.S_IXUSR)
  return path


@pytest.fixture
def project(tmp_path):
  root = tmp_path / 'a project'
  (root / 'utils').mkdir(parents=True)
  for name in ('setup_env.sh', 'make_env.sh'):
    shutil.copy(os.path.join(_FOLDER, name), str(root / 'utils'))
  (root / 'pyproject.toml').write_text(u'one')
  add_interpreter(tmp_path / 'bin' / 'python3')
  add_interpreter(tmp_path / 'new' / 'python3.12', version='3.12.1')
  add_interpreter(tmp_path / 'old' / 'python3.7', 'tf1', '3.7.16')
  return root


def environment(project, **settings):
  kept = {'HOME': str(project), 'PATH': '%s:%s' % (project.parent / 'bin', os.environ['PATH'])}
  return dict(kept, **{name: str(value) for name, value in settings.items()})


def start(project, shell='sh', then='echo "$LANE $PYTHON"', **settings):
  return subprocess.Popen(
      shell.split() + ['-c', '. utils/setup_env.sh\n' + then], cwd=str(project),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
      preexec_fn=os.setsid, env=environment(project, **settings))


def set_up(project, **settings):
  """Sets up; returns (what is printed, messages, relative path of the interpreter)."""
  output, log = start(project, **settings).communicate()
  lines = output.splitlines()
  lane, path = lines.pop().split(' ', 1)
  assert lane in ('tf1', 'tf2'), log
  return '\n'.join(lines), log, os.path.relpath(path, str(project))


def installed(project):
  """Returns how often packages were installed."""
  path = project / 'pip'
  return path.read_text().count('.[') if path.exists() else 0


def mark(venv):
  """Puts a file into an environment that is gone once that is emptied."""
  (venv / 'mark').write_text(u'')
  return venv / 'mark'


def test_progress_is_shown_and_what_is_up_to_date_is_kept(project):
  printed, _, python = set_up(project)
  assert printed.startswith('== setting up %s/.venv-tf2 (Python 3.11.7, tf2-cpu)' % project)
  assert '   packages of pyproject.toml for tf2-cpu\n' in printed
  assert '     Downloading tensorflow-2.0-none.whl (200.1 MB)\n' in printed
  assert python == '.venv-tf2/bin/python'
  assert set_up(project) == ('', '', python)
  assert installed(project) == 1


@pytest.mark.parametrize('kind', ['own', 'active', 'path', 'link', 'other venv', 'relative'])
def test_other_names_of_the_same_base_are_the_same(project, kind):
  set_up(project)
  kept = mark(project / '.venv-tf2')
  base, other = project.parent / 'bin' / 'python3', project.parent / 'other'
  settings = {}
  if kind == 'own':
    settings['PYTHON'] = project / '.venv-tf2' / 'bin' / 'python'
  elif kind == 'active':
    settings['VIRTUAL_ENV'] = project / '.venv-tf2'
  elif kind == 'path':
    shutil.copy(str(base), str(project / '.venv-tf2' / 'bin' / 'python3'))
    settings['PATH'] = '%s/.venv-tf2/bin:%s' % (project, os.environ['PATH'])
  elif kind == 'link':
    os.symlink(str(base), str(project.parent / 'python'))
    settings['PYTHON'] = project.parent / 'python'
  elif kind == 'other venv':
    subprocess.check_call([str(base), '-m', 'venv', str(other)])
    settings['PYTHON'] = other / 'bin' / 'python'
  else:
    settings['PYTHON'] = '.venv-tf2/bin/python'
  assert set_up(project, **settings) == ('', '', '.venv-tf2/bin/python')
  assert kept.exists() and installed(project) == 1


def test_another_interpreter_gets_its_own_environment(project):
  set_up(project)
  kept = mark(project / '.venv-tf2')
  other = project.parent / 'new' / 'python3.12'
  printed, _, python = set_up(project, PYTHON=other)
  assert python == '.venv-tf2-3.12.1/bin/python' and 'setting up' in printed
  assert set_up(project, PYTHON=other) == ('', '', python)
  assert set_up(project) == ('', '', '.venv-tf2/bin/python')
  assert kept.exists()


def test_what_was_made_on_another_interpreter_is_the_default_from_then_on(project):
  _, _, python = set_up(project, PYTHON=project.parent / 'new' / 'python3.12')
  assert python == '.venv-tf2/bin/python'
  assert set_up(project) == ('', '', python)


def test_an_environment_whose_interpreter_is_gone_is_made_anew(project):
  set_up(project)
  gone = mark(project / '.venv-tf2')
  python = project / '.venv-tf2' / 'bin' / 'python'
  python.unlink()
  os.symlink('python', str(python))  # A link to itself.
  assert 'setting up' in set_up(project)[0]
  assert not gone.exists() and not python.is_symlink()


def test_scripts_of_a_folder_that_was_moved_start_its_interpreter(project):
  set_up(project)
  scripts = project / '.venv-tf2' / 'bin'
  (scripts / 'tensorboard').write_text(u'#!%s/python3\nimport sys\n' % scripts)
  (scripts / 'notes').write_text(u'text\n#!/usr/bin/python\n')
  moved = project.parent / 'moved'
  project.rename(moved)
  set_up(moved)
  scripts = moved / '.venv-tf2' / 'bin'
  assert (scripts / 'tensorboard').read_text() == '#!%s/python\nimport sys\n' % scripts
  assert (scripts / 'notes').read_text() == 'text\n#!/usr/bin/python\n'


def test_an_environment_made_by_hand_is_taken(project):
  set_up(project)
  (project / '.venv-tf2' / 'installed').unlink()
  assert set_up(project) == ('', '', '.venv-tf2/bin/python')


@pytest.mark.parametrize('has_mark', [False, True])
def test_packages_that_are_missing_are_installed_beside_what_is_there(project, has_mark):
  set_up(project)
  kept = mark(project / '.venv-tf2')
  (project / '.venv-tf2' / 'packages').unlink()
  if not has_mark:
    (project / '.venv-tf2' / 'installed').unlink()
  assert 'setting up' in set_up(project)[0]
  assert kept.exists() and installed(project) == 2


def test_other_requirements_are_installed_into_what_is_there(project):
  set_up(project)
  kept = mark(project / '.venv-tf2')
  (project / 'pyproject.toml').write_text(u'two')
  for settings in ({}, {'VIRTUAL_ENV': project / '.venv-tf2'}):
    printed, _, _ = set_up(project, **settings)
    assert ('setting up' in printed) == (not settings)
  assert kept.exists() and installed(project) == 2


def test_packages_of_the_tests_come_when_asked_for_and_stay(project):
  set_up(project)
  kept = mark(project / '.venv-tf2')
  for settings, count in (({'WITH_TESTS': 1}, 2), ({}, 2), ({'WITH_TESTS': 1}, 2)):
    set_up(project, **settings)
    assert installed(project) == count
  (project / 'pyproject.toml').write_text(u'two')
  set_up(project)
  asked = [line for line in (project / 'pip').read_text().splitlines() if '.[' in line]
  assert [line.endswith(',test]') for line in asked] == [False, True, True]
  assert kept.exists()


def test_a_failed_update_leaves_what_was_there(project):
  _, _, python = set_up(project)
  kept = mark(project / '.venv-tf2')
  (project / 'pyproject.toml').write_text(u'two')
  (project / 'broken').write_text(u'')
  process = start(project, then='exit $?')
  _, log = process.communicate()
  assert process.returncode == 1 and kept.exists()
  assert log.endswith(
      'ERROR: no network\nerror: could not set up %s; the lines above end %s.log; '
      'PYTHON=%s uses it as it was\n' % (
          project / '.venv-tf2', project / '.venv-tf2', project / python))
  printed, log, found = set_up(project, PYTHON=project / python)
  assert (printed, found) == ('', python) and 'is not as pyproject.toml wants it' in log
  (project / 'broken').unlink()
  assert 'setting up' in set_up(project)[0]
  assert kept.exists()


def test_a_failed_first_set_up_is_repaired_by_the_next_one(project):
  (project / 'broken').write_text(u'')
  assert start(project, then='exit $?').wait() == 1
  (project / 'broken').unlink()
  left = mark(project / '.venv-tf2')
  assert not (project / '.venv-tf2' / 'installed').exists()
  assert set_up(project)[2] == '.venv-tf2/bin/python'
  assert not left.exists()


@pytest.mark.parametrize('is_update', [False, True])
def test_a_killed_set_up_is_repaired_by_the_next_one(project, is_update):
  if is_update:
    set_up(project)
    kept = mark(project / '.venv-tf2')
    (project / 'pyproject.toml').write_text(u'two')
  (project / 'hold').write_text(u'')
  process = start(project)
  while 'Downloading' not in process.stdout.readline():
    assert process.poll() is None
  os.killpg(process.pid, signal.SIGKILL)
  process.communicate()
  (project / 'hold').unlink()
  settings = {'PYTHON': project / '.venv-tf2' / 'bin' / 'python'} if is_update else {}
  assert 'setting up' in set_up(project, **settings)[0]
  assert ('--force-reinstall' in (project / 'pip').read_text()) == is_update
  assert not is_update or kept.exists()
  assert set_up(project)[0] == ''


def test_two_at_once_set_up_once(project):
  (project / 'hold').write_text(u'')
  first = start(project)
  while 'Downloading' not in first.stdout.readline():
    assert first.poll() is None
  second = start(project)
  assert second.stdout.readline() == '== waiting for another set-up of %s/.venv-tf2\n' % project
  (project / 'hold').unlink()
  answers = [process.communicate()[0].splitlines()[-1] for process in (first, second)]
  assert answers == ['tf2 %s/.venv-tf2/bin/python' % project] * 2
  assert installed(project) == 1


def test_a_dry_run_makes_nothing(project):
  before = sorted(os.listdir(str(project)))
  printed, log, python = set_up(project, DRY_RUN=1)
  assert (printed, python) == ('', '.venv-tf2/bin/python')
  assert log.startswith('note: DRY_RUN=1 installs nothing: ') and log.count('\n') == 1
  assert sorted(os.listdir(str(project))) == before


@pytest.mark.parametrize('variable', ['VIRTUAL_ENV', 'CONDA_PREFIX'])
def test_an_active_environment_chooses_the_lane(project, variable):
  active = project.parent / 'mine'
  subprocess.check_call([str(project.parent / 'old' / 'python3.7'), '-m', 'venv', str(active)])
  _, log, python = set_up(project, **{variable: active})
  assert python == '.venv-tf1/bin/python'
  assert log == ('note: the active environment %s lacks this project or its packages: '
                 '%s/.venv-tf1, of its Python 3.7.16, is used\n' % (active, project))
  (active / 'packages').write_text(u'')
  assert set_up(project, **{variable: active}) == ('', '', '../mine/bin/python')


def test_an_active_environment_that_no_lane_takes_is_told(project):
  add_interpreter(project.parent / 'mine' / 'bin' / 'python', 'none', '3.8.18')
  _, log, python = set_up(project, VIRTUAL_ENV=project.parent / 'mine')
  assert python == '.venv-tf2/bin/python'
  assert log == ('note: the active environment %s has no Python that a lane takes (3.9 to 3.13, or '
                 '3.7): another one is used\n' % (project.parent / 'mine'))


def test_an_environment_for_gpus_is_kept_where_there_is_none(project):
  smi = project.parent / 'bin' / 'nvidia-smi'
  smi.write_text(u'#!/bin/sh\n')
  smi.chmod(0o755)
  assert 'tf2-gpu' in set_up(project)[0]
  smi.unlink()
  assert set_up(project)[0] == ''
  (project / 'pyproject.toml').write_text(u'two')
  assert 'tf2-gpu' in set_up(project)[0]


@pytest.mark.parametrize('settings, message', [
    ({'PYTHON': 'no_such_python'}, 'error: PYTHON=no_such_python is not a working Python '),
    ({'PYTHON': 'odd/python'}, 'is Python 3.14.0: need 3.9 to 3.13 '),
])
@pytest.mark.parametrize('shell', ['sh', 'dash', 'bash', 'zsh'])
def test_the_shell_that_sources_it_goes_on(project, shell, settings, message):
  if not shutil.which(shell):
    pytest.skip('there is no ' + shell)
  add_interpreter(project / 'odd' / 'python', 'none', '3.14.0')
  process = start(project, shell, 'echo "$? $-"; false; echo here', **settings)
  output, log = process.communicate()
  plain = subprocess.check_output([shell, '-c', 'echo "1 $-"'], universal_newlines=True)
  assert output == plain + 'here\n'
  assert message in log and log.count('\n') == 1


def test_a_driver_ends_where_there_is_no_environment(project):
  process = start(project, 'sh -eu', 'echo here', PYTHON='no_such_python')
  assert process.communicate()[0] == '' and process.returncode == 1


def test_elsewhere_it_says_where_to_run_it(project):
  done = subprocess.run(
      ['sh', '-c', '. "$0"; echo here', str(project / 'utils' / 'setup_env.sh')], cwd='/',
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
  assert (done.stdout, done.stderr) == ('here\n', 'error: run this in the root of the project\n')
