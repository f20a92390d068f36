"""Tests of how scripts run and end."""
import os
import subprocess
import sys

import pytest

from deeplab.testing import forked_scripts

SCRIPT = r'''"""Says a word; see --help.

    python script.py --word=hello
"""
import errno
import os
import signal
import time
from absl import flags
from deeplab import common
common.begin_flag_group('words')
flags.DEFINE_string('word', None, 'A word.')
flags.DEFINE_enum('tone', 'low', ['low', 'high'], 'How it sounds.')
flags.DEFINE_integer('times', 3, 'How often it is said.', lower_bound=1)
def main(argv):
  print('d\xe9j\xe0 \udcff')
  if flags.FLAGS.word == 'bad':
    raise ValueError('The word\n is bad.')
  if flags.FLAGS.word in ('full', 'odd'):
    number = errno.ENOSPC if flags.FLAGS.word == 'full' else errno.EDOM
    raise OSError(number, 'What the system says', 'model.ckpt')
  if flags.FLAGS.word == 'large':
    raise MemoryError('Unable to allocate 2.73 TiB')
  if flags.FLAGS.word == 'swallowed':
    raise RuntimeError('MISMATCH: ORIGINAL OutOfRangeError REPLACED BY Stopped: terminated.')
  if flags.FLAGS.word == 'stop':
    raise KeyboardInterrupt()
  if flags.FLAGS.word in ('SIGTERM', 'SIGINT'):
    os.kill(os.getpid(), getattr(signal, flags.FLAGS.word))
    time.sleep(30)
if __name__ == '__main__':
  common.run(main, required_flags=['word'])
'''

HELP = """Says a word.

    python script.py --word=hello

Required: --word

words:
  --word=TEXT
      A word.
  --tone=low|high
      How it sounds. [default: low]
  --times=INTEGER
      How often it is said. [1 or more; default: 3]

--helpfull adds the flags of the libraries, such as --verbosity and --flagfile.
"""


@pytest.fixture(name='run')
def fixture_run(tmp_path):
  script = tmp_path / 'script.py'
  script.write_text(SCRIPT)
  return lambda *words: forked_scripts.run_apart(str(script), *words)


@pytest.mark.parametrize('arguments, code, message', [
    (['--word=good'], 0, ''),
    (['--word=bad'], 1, 'script.py: error: The word is bad.\n'),
    (['--word=full'], 1, 'script.py: error: model.ckpt: No space left on device. Make room, and '
                         'run the same command again.\n'),
    (['--word=large'], 1, 'script.py: error: Memory is short: Unable to allocate 2.73 TiB. Choose '
                          'smaller images, crops or batches, or fewer processes.\n'),
    (['--word=stop'], 130, 'script.py: error: interrupted.\n'),
    (['--word=swallowed'], 143, 'script.py: error: terminated.\n'),
    (['--word=SIGTERM'], 143, 'script.py: error: terminated.\n'),
    (['--word=SIGINT'], 130, 'script.py: error: interrupted.\n'),
    ([], 2, 'script.py: error: Required: --word=....\n'),
    (['--wort=x'], 2, "script.py: error: Unknown command line flag 'wort'. Did you mean: "
                      'word ?\n'),
    (['--word=good', 'x'], 2, 'script.py: error: Not a flag: x. Flags are written '
                              '--name=value.\n'),
])
def test_scripts_end_with_one_line_and_a_code(run, arguments, code, message):
  found, _, log = run(*arguments)
  lines = [line for line in log.splitlines(True) if line.startswith('script.py')]
  assert (found, ''.join(lines)) == (code, message), log


@pytest.mark.parametrize('arguments, code, told', [
    (['--word=bad', '--verbosity=1'], 1, 'script.py: error: The word is bad.'),
    # No error of a user: what it says is for who mends the program.
    (['--word=odd'], 1, 'What the system says'),
])
def test_tracebacks_are_for_those_who_ask_and_for_bugs(run, arguments, code, told):
  found, _, log = run(*arguments)
  assert found == code
  assert 'Traceback' in log and told in log.splitlines()[-1]


def test_what_a_terminal_has_no_letters_for_is_shown_escaped(tmp_path):
  script = tmp_path / 'script.py'
  script.write_text(SCRIPT)
  ended = subprocess.run([sys.executable, str(script), '--word=good'], stdout=subprocess.PIPE,
                         env=dict(os.environ, PYTHONIOENCODING='ascii'))
  assert (ended.returncode, ended.stdout) == (0, b'd\\xe9j\\xe0 \\udcff\n')


@pytest.mark.parametrize('utf8, code', [('0', 2), ('1', 0)])
def test_words_beyond_ascii_need_utf8(tmp_path, utf8, code):
  script = tmp_path / 'script.py'
  script.write_text(SCRIPT)
  env = dict(os.environ, LC_ALL='C', PYTHONUTF8=utf8, PYTHONCOERCECLOCALE='0')
  ended = [subprocess.run([sys.executable, str(script), '--word=' + word], env=env,
                          stderr=subprocess.PIPE) for word in ('plain', 'été')]
  assert [end.returncode for end in ended] == [0, code]
  assert (b'script.py: error: --word=' in ended[1].stderr
          and b'PYTHONUTF8=1' in ended[1].stderr) == bool(code)


@pytest.mark.parametrize('mark', ['', '\ufeff'])
def test_flag_files_may_begin_with_a_byte_order_mark(run, tmp_path, mark):
  (tmp_path / 'flags.txt').write_text(mark + '--word=bad\n', encoding='utf-8')
  code, _, log = run('--flagfile=%s' % (tmp_path / 'flags.txt'))
  assert (code, log.splitlines()[-1]) == (1, 'script.py: error: The word is bad.')


@pytest.mark.parametrize('word', ['--help', '-?', '--helpshort'])
def test_help_shows_what_the_script_does_and_its_flags(run, word):
  # Of no effect: flags after the word, and before it.
  assert run('--times=5', word, '--wort=x')[:2] == (0, HELP)


def test_full_help_adds_shared_flags_and_those_of_the_libraries(run):
  code, output, _ = run('--helpfull')
  assert code == 0
  assert output.startswith(HELP[:HELP.index('--helpfull')])
  assert '\nbackbone:\n  --model_variant=TEXT\n' in output
  assert output.index('--times') < output.index('--model_variant') < output.index('--verbosity')


def test_xml_help_has_the_flags(run):
  code, output, _ = run('--helpxml')
  assert code == 0 and '<name>times</name>' in output
