"""Tests that README and the pages of g3doc tell the truth: commands, flags and paths."""
import glob
import json
import os
import re
import shlex
import subprocess
import sys

import pytest

_ROOT = os.path.dirname(os.path.abspath(__file__))
_PAGES = sorted(glob.glob(os.path.join(_ROOT, 'g3doc', '*.md'))
                + glob.glob(os.path.join(_ROOT, '**', 'README.md'), recursive=True))
# What the pages tell the reader to write.
_READERS_OWN = {'core/tiny_net.py'}
_KNOWN_FLAGS = """
import importlib, json, os, sys
from absl import flags
from deeplab import common

for script in json.load(sys.stdin):
  if os.fork():
    os.wait()
    continue
  try:
    importlib.import_module('deeplab.' + script)
    print(json.dumps([script, sorted(flags.FLAGS)]), flush=True)
  finally:
    os._exit(0)
"""


def _read(page):
  with open(page, encoding='utf-8') as f:
    return f.read()


def commands(text):
  """Yields (module below deeplab, names of flags) of the commands in blocks of code."""
  lines = '\n'.join(re.findall(r'^    .*$', text, re.MULTILINE)).replace('\\\n', ' ')
  for line in lines.splitlines():
    match = re.search(r'\bpython3?\s+(?:-m\s+deeplab\.(?P<module>[\w.]+)|(?P<path>[\w/]+)\.py)\b'
                      r'(?P<rest>[^|;&]*)', line)
    if match:
      module = match.group('module') or match.group('path').replace('/', '.')
      words = shlex.split(match.group('rest').replace("'", '"'), comments=True)
      yield module, [word[2:].split('=')[0] for word in words if word.startswith('--')]


def _prose(page):
  return re.sub(r'^    .*$', '', _read(page), flags=re.MULTILINE)


def _is_known(flag, known):
  return flag in known or (flag.startswith('no') and flag[2:] in known)


def test_every_command_has_flags_that_its_script_knows():
  found = {}
  for page in _PAGES:
    for module, names in commands(_read(page)):
      found.setdefault(module, {}).update((name, os.path.basename(page)) for name in names)
  assert {'train', 'eval', 'vis', 'export_model', 'predict', 'datasets.build_custom_data',
          'datasets.doctor', 'utils.inspect_checkpoint', 'utils.compare_runs'} <= set(found)
  modules = sorted(module for module in found if os.path.exists(
      os.path.join(_ROOT, module.replace('.', os.sep) + '.py')))
  assert sorted(found) == modules, 'a command names a script that is not there'
  output = subprocess.run([sys.executable, '-c', _KNOWN_FLAGS], cwd=_ROOT,
                          input=json.dumps(modules).encode(), stdout=subprocess.PIPE,
                          check=True).stdout.decode()
  known = dict(json.loads(line) for line in output.splitlines())
  assert sorted(known) == modules
  assert not _is_known('no_such_flag', known['train'])
  unknown = ['%s: %s has no flag --%s' % (page, module, name) for module in modules
             for name, page in sorted(found[module].items()) if not _is_known(name, known[module])]
  assert not unknown, '\n'.join(unknown)


@pytest.mark.parametrize('page', _PAGES, ids=os.path.basename)
def test_links_lead_somewhere(page):
  for target in re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', _prose(page)):
    if not re.match(r'https?:', target):
      assert os.path.exists(os.path.join(os.path.dirname(page), target)), target


@pytest.mark.parametrize('page', _PAGES, ids=os.path.basename)
def test_named_source_files_exist(page):
  for path in re.findall(r'`([\w/.-]+\.(?:py|sh|ipynb))`', _prose(page)):
    # A bare name is that of a file in some folder.
    pattern = path if '/' in path else os.path.join('**', path)
    assert path in _READERS_OWN or glob.glob(os.path.join(_ROOT, pattern), recursive=True), path


def test_every_page_is_reached_from_the_readme():
  readme = _read(os.path.join(_ROOT, 'README.md'))
  linked = {os.path.normpath(os.path.join(os.path.dirname(page), target))
            for page in _PAGES for target in re.findall(r'\]\(([^)#]+\.md)', _read(page))}
  lost = [os.path.basename(page) for page in _PAGES
          if os.path.normpath(page) not in linked and not page.endswith('README.md')]
  assert 'g3doc/training.md' in readme
  assert not lost
