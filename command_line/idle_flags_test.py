"""Tests of flags that have no effect beside the others."""
import json
import os

import pytest

from deeplab import documented_commands_test, local_test_forma_test
from deeplab.command_line import idle_flags, subcommands
from deeplab.testing import documentation, forked_scripts, tiny_run

# Flag -> script, the flag as it is given, flags beside which it is idle, and does something.
EXAMPLES = {
    'base_learning_rate': ('train', '=0.5', ['--optimizer=adam'], ['--optimizer=momentum']),
    'momentum': ('train', '=0.5', ['--optimizer=adam'], []),
    'adam_learning_rate': ('train', '=0.5', [], ['--optimizer=adam']),
    'adam_epsilon': ('train', '=0.5', ['--optimizer=momentum'], ['--optimizer=adam']),
    'learning_power': ('train', '=0.5', ['--learning_policy=step'], []),
    'end_learning_rate': ('train', '=0.5', ['--learning_policy=step'], []),
    'decay_steps': ('train', '=5', ['--learning_policy=step'], ['--learning_policy=poly']),
    'learning_rate_decay_factor': ('train', '=0.5', [], ['--learning_policy=step']),
    'learning_rate_decay_step': ('train', '=5', [], ['--learning_policy=step']),
    'slow_start_learning_rate': ('train', '=0.5', [], ['--slow_start_step=1']),
    'slow_start_burnin_type': ('train', '=linear', ['--slow_start_step=0'],
                               ['--slow_start_step=1']),
    'hard_example_mining_step': ('train', '=5', [], ['--top_k_percent_pixels=0.5']),
    'initialize_last_layer': ('train', '=false', [], ['--tf_initial_checkpoint=x']),
    'last_layers_contain_logits_only': (
        'train', '=true', ['--tf_initial_checkpoint=x'],
        ['--tf_initial_checkpoint=x', '--noinitialize_last_layer']),
    'boundaries': ('train', '=5', [], ['--learning_policy=multi_steps']),
    'boundary_learning_rates': ('train', '=0.5', [], ['--learning_policy=multi_steps']),
    # Without effect beside any other flag.
    'label_weights': ('eval', '=1,2', [], None),
    'keep_aspect_ratio': ('train', '=false', [], ['--min_resize_value=33']),
    'aspp_convs_filters': ('train', '=64', ['--dense_prediction_cell_json=x'], []),
    'aspp_with_concat_projection': ('train', '=false', ['--noaspp_with_batch_norm'], []),
    'aspp_with_squeeze_and_excitation': (
        'train', '=true', ['--noadd_image_level_feature'], []),
    'image_se_uses_qsigmoid': ('train', '=true', [], ['--aspp_with_squeeze_and_excitation']),
    'decoder_filters': ('train', '=64', [], ['--decoder_output_stride=4']),
    'decoder_use_sum_merge': ('train', '=true', [], ['--decoder_output_stride=4']),
    'batch_norm_decay': ('train', '=0.5', ['--nofine_tune_batch_norm'], []),
    'max_bad_fraction': ('train', '=0.5', [], ['--on_bad_record=skip']),
    'eval_split': ('train', '=test', [], ['--eval_during_training']),
    'num_ps_tasks': ('train', '=1', ['--num_replicas=1'], ['--num_replicas=2']),
    'startup_delay_steps': ('train', '=5', [], ['--worker_hosts=a:1,b:1', '--ps_hosts=c:1']),
    'cluster_timeout_secs': ('train', '=5', [], ['--job_name=ps']),
    'resize_factor': ('train', '=16', [], ['--min_resize_value=33']),
    'tile_overlap': ('predict', '=5', [], ['--tile_size=33,33']),
    'eval_crop_size': ('eval', '=33,33', ['--tile_size=33,33'], []),
    'vis_crop_size': ('vis', '=33,33', ['--tile_size=33,33'], []),
    'max_number_of_evaluations': ('eval', '=1', ['--eval_once'], []),
    'eval_interval_secs': ('eval', '=1', ['--eval_once'], ['--noeval_once']),
    'eval_timeout_secs': ('eval', '=1', ['--eval_once'], []),
    'overlay_legend': ('predict', '=false', ['--outputs=color'], ['--outputs=color,overlay']),
    'overlay_opacity': ('predict', '=0.7', ['--outputs=color'], ['--outputs=color,overlay']),
    'paint_background': ('vis', '=true', [], ['--save_overlay']),
    'num_check_pictures': ('export_model', '=9', [], ['--dataset_dir=x']),
    'normalize_by_image_size': ('evaluation.eval_coco_format', '=false', [], ['--metric=pc']),
    'crowd_excuses': ('evaluation.eval_coco_format', '=same_category', ['--metric=pc'], []),
    'image_pooling_crop_size': ('train', '=33,33', ['--noadd_image_level_feature'], []),
    'image_pooling_stride': ('train', '=2,2', ['--noadd_image_level_feature'], []),
    'decoder_use_separable_conv': ('train', '=false', [], ['--decoder_output_stride=4']),
    'merge_method': ('train', '=avg', [], ['--image_pyramid=0.5', '--image_pyramid=1']),
    'atrous_rates': ('train', '=6', ['--dense_prediction_cell_json=x'], []),
    'add_image_level_feature': ('train', '=false', ['--dense_prediction_cell_json=x'], []),
}
# Of versions of DeepLab that are newer than the reference.
_OF_LATER_SCRIPTS = [
    'adam_learning_rate', 'adam_epsilon', 'end_learning_rate', 'decay_steps',
    'slow_start_burnin_type', 'batch_norm_decay', 'label_weights', 'keep_aspect_ratio',
    'aspp_convs_filters', 'aspp_with_concat_projection', 'aspp_with_squeeze_and_excitation',
    'image_se_uses_qsigmoid', 'decoder_filters', 'decoder_use_sum_merge']
# Settings that the results would tell though they were not made with them.
_IN_RESULTS = ['normalize_by_image_size']
_SCRIPTS = ['train.py', 'eval.py', 'vis.py', 'predict.py', 'export_model.py',
            'evaluation/eval_coco_format.py']
_CONTRACT = os.path.join(tiny_run.ROOT, '..', 'shared', 'contract', 'flags.json')

_CODE = forked_scripts.PARSE_LINE.join(["""
import importlib, json, os, sys
from deeplab import documented_commands_test, local_test_forma_test
from deeplab.command_line import idle_flags
module, lines = json.loads(sys.argv[1])
importlib.import_module('deeplab.' + module)
""", """
def beyond(word):
  # A word as --name=BEYOND with a value that is out of range, None where there is none.
  words = [word.replace('BEYOND', str(value)) for value in (-1, 0, 2)]
  return next(filter(idle_flags._is_out_of_range, words), None)

def said(words):
  if words is None:
    return None
  warnings = []
  idle_flags.logging.warning = lambda form, text: warnings.append(text)
  try:
    words, aside = idle_flags.set_aside(words)
    parse_line(words)
    idle_flags.put_back(aside)
    for is_of_network in (False, True):
      idle_flags.check(is_of_network)
  except (ValueError, flags.Error) as error:
    return warnings, str(error)
  return warnings, ''

def at_default(words):
  if words is None:
    return None
  # The flag of the first word as if its default had been given, None where it has none.
  name = words[0][2:].split('=')[0] if words else ''
  default = flags.FLAGS[name].default if name in flags.FLAGS else None
  if default is None:
    return None
  text = ','.join(default) if isinstance(default, list) else str(default)
  return ['--%s=%s' % (name, text)] + words[1:]

os.environ.pop('TF_CONFIG', None)
lines = [[beyond(words[0])] + words[1:] if words and 'BEYOND' in words[0] else words
         for words in lines]
lines = [words if None not in words else None for words in lines]
print(json.dumps([(said(words), said(at_default(words))) for words in lines]))
"""])


def said_by(module, lines):
  """Returns per command line ((warnings, error), the same with the first flag at its default)."""
  code, output, log = forked_scripts.run_code(_CODE, json.dumps([module, lines]))
  assert code == 0, log
  return json.loads(output.splitlines()[-1])


@pytest.fixture(scope='module', name='said_of_examples')
def fixture_said_of_examples():
  """Dict, flag -> what is said of it where it is idle, and where it is not."""
  found = {}
  for module in sorted({example[0] for example in EXAMPLES.values()}):
    names = [name for name in EXAMPLES if EXAMPLES[name][0] == module]
    lines = [['--%s%s' % (name, EXAMPLES[name][1])] + words if words is not None else []
             for name in names for words in EXAMPLES[name][2:]]
    said = said_by(module, lines)
    found.update((name, said[2 * index:2 * index + 2]) for index, name in enumerate(names))
  return found


def test_every_row_has_an_example():
  assert sorted(EXAMPLES) == sorted(row.flag for row in idle_flags.ROWS)


@pytest.mark.parametrize('row', idle_flags.ROWS, ids=[row.flag for row in idle_flags.ROWS])
def test_idle_flags_are_told_unless_they_are_at_their_default(said_of_examples, row):
  (idle, idle_at_default), (active, _) = said_of_examples[row.flag]
  message = ' has no effect: it %s.' % row.condition
  warnings, error = idle
  if row.is_error:
    assert warnings == [] and message in error
    assert error.startswith(('--%s' % row.flag, '--no%s' % row.flag))
    assert error.endswith('. Leave it out, or change what it depends on.')
  else:
    assert error == '' and len(warnings) == 1 and warnings[0].endswith(message)
  assert active == [[], '']
  assert idle_at_default in (None, [[], ''])


def test_values_out_of_range_are_no_errors_where_they_have_no_effect():
  names = []
  for module in sorted({example[0] for example in EXAMPLES.values()}):
    rows = [row for row in idle_flags.ROWS if EXAMPLES[row.flag][0] == module]
    said = said_by(module, [['--%s=BEYOND' % row.flag] + (words or []) for row in rows
                            for words in EXAMPLES[row.flag][2:]])
    for row, (idle, _), (active, _) in zip(rows, said[::2], said[1::2]):
      if idle is None:  # A list, a choice or a number of any size.
        continue
      names.append(row.flag)
      warnings, error = idle
      assert ''.join(warnings) + error == '--%s=%s has no effect: it %s.%s' % (
          row.flag, (''.join(warnings) + error).split('=')[1].split(' ')[0], row.condition,
          ' ' + idle_flags._ADVICE if row.is_error else ''), row.flag
      assert bool(error) == row.is_error
      assert active[0] == [] and active[1].startswith('flag --%s=' % row.flag), row.flag
  assert {'learning_power', 'learning_rate_decay_step', 'learning_rate_decay_factor', 'momentum',
          'base_learning_rate', 'resize_factor', 'atrous_rates', 'max_bad_fraction'} <= set(names)


@pytest.mark.parametrize('words, warnings, error', [
    (['--learning_policy=step', '--learning_power=0'],
     ['--learning_power=0 has no effect: it is for --learning_policy=poly.'], ''),
    (['--learning_rate_decay_step=0', '--learning_rate_decay_factor=0'],
     ['--learning_rate_decay_step=0 has no effect: it is for --learning_policy=step.',
      '--learning_rate_decay_factor=0.0 has no effect: it is for --learning_policy=step.'], ''),
    (['--learning_power=inf', '--learning_policy=step'],
     ['--learning_power=inf has no effect: it is for --learning_policy=poly.'], ''),
    # No number at all is a mistake wherever it is.
    (['--learning_policy=step', '--learning_power=x'], [],
     "flag --learning_power=x: could not convert string to float: 'x'"),
    (['--momentum=0.5', '--optimizer=adam'],
     ['--momentum=0.5 has no effect: it is for --optimizer=momentum.'], ''),
    (['--noinitialize_last_layer'],
     ['--noinitialize_last_layer has no effect: it needs --tf_initial_checkpoint.'], ''),
    (['--atrous_rates=6', '--atrous_rates=12', '--dense_prediction_cell_json=x'],
     ['--atrous_rates=6 --atrous_rates=12 has no effect: it is not for '
      '--dense_prediction_cell_json.'], ''),
    (['--max_bad_fraction=0.5', '--cluster_timeout_secs=3.5'], [],
     '--max_bad_fraction=0.5 has no effect: it is for --on_bad_record=skip. '
     '--cluster_timeout_secs=3.5 has no effect: it is for several processes: give --worker_hosts '
     'and --ps_hosts, or TF_CONFIG. Leave it out, or change what it depends on.'),
    # A cell pools, by itself.
    (['--image_pooling_crop_size=33,33', '--dense_prediction_cell_json=x',
      '--image_pooling_stride=2,2'],
     ['--image_pooling_stride=2,2 has no effect: it is for the image pooling branch of ASPP, '
      '--add_image_level_feature.'], ''),
    (['--image_pooling_crop_size=33,33', '--noaspp_with_batch_norm'],
     ['--image_pooling_crop_size=33,33 has no effect: it is for image pooling, which the head of '
      'the network does not have.'], ''),
    (['--last_layers_contain_logits_only', '--last_layer_gradient_multiplier=10'], [], ''),
])
def test_flags_are_told_as_they_were_given(words, warnings, error):
  assert said_by('train', [words])[0][0] == [warnings, error]


# The flags of train.py in the reference's driver of the Forma sets, paths and sizes apart.
_OF_REFERENCE = [
    '--logtostderr', '--train_split=train', '--model_variant=xception_65', '--atrous_rates=6',
    '--atrous_rates=12', '--atrous_rates=18', '--output_stride=16', '--decoder_output_stride=4',
    '--train_crop_size=513,513', '--num_clones=8', '--train_batch_size=32',
    '--base_learning_rate=0.01', '--fine_tune_batch_norm=false', '--initialize_last_layer=true',
    '--last_layers_contain_logits_only=true', '--dataset=forma55k',
    '--save_interaval_secs=1200', '--save_summary_secs', '=', '600', '--save_summaries_images=true']


@pytest.mark.parametrize('policy', [
    ['--learning_policy=step', '--learning_rate_decay_factor=0.1',
     '--learning_rate_decay_step=68000', '--learning_power=0'],
    ['--learning_policy=poly', '--learning_rate_decay_factor=0', '--learning_rate_decay_step=0',
     '--learning_power=0.9']], ids=['step', 'poly'])
def test_flags_of_the_driver_of_the_reference_are_taken(tmp_path, policy):
  result = forked_scripts.run('train.py', '--train_logdir=%s' % (tmp_path / 'run'),
                              '--dataset_dir=%s' % tmp_path, *_OF_REFERENCE + policy)
  assert '--save_interaval_secs is read as --save_interval_secs.' in result.log
  assert '--save_summary_secs is read as --save_summaries_secs.' in result.log
  assert ' has no effect: it is for --learning_policy=' in result.log
  assert ' holds no records ' in result.last_line


def test_tiles_go_with_an_empty_crop_size():
  assert said_by('eval', [['--eval_crop_size=', '--tile_size=33,33']])[0][0] == [[], '']


def documented_commands_of_pages(folder):
  """Returns dict, module -> list of (page and block, words) of the commands on the pages."""
  modules = {name: row.module for name, row in subcommands.SUBCOMMANDS.items()}
  found = {}
  for page in documented_commands_test.PAGES_TO_RUN:
    # awk reads files that commands leave, which are not run here.
    blocks = [block for block in documented_commands_test.blocks_to_run(page)
              if 'awk' not in block.text]
    for block, of_block in zip(blocks, documentation.commands(blocks, folder, modules)):
      for command in of_block:
        if command.script in _SCRIPTS:
          found.setdefault(command.script[:-len('.py')].replace('/', '.'), []).append(
              ('%s:%d' % (documentation.name(page), block.line),
               [word for word in command.words if word not in ('...', '--help')]))
  return found


def test_commands_of_the_pages_have_no_idle_flags(tmp_path):
  found = documented_commands_of_pages(tmp_path)
  assert sorted(found) == sorted(script[:-3].replace('/', '.') for script in _SCRIPTS)
  idle = []
  for module, lines in found.items():
    said = said_by(module, [words for _, words in lines])
    idle += [(place, each) for (place, _), (each, _) in zip(lines, said) if each != [[], '']]
  assert idle == []


@pytest.mark.parametrize('machine', ['cpu', '4gpu'])
@pytest.mark.parametrize('policy', ['poly', 'step', 'finetune', 'adam'])
def test_commands_of_the_driver_have_no_idle_flags(tmp_path, policy, machine):
  found = local_test_forma_test.commands(
      DEEPLAB_STORAGE_DIR=str(tmp_path), MACHINE=machine, POLICY=policy, NUM_ITERATIONS='100',
      INIT_CHECKPOINT='x', INIT_FLAGS='--noinitialize_last_layer')
  for script, words in found.items():
    assert said_by(script[:-len('.py')], [words])[0][0] == [[], ''], script


def test_flags_of_the_reference_are_no_errors():
  if not os.path.exists(_CONTRACT):
    pytest.skip('no ../shared/contract/flags.json')
  with open(_CONTRACT) as stream:
    contract = json.load(stream)
  for row in idle_flags.ROWS:
    script = EXAMPLES[row.flag][0].replace('.', '/')
    known = [flag['name'] for name in ('common', script) for flag in contract.get(
        name, {'flags': []})['flags']]
    known.extend(_OF_LATER_SCRIPTS)
    assert row.is_error == (row.flag not in known or row.flag in _IN_RESULTS), row.flag


def test_programs_stop_at_errors_and_go_on_after_warnings(tmp_path):
  flags = ('--train_logdir=%s' % (tmp_path / 'run'), '--dataset_dir=%s' % tmp_path,
           '--optimizer=adam', '--momentum=0.5')
  result = forked_scripts.run('train.py', *flags)
  assert '--momentum=0.5 has no effect: it is for --optimizer=momentum.' in result.log
  assert 'has no effect' not in result.last_line
  result = forked_scripts.run('train.py', '--max_bad_fraction=0.5', *flags)
  assert result.code == 2
  assert result.last_line == (
      'train.py: error: --max_bad_fraction=0.5 has no effect: it is for --on_bad_record=skip. '
      'Leave it out, or change what it depends on.')
