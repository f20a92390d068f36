"""Tests of flags that are made of settings."""
import json

from deeplab.testing import forked_scripts

_CODE = """
import json, sys
from absl import flags
from deeplab.command_line import declaring, flag_groups, flag_help
from deeplab.core import settings
from deeplab.core.settings import FLOATS, INTS, LIST, Setting

@settings.record
class Options(object):
  inner = Setting(7, 'No flag.')
  steps = Setting(5, 'Number of steps.', at_least=1, at_most=9, group='one')
  rate = Setting(0.5, 'Speed.', is_over_zero=True)
  size = Setting((3, 4), 'Height,width.', LIST, group='two')
  kind = Setting('b', 'Kind.', choices={'b': 1, 'a': 2}, group='one')
  scales = Setting(None, 'Scales.', FLOATS)
  rates = Setting(None, 'Rates.', INTS, at_least=1)
  is_on = Setting(True, 'Whether.')
  path = Setting(None, 'Where.', str)

declaring.declare(Options, 'two', 'one', kind='a')
groups = [(group.title, [flag.name for flag in group.flags])
          for group in flag_groups.groups('__main__') if group.title in ('one', 'two')]
results = []
for words in json.loads(sys.argv[1]):
  flags.FLAGS.unparse_flags()
  try:
    flags.FLAGS(['test'] + words)
    results.append(declaring.values_of(Options))
  except flags.Error as error:
    results.append(str(error))
print(json.dumps([groups, [flag_help.choices_of(flags.FLAGS['kind'])], results]))
"""


def test_a_row_becomes_a_flag_of_its_kind_range_choices_and_group():
  lines = [[], ['--steps=0'], ['--rate=0'], ['--rates=0'], ['--kind=c'],
           ['--rates=1', '--rates=2', '--scales=0.5', '--size=5,6', '--nois_on', '--path=x',
            '--kind=b', '--steps=9', '--rate=2']]
  code, output, log = forked_scripts.run_code(_CODE, json.dumps(lines))
  assert code == 0, log
  groups, choices, (defaults, steps, rate, rates, kind, given) = json.loads(output)
  assert groups == [['two', ['size']],
                    ['one', ['steps', 'rate', 'kind', 'scales', 'rates', 'is_on', 'path']]]
  # In the order of their table; the record has the default 'b'.
  assert choices == [['b', 'a']] and defaults['kind'] == 'a'
  assert defaults == dict(steps=5, rate=0.5, size=['3', '4'], kind='a', scales=None, rates=None,
                          is_on=True, path=None)
  for message, name in ((steps, 'steps'), (rate, 'rate'), (rates, 'rates'), (kind, 'kind')):
    assert 'flag --%s=' % name in message
  assert given == dict(steps=9, rate=2, size=['5', '6'], kind='b', scales=[0.5], rates=[1, 2],
                       is_on=False, path='x')
