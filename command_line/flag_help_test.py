"""Tests that every flag of every script is explained: --help, groups and help texts."""
import re

import pytest

from deeplab.command_line import flag_groups
from deeplab.testing import forked_scripts, script_flags

SCRIPTS = script_flags.scripts()

_MAX_TEXT_LENGTH = 260
_NUMBER_TYPES = ('int', 'float', 'multi int', 'multi float')
# What a help text says of the range of a number that the flag itself does not check.
_RANGE_TEXT = re.compile(r'\d\.\.\w|\d(,| or)? or (more|less)|over 0|8, 16 or 32|once as 0|or more')
# What a help text says of a flag that has no value unless one is given.
_DEFAULT_TEXT = re.compile(r'Default:|[Rr]equired')
# Lists of other things than numbers, and lists whose items the text names.
_NO_NUMBER_LISTS = {'columns', 'cutout_classes', 'format', 'outputs', 'ps_hosts', 'variants',
                    'worker_hosts', 'decoder_output_stride'}
_LIST_TYPE = 'comma separated list of strings'
# Any number does.
_UNLIMITED = {'data_seed', 'seed'}
# End of a name, and what its help text must say.
_UNITS = {'_secs': 'econds', '_crop_size': 'pixels', 'tile_size': 'pixels',
          'tile_overlap': 'pixels', 'resize_value': 'pixels', 'input_size': 'pixels',
          'image_height': 'pixels', 'image_width': 'pixels', 'batch_size': 'mages|ictures',
          '_seed': 'same|equal'}


@pytest.fixture(scope='module', name='facts')
def fixture_facts():
  return script_flags.collect(SCRIPTS)


def complaints(each):
  """Yields what is wrong with a FlagFacts."""
  if not each.text.endswith('.') or len(each.text.split()) < 2 or each.text.startswith('('):
    yield 'the help text is no sentence: %r' % each.text
  if len(each.text) > _MAX_TEXT_LENGTH:
    yield 'the help text has %d characters, more than %d' % (len(each.text), _MAX_TEXT_LENGTH)
  has_numbers = each.type in _NUMBER_TYPES or (
      each.type == _LIST_TYPE and each.name not in _NO_NUMBER_LISTS)
  if (has_numbers and each.name not in _UNLIMITED and not each.range
      and not each.text.startswith('Alias') and not _RANGE_TEXT.search(each.text)):
    yield 'the help text does not say in what range the number is'
  if not each.has_default and not _DEFAULT_TEXT.search(each.text):
    yield 'it has no default, and the help text does not say what holds without it'
  for end, unit in _UNITS.items():
    if each.name.endswith(end) and not re.search(unit, each.text):
      yield 'the help text does not name the unit (%s)' % unit
  if each.group == flag_groups.NO_GROUP:
    yield 'it is declared before a group begins; see flag_groups.begin'


def test_complaints_are_found():
  good = script_flags.FlagFacts('wait_secs', 'logs', True, 'Seconds to wait.', 'int', False, None,
                                '0 or more', True)
  assert not list(complaints(good))
  for change in (dict(text='Seconds to wait'), dict(text='(no seconds available)'),
                 dict(range=''), dict(text='Time to wait.'), dict(has_default=False),
                 dict(type='comma separated list of strings', range=''),
                 dict(group=flag_groups.NO_GROUP),
                 dict(text='Seconds to wait%s.' % (' and wait' * 40))):
    assert len(list(complaints(good._replace(**change)))) == 1, change


def test_all_scripts_are_looked_at():
  assert {'train', 'eval', 'vis', 'predict', 'export_model', 'datasets.build_voc2012_data',
          'datasets.doctor', 'tools.benchmarks.__main__',
          'evaluation.panoptic.make_sample'} <= set(SCRIPTS)


def test_every_flag_is_explained(facts):
  wrong = sorted({'--%s: %s' % (each.name, complaint) for module in SCRIPTS
                  for each in facts[module] for complaint in complaints(each)})
  assert not wrong, '\n'.join(wrong)


def test_every_flag_is_in_one_group(facts):
  for module in SCRIPTS:
    names = [each.name for each in facts[module]]
    assert sorted(names) == sorted(set(names)), module


def test_scripts_show_the_groups_they_use(facts):
  def groups(module):
    return list(dict.fromkeys(each.group for each in facts[module] if each.is_shown))

  assert groups('eval') == [
      'results', 'checkpoints', 'resolution of the features, quantisation', 'records to read',
      'averaging over several passes', 'sizes of the input', 'resizing of images', 'backbone',
      'network', 'head of the network']
  assert groups('tools.records.preview') == [
      'picture', 'augmentation', 'reading of training records', 'records to read',
      'resizing of images', 'backbone']
  assert groups('datasets.build_voc2012_data') == [
      'files', 'bytes given to image_seg_to_tfexample', 'work and errors',
      'several machines']
  assert groups('tools.benchmarks.__main__') == ['measurements']
  # Of the training: other scripts take them, and say that they have no effect.
  assert [each.name for each in facts['eval'] if not each.is_shown] == [
      'label_weights', 'batch_norm_decay']
  assert 'model_variant' in [each.name for each in facts['tools.runs.plot_losses']
                             if not each.is_shown]


def test_help_of_the_benchmark_names_all_of_them():
  code, names, log = forked_scripts.run_code(
      'from deeplab.tools.benchmarks import __main__ as benchmark\nprint(*benchmark.BENCHMARKS)')
  assert code == 0, log
  _, text, _ = forked_scripts.run_apart('tools/benchmarks/__main__.py', '--help')
  assert set(names.split()) <= set(re.findall(r'\w+', text.split('measurements:')[0]))


def shown_flags(text):
  """Returns the names of the flags in a --help, in order."""
  return re.findall(r'^  --(?:\[no\])?(\w+)', text, re.MULTILINE)


@pytest.mark.parametrize('module', SCRIPTS)
def test_help_shows_every_flag_of_the_script(facts, module):
  script = module.replace('.', '/') + '.py'
  code, output, errors = forked_scripts.run_apart(script, '--help')
  assert (code, errors) == (0, '')
  assert shown_flags(output) == [each.name for each in facts[module] if each.is_shown]
  assert re.match('[A-Z].*[.:]\n', output) and 'see --help' not in output
  too_long = [line for line in output.splitlines() if len(line) > 98 and '|' not in line]
  assert not too_long


@pytest.mark.parametrize('module', ['train', 'datasets.build_sample_data'])
def test_full_help_shows_all_flags(facts, module):
  code, output, _ = forked_scripts.run_apart(module.replace('.', '/') + '.py', '--helpfull')
  names = shown_flags(output)
  assert code == 0
  assert {each.name for each in facts[module]} <= set(names)
  assert {'verbosity', 'flagfile', 'helpfull', 'logtostderr'} <= set(names)
  assert len(names) == len(set(names))


def test_help_shows_values_ranges_and_defaults():
  _, output, _ = forked_scripts.run_apart('train.py', '--help')
  text = ' '.join(output.split())
  for part in ('Trains a DeepLab model on TFRecords. python train.py --train_logdir=',
               'Required: --train_logdir --dataset_dir',
               '--optimizer=momentum|adam', '--momentum=NUMBER Momentum, 0..1. [0 to 1; default: '
               '0.9]', '--[no]xla', '--atrous_rates=INTEGER (may be repeated)',
               '--train_crop_size=A,B,...', '[default: 513,513]'):
    assert part in text, part
