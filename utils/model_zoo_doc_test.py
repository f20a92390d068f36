"""Tests that the page of published checkpoints tells the truth: its flags and its commands."""
import gzip
import json
import os
import re
import subprocess
import sys

import pytest

from deeplab.core import backbones
from deeplab.tools.checkpoints import architecture_guess

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_RECORDED = os.path.join(_ROOT, 'core', 'testdata', 'variables.json.gz')
with open(os.path.join(_ROOT, 'g3doc', 'model_zoo.md')) as f:
  _PAGE = f.read()

# Section of the page -> the inventories that its lines `model=` are of, in their order.
_SECTIONS = {
    'PASCAL VOC 2012': ['mobilenet_v2_dm05', 'mobilenet_v2_dm05_8bit', 'mobilenet_v2',
                        'mobilenet_v2_8bit', 'xception_65'],
    'Cityscapes': ['mobilenet_v2', 'xception_65', 'xception_71_dpc'],
    'ADE20K': ['mobilenet_v2_dec4', 'xception_65'],
    'ImageNet weights': ['mobilenet_v2', 'xception_41', 'xception_65', 'xception_71',
                         'resnet_v1_50_beta', 'resnet_v1_101_beta'],
    'Fine-tuning on classes of your own': ['mobilenet_v2', 'xception_65'],
}
# End of the name of an inventory that has ranges of activations too.
_8BIT = '_8bit'
# Cannot be guessed, see the notes of inspect_checkpoint.
_UNSEEN_FLAG = '--multi_grid'

# Parses command lines: a fork per script, with its flags alone, and one in it per command.
_PARSER = """
import importlib, json, os, sys
from absl import flags
from deeplab import common

def in_fork(function, *args):
  pid = os.fork()
  if pid:
    return os.waitpid(pid, 0)
  try:
    function(*args)
  except Exception as error:
    print(args, error)
  sys.stdout.flush()
  os._exit(0)

def parse(script, words):
  rest = flags.FLAGS([script] + words)
  assert script == 'tools.checkpoints.inspect_checkpoint' or len(rest) == 1, rest
  if 'model_variant' in flags.FLAGS and 'atrous_rates' in flags.FLAGS:
    common.ModelOptions({'semantic': 2}, [33, 33], flags.FLAGS.atrous_rates)

def parse_all(script, command_lines):
  importlib.import_module('deeplab.' + script)
  for words in command_lines:
    in_fork(parse, script, words)

for item in json.load(sys.stdin).items():
  in_fork(parse_all, *item)
"""


def blocks(section):
  """Returns the blocks of code of a section, without their indents."""
  text = _PAGE.split('\n## %s\n' % section, 1)[1].split('\n## ', 1)[0]
  return [re.sub('^    ', '', block, flags=re.MULTILINE)
          for block in re.findall(r'(?:^    .*\n)+', text, re.MULTILINE)]


def model_lines(block):
  return re.findall(r'^model="(.*)"$', block, re.MULTILINE)


def commands(block):
  """Returns the words of every command of a block, expanded by a shell."""
  script = 'python() { printf "%s\\037" "$@"; echo; }\n' + block
  output = subprocess.run(['sh', '-eu', '-c', script], stdout=subprocess.PIPE, check=True).stdout
  return [line.split('\037')[:-1] for line in output.decode().splitlines()]


def all_commands():
  """Yields (script, words) of all commands, once for each line `model=` of their block."""
  for section in re.findall(r'^## (.*)$', _PAGE, re.MULTILINE):
    for block in blocks(section):
      without = re.sub(r'^model=.*\n', '', block, flags=re.MULTILINE)
      for line in model_lines(block) or ['']:
        for words in commands('model="%s"\n%s' % (line, without)):
          if words[0] == '-m':
            yield words[1].replace('deeplab.', '', 1), words[2:]
          else:
            yield os.path.splitext(words[0])[0], words[1:]


def test_every_command_has_flags_that_its_script_knows():
  found = {}
  for script, words in all_commands():
    found.setdefault(script, []).append(words)
  assert set(found) == {'train', 'eval', 'vis', 'export_model', 'predict',
                                             'tools.checkpoints.inspect_checkpoint'}
  heads = re.findall(r'^\|[^|]+\| `(--[^`]*)`', _PAGE, re.MULTILINE)
  assert len(heads) == 2
  found['eval'] += [head.split() for head in heads]
  # A flag that is not there must show.
  found['eval'].append(['--no_such_flag=1'])
  output = subprocess.run(
      [sys.executable, '-c', _PARSER], cwd=_ROOT, input=json.dumps(found).encode(),
      stdout=subprocess.PIPE, check=True).stdout.decode()
  lines = output.splitlines()
  assert len(lines) == 1, output
  assert 'no_such_flag' in lines[0]


@pytest.mark.parametrize('section', sorted(_SECTIONS))
def test_flags_of_models_are_those_of_their_weights(section, monkeypatch):
  monkeypatch.chdir(_ROOT)
  with gzip.open(_RECORDED, 'rt') as stream:
    inventories = json.load(stream)
  lines = model_lines(blocks(section)[0])
  assert len(lines) == len(_SECTIONS[section])
  for line, name in zip(lines, _SECTIONS[section]):
    flags = [word for word in line.split() if not word.startswith(_UNSEEN_FLAG)]
    shapes = dict(inventories[name.replace(_8BIT, '')])
    if name.endswith(_8BIT):
      shapes['logits/semantic/act_quant/min'] = []
    found = architecture_guess.guess(shapes)
    assert sorted(flags) == sorted(architecture_guess.to_flags(found))


def test_variants_exist():
  variants = re.findall(r'--model_variant=(\w+)', _PAGE)
  variants += re.findall(r'^\|.*\| `(\w+)` \|$', _PAGE, re.MULTILINE)
  assert set(variants) <= set(backbones.BACKBONES)


def test_tables_have_a_figure_of_cost_for_each_figure_of_accuracy():
  names, archives = set(), set()
  for name, archive, accuracy, cost in re.findall(
      r'^\| `([^`]+)` \| `([^`]+)` \| (\d[^|]*) \| ([^|]*\d?) \|$', _PAGE, re.MULTILINE):
    figures = re.findall(r'\d+\.\d+ % (?:val|test)', accuracy)
    assert figures and len(accuracy.split('; ')) == len(figures), name
    assert cost == '-' or len(cost.split('; ')) == len(figures), name
    assert name not in names and archive not in archives
    names.add(name)
    archives.add(archive)
  assert len(names) == 16
