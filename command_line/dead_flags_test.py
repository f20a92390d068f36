"""Tests that every flag a script declares is read by the script or by what it shares.

Reads sources with `ast`. What counts as reading the flag `size`:
  - FLAGS.size and FLAGS['size'];
  - a function that looks a flag up by a name it is given, when it is given 'size':
    `size_list('size')`, or 'eval' of which it makes '%s_size' % script;
  - FLAGS[name] in a loop over the fields of a record, such as TrainOptions, that has a field
    `size`, or over a list or table, literal or named;
  - values_of(TrainOptions), a record of settings that has a row `size`.
"""
import ast

import pytest

from deeplab import layering_test
from deeplab.testing import script_flags

SCRIPTS = script_flags.scripts()
_ROOM = 'scripts'


class Sources(object):
  """The syntax trees of some modules, and what can be found by name in them.

  Attributes:
    trees: list of trees.
    records: dict, name of a class -> names of its fields.
    constants: dict, name of a constant -> strings that are in it.
  """

  def __init__(self, trees, libraries=()):
    self.trees = list(trees)
    self.records, self.constants = {}, {}
    for tree in list(libraries) + self.trees:
      for node in tree.body:
        if isinstance(node, ast.ClassDef):
          self.records[node.name] = [
              name_of(getattr(each, 'target', None) or each.targets[0]) for each in node.body
              if isinstance(each, (ast.AnnAssign, ast.Assign))]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
          self.constants.setdefault(node.targets[0].id, set()).update(strings_of(node.value))

  def walk(self, kind):
    """Yields the nodes of a kind."""
    for tree in self.trees:
      for node in ast.walk(tree):
        if isinstance(node, kind):
          yield node


def strings_of(node):
  """Returns the strings of a literal: items of a list, keys of a dict, firsts of tuples."""
  if isinstance(node, ast.Dict):
    return [value for key in node.keys for value in strings_of(key)]
  if isinstance(node, (ast.Tuple, ast.List)):
    return [value for item in node.elts for value in strings_of(item)]
  value = string_of(node)
  return [] if value is None else [value]


def string_of(node):
  """Returns the value of a string literal, None for other nodes."""
  # Python 3.7 has ast.Str; from 3.8 on it is ast.Constant.
  value = getattr(node, 'value', getattr(node, 's', None))
  return value if isinstance(value, str) and type(node).__name__ in ('Str', 'Constant') else None


def is_flags(node):
  return name_of(node) == 'FLAGS'


def index_of(node):
  """Returns what a FLAGS[...] has in its brackets, None for other nodes."""
  if not isinstance(node, ast.Subscript) or not is_flags(node.value):
    return None
  return node.slice.value if type(node.slice).__name__ == 'Index' else node.slice


def template_of(node):
  """Returns (parameter, template) of `name` or `'%s_size' % name`, else (None, None)."""
  if isinstance(node, ast.Name):
    return node.id, '%s'
  if (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)
      and isinstance(node.right, ast.Name) and string_of(node.left)):
    return node.right.id, string_of(node.left)
  return None, None


def flags_read(sources):
  """Returns the set of names of flags that some Sources read."""
  found = set()
  for node in sources.walk(ast.Attribute):
    if is_flags(node.value) and isinstance(node.ctx, ast.Load):
      found.add(node.attr)
  for node in sources.walk(ast.Subscript):
    found.update(filter(None, [string_of(index_of(node))]))
  for node in sources.walk(ast.Call):
    if called(node) == 'values_of':
      found.update(sources.records.get(name_of(node.args[0]), ()))
  return found | looped_over(sources) | given_to_readers(sources)


def looped_over(sources):
  """Returns the names in loops that look flags up: fields of records and literals."""
  found = set()
  for node in sources.walk((ast.For, ast.DictComp, ast.ListComp, ast.GeneratorExp)):
    if not any(isinstance(index_of(each), ast.Name) for each in ast.walk(node)):
      continue
    for source in [node.iter] if isinstance(node, ast.For) else [
        each.iter for each in node.generators]:
      if isinstance(source, ast.Attribute) and source.attr == '_fields':
        found.update(sources.records.get(name_of(source.value), ()))
      else:
        found.update(strings_of(source) or sources.constants.get(name_of(source), ()))
  return found


def given_to_readers(sources):
  """Returns the names given to functions that look flags up by name."""
  readers = {}  # function -> set of (index of the parameter or None for *names, template)
  defaults = {}  # (function, index) -> default of the parameter
  found = set()
  before = None
  while before != (sum(map(len, readers.values())), len(found)):
    before = sum(map(len, readers.values())), len(found)
    for function in sources.walk(ast.FunctionDef):
      parameters = [each.arg for each in function.args.args]
      for index, value in enumerate(reversed(function.args.defaults)):
        defaults[function.name, len(parameters) - 1 - index] = value
      for parameter, template in looked_up(function, readers):
        index = (parameters.index(parameter) if parameter in parameters else
                 None if function.args.vararg and is_loop_over(function, parameter)
                 else -1)
        if index != -1:
          readers.setdefault(function.name, set()).add((index, template))
    for call in sources.walk(ast.Call):
      for index, template in readers.get(called(call), ()):
        for value in arguments_at(call, index, defaults):
          found.update(template.replace('%s', string) for string in
                       strings_of(value) or sources.constants.get(name_of(value), ()))
  return found


def looked_up(function, readers):
  """Yields (variable, template) of the flags that a function looks up."""
  for node in ast.walk(function):
    variable, template = template_of(index_of(node))
    if variable:
      yield variable, template
      yield from ((name, template) for name in loop_sources(function, variable))
    if isinstance(node, ast.Call):
      for index, outer in readers.get(called(node), ()):
        if index is not None and index < len(node.args):
          variable, template = template_of(node.args[index])
          if variable:
            yield variable, outer.replace('%s', template)


def loop_sources(function, variable):
  """Yields the names that a loop over which binds a variable, as `names` in
  `for name, value in sorted(names.items())`."""
  for node in ast.walk(function):
    if isinstance(node, (ast.For, ast.comprehension)) and variable in [
        each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)]:
      yield from (each.id for each in ast.walk(node.iter) if isinstance(each, ast.Name))


def is_loop_over(function, name):
  return function.args.vararg.arg == name


def called(call):
  """Returns the name of the function that is called, without its module."""
  return name_of(call.func)


def name_of(node):
  """Returns the last part of a dotted name, None for other nodes."""
  return getattr(node, 'attr', getattr(node, 'id', None))


def arguments_at(call, index, defaults):
  """Returns the arguments for a parameter: by place, all of *names, or the default."""
  if index is None:
    return call.args
  if index < len(call.args):
    return [call.args[index]]
  # None of the functions is called with the name of a flag by keyword.
  return [defaults[called(call), index]] if (called(call), index) in defaults else []


def sources_of(module):
  """Returns the Sources of a script and of the modules it imports that read flags."""
  paths, seen = [module.replace('.', '/') + '.py'], []
  while paths:
    path = paths.pop()
    if path not in seen:
      seen.append(path)
      paths += filter(layering_test.reads_flags, layering_test.own_imports(path))
  return Sources([layering_test.TREES[path] for path in seen], LIBRARIES)


LIBRARIES = [layering_test.TREES[path] for path in layering_test.FILES
             if not layering_test.reads_flags(path)]


@pytest.fixture(scope='module', name='facts')
def fixture_facts():
  return script_flags.collect(SCRIPTS)


@pytest.mark.parametrize('module', SCRIPTS)
def test_every_flag_is_read(facts, module):
  dead = sorted({each.name for each in facts[module] if not each.text.startswith('Alias')}
                - flags_read(sources_of(module)))
  assert not dead, 'declared, but read neither by %s nor by what it shares' % module


@pytest.mark.parametrize('code, wanted', [
    ('x = FLAGS.size', True),
    ('x = flags.FLAGS.size', True),
    ('FLAGS.size = 3', False),
    ('x = other.size', False),
    ("x = FLAGS['size'].value", True),
    ("x = FLAGS['other'].value", False),
    ("def f(name):\n  return FLAGS[name].value\nf('size')", True),
    ("def f(name):\n  return FLAGS[name].value\ng('size')", False),
    ("def f(a, name='size'):\n  return FLAGS[name].value\nf(1)", True),
    ("def f(a, name='size'):\n  return FLAGS[name].value\nf(1, 'other')", False),
    ("def f(part):\n  return FLAGS['s%s' % part].value\nf('ize')", True),
    ("def f(part):\n  return FLAGS['s%s' % part].value\nf('izes')", False),
    ("def g(x):\n  return f('s%s' % x)\ndef f(name):\n  return FLAGS[name].value\ng('ize')", True),
    ("def f(*names):\n  for name in names:\n    FLAGS[name].value\nf('a', 'size')", True),
    ("def f(all):\n  for name, x in all.items():\n    FLAGS[name].value\nA = {'size': 1}\nf(A)",
     True),
    ("def f(all):\n  for name, x in all.items():\n    FLAGS[name].value\nA = {'size': 1}\nf(B)",
     False),
    ("class R:\n  size: int\nx = {n: FLAGS[n].value for n in R._fields}", True),
    ("class R:\n  size: int\nx = {n: n for n in R._fields}", False),
    ("class R:\n  size = Setting(1)\nx = declaring.values_of(R)", True),
    ("class R:\n  size = Setting(1)\nx = declaring.declare(R)", False),
    ("for n in ('a', 'size'):\n  FLAGS[n].value", True),
])
def test_what_counts_as_reading(code, wanted):
  assert ('size' in flags_read(Sources([ast.parse(code)]))) == wanted
