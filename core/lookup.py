"""Lookup in the tables of variants, with errors that help."""
import difflib

from deeplab.core.usage import UsageError


def lookup(table, name, what):
  """Returns `table[name]`.

  Args:
    table: dict from a variant's name to its row.
    name: the name asked for, usually a flag's value.
    what: the table's subject for the message, e.g. 'model_variant'.

  Raises:
    UsageError: name is not in the table; names the valid ones and the nearest match.
  """
  if name in table:
    return table[name]
  known = sorted(table, key=str)
  near = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
  hint = ' Did you mean %r?' % near[0] if near else ''
  raise UsageError('Unknown %s %r.%s Valid: %s.' % (
      what, name, hint, ', '.join(str(k) for k in known)))
