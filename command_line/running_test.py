"""Tests of how scripts run and end."""
import pytest

from deeplab.utils import forked_scripts

SCRIPT = '''"""Says a word; see --help.

    python script.py --word=hello
"""
from absl import flags
from deeplab import common
common.begin_flag_group('words')
flags.DEFINE_string('word', None, 'A word.')
flags.DEFINE_enum('tone', 'low', ['low', 'high'], 'How it sounds.')
flags.DEFINE_integer('times', 3, 'How often it is said.', lower_bound=1)
def main(argv):
  if flags.FLAGS.word == 'bad':
    raise ValueError('The word\\n is bad.')
  if flags.FLAGS.word == 'stop':
    raise KeyboardInterrupt()
if __name__ == '__main__':
  common.run(main, required_flags=['word'])
'''

@pytest.fixture(name='run')
def fixture_run(tmp_path):
  script = tmp_path / 'script.py'
  script.write_text(SCRIPT)
  return lambda *words: forked_scripts.run_apart(str(script), *words)


@pytest.mark.parametrize('arguments, code, message', [
    (['--word=good'], 0, ''),
    (['--word=bad'], 1, 'script.py: error: The word is bad.\n'),
    (['--word=stop'], 130, 'script.py: error: interrupted.\n'),
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
