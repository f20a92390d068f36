"""What flags the scripts declare, as facts that are plain values.

Flags can be declared once per process, so every script is imported by a process of its own.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import typing

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_COLLECT = """
import importlib, json, os, sys
from deeplab.command_line import flag_groups, flag_help

def facts(module):
  # Scripts whose flags are also those of a script they know declare them when they are run.
  getattr(importlib.import_module(module), 'define_flags', lambda: None)()
  return [[flag.name, group.title, group.is_shown, flag_help.text_of(flag), flag.flag_type(),
           bool(flag.boolean), flag_help.choices_of(flag), flag_help.range_of(flag),
           flag.default is not None]
          for group in flag_groups.groups(module) for flag in group.flags]

for module in json.load(sys.stdin):
  if os.fork():
    os.wait()
    continue
  try:
    print(json.dumps([module, facts('deeplab.' + module)]), flush=True)
  finally:
    os._exit(0)
"""


_RUNS = re.compile(r"^if __name__ == '__main__':\n(?:  .*\n)*?  (?:common|running)\.run\(",
                   re.MULTILINE)


class FlagFacts(typing.NamedTuple):
  """A flag of a script."""
  name: str  # Of the flag.
  group: str  # Title of the group it is shown in.
  is_shown: bool  # Whether --help shows it; flags of no use to the script are not.
  text: str  # Help text.
  type: str  # Of the value, as absl calls it.
  is_boolean: bool  # Whether it is written without a value.
  choices: typing.Optional[typing.List[str]]  # List of the values it takes, or None.
  range: str  # Text on the numbers it takes; '' if that is not checked.
  has_default: bool  # Whether it has a value, and be it an empty text, unless one is given.


def scripts():
  """Returns the sorted modules, below the package, of all that `common.run` runs."""
  found = []
  for folder, folders, names in os.walk(_ROOT):
    folders[:] = [name for name in folders
                  if os.path.exists(os.path.join(folder, name, '__init__.py'))]
    for path in (pathlib.Path(folder, name) for name in names
                 if name.endswith('.py') and not name.endswith('_test.py')):
      if _RUNS.search(path.read_text(encoding='utf-8')):
        found.append('.'.join(path.relative_to(_ROOT).with_suffix('').parts))
  return sorted(found)


def collect(modules):
  """Returns dict, module of a script -> own FlagFacts; ValueError if one cannot be imported."""
  output = subprocess.run(
      [sys.executable, '-c', _COLLECT], cwd=_ROOT,
      input=json.dumps(list(modules)).encode(), stdout=subprocess.PIPE, check=True).stdout
  found = dict(json.loads(line) for line in output.decode().splitlines())
  missing = [module for module in modules if module not in found]
  if missing:
    raise ValueError('Cannot be imported, see above: %s.' % ', '.join(missing))
  return {module: [FlagFacts(*facts) for facts in found[module]] for module in modules}
