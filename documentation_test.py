"""Tests that README and the pages of g3doc tell the truth: commands, flags and paths."""
import glob
import os
import re
import shlex

import pytest

from deeplab.command_line import script_flags, subcommands

_ROOT = os.path.dirname(os.path.abspath(__file__))
_PAGES = sorted(glob.glob(os.path.join(_ROOT, 'g3doc', '*.md'))
                + glob.glob(os.path.join(_ROOT, '**', 'README.md'), recursive=True))
# What the pages tell the reader to write.
_READERS_OWN = {'core/tiny_net.py', 'utils/soft_dice.py'}
# Flags of the libraries that the pages mention.
_LIBRARY_FLAGS = {'flagfile', 'help', 'helpfull', 'verbosity'}


def _read(page):
  with open(page, encoding='utf-8') as f:
    return f.read()


def commands(text):
  """Yields (module below deeplab, names of flags) of the commands in blocks of code."""
  lines = '\n'.join(re.findall(r'^    .*$', text, re.MULTILINE)).replace('\\\n', ' ')
  for line in lines.splitlines():
    match = re.search(r'\bpython3?\s+(?:-m\s+deeplab\.(?P<module>[\w.]+)|(?P<path>[\w/]+)\.py)\b'
                      r'(?P<rest>[^|;&]*)', line) or re.match(
                          r'\s*deeplab (?P<subcommand>[\w-]+)(?P<rest>(?: [^|;&]*)?)$', line)
    if match:
      module = _module_of(**match.groupdict())
      words = shlex.split(match.group('rest').replace("'", '"'), comments=True)
      yield module, [word[2:].split('=')[0] for word in words if word.startswith('--')]


def _module_of(module=None, path=None, subcommand=None, rest=None):
  """Returns the module of a command by its module, its file or its subcommand."""
  if subcommand:
    assert subcommand in subcommands.summaries(), 'there is no deeplab ' + subcommand
    row = subcommands.SUBCOMMANDS.get(subcommand)
    return row.module if row else 'command_line.subcommands'
  return module or path.replace('/', '.')


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
  known = {module: {each.name for each in facts} | _LIBRARY_FLAGS
           for module, facts in script_flags.collect(modules).items()}
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
