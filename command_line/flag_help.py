"""The text of --help: what a script does, and its flags in groups with range and default."""
import re
import shutil
import textwrap

from absl import flags

from deeplab.command_line import flag_groups

FLAGS = flags.FLAGS

_MAX_WIDTH = 98
_INDENT = ' ' * 6
_KINDS = {'int': 'INTEGER', 'float': 'NUMBER', 'string': 'TEXT'}
_LIBRARIES = 'Flags of the libraries'
# absl reads it before any flag, and keeps it apart from them.
_FLAGFILE = ['  --flagfile=TEXT', _INDENT + 'File of further flags, one per line.']
# What absl puts around the text of a flag of an enumeration and of a repeatable flag.
_ABSL_TEXT = re.compile(r'^<[^<>]*>: |;\s+repeat this option to specify a list of values$')
_DOCSTRING_HINT = '; see --help.'
# Where a docstring's backslash has joined the lines of a command.
_JOINED = re.compile(r'(?<=\S) {4,}')
_NO_BREAK = '\xa0'


def script_help(main, required_flags=(), is_full=False):
  """Returns the text of --help of a script, led by the docstring of the module of `main`.

  With `is_full` flags of no use to the script and those of the libraries are shown too.
  """
  width = min(shutil.get_terminal_size((_MAX_WIDTH, 0)).columns, _MAX_WIDTH)
  lines = _description(main) + ['']
  if required_flags:
    lines += _wrapped('Required: %s' % ' '.join('--' + name for name in required_flags), width,
                      ' ' * 10)
    lines.append('')
  for group in flag_groups.groups(main.__module__):
    if group.is_shown or is_full:
      lines += _group_lines(group.title, group.flags, width)
  if is_full:
    lines += _group_lines(_LIBRARIES, _library_flags(), width)[:-1] + _FLAGFILE
  else:
    lines.append('--helpfull adds the flags of the libraries, such as --verbosity and --flagfile.')
  return '\n'.join(lines).strip('\n') + '\n'


def _description(main):
  """Returns the lines of the docstring of the module of a function."""
  text = (main.__globals__.get('__doc__') or '').strip().replace(_DOCSTRING_HINT, '.')
  return [_JOINED.sub(' \\\\\n        ', line) for line in text.splitlines()]


def text_of(flag):
  """Returns the help text of a flag as its declaration has it."""
  return _ABSL_TEXT.sub('', flag.help)


def choices_of(flag):
  """Returns the list of values of an enumeration, None for other flags."""
  return list(getattr(flag.parser, 'enum_values', ())) or None


def range_of(flag):
  """Returns text on the range that a flag's value is checked against, '' without one."""
  low, high = (getattr(flag.parser, name, None) for name in ('lower_bound', 'upper_bound'))
  if low is not None and high is not None:
    return '%g to %g' % (low, high)
  if low is not None:
    return '%g or more' % low
  return '' if high is None else '%g or less' % high


def _group_lines(title, group_flags, width):
  lines = ['%s:' % title]
  for flag in group_flags:
    lines.append('  ' + _syntax(flag))
    facts = _facts(flag)
    text = ' '.join(text_of(flag).split())
    if facts:
      text += ' [%s]' % facts.replace(' ', _NO_BREAK)
    lines += [line.replace(_NO_BREAK, ' ') for line in _wrapped(_INDENT + text, width, _INDENT)]
  return lines + ['']


def _syntax(flag):
  """Returns how a flag is written, such as --xla=INTEGER."""
  if flag.boolean:
    return '--[no]%s' % flag.name
  choices = choices_of(flag)
  if choices:
    value = '|'.join(choices)
  elif isinstance(flag.parser, flags.ListParser):
    value = 'A,B,...'
  else:
    value = _KINDS.get(flag.parser.flag_type(), 'TEXT')
  is_repeatable = isinstance(flag, flags.MultiFlag)
  return '--%s=%s%s' % (flag.name, value, ' (may be repeated)' if is_repeatable else '')


def _facts(flag):
  """Returns range and default of a flag in a few words."""
  facts = [range_of(flag)]
  if flag.default is not None:
    facts.append('default: %s' % _value_text(flag.default))
  return '; '.join(fact for fact in facts if fact)


def _value_text(value):
  if isinstance(value, bool):
    return 'on' if value else 'off'
  if isinstance(value, (list, tuple)):
    return ','.join(map(_value_text, value)) or 'none'
  if isinstance(value, float):
    return '%g' % value
  return str(value) or 'empty'


def _library_flags():
  """Returns the flags of absl and other libraries, by name."""
  found = {flag.name: flag for module, module_flags in FLAGS.flags_by_module_dict().items()
           if not flag_groups.is_own(module) for flag in module_flags}
  return [found[name] for name in sorted(found)]


def _wrapped(text, width, indent):
  return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False,
                       break_on_hyphens=False)
