"""Flags of the rows of a record; see `core/settings.py`."""
import sys

from absl import flags

from deeplab.command_line import flag_groups, flag_reading
from deeplab.core import settings

FLAGS = flags.FLAGS

_DEFINE = {
    bool: flags.DEFINE_boolean,
    float: flags.DEFINE_float,
    int: flags.DEFINE_integer,
    str: flags.DEFINE_string,
    settings.FLOATS: flags.DEFINE_multi_float,
    settings.INTS: flags.DEFINE_multi_integer,
    settings.LIST: flags.DEFINE_list,
}


def declare(record, *groups, is_shown=True, **defaults):
  """Declares flags for the settings of groups, as if the calling module did.

  Args:
    record: named tuple of `settings.record`.
    *groups: their titles, in the order of --help; none: all.
    is_shown: whether --help shows the groups, see `flag_groups.begin`.
    **defaults: of settings whose flag has another default than the record.
  """
  module = sys._getframe(1).f_globals['__name__']
  rows = record.SETTINGS
  for group in groups or dict.fromkeys(row.group for row in rows.values() if row.group):
    flag_groups.begin(group, is_shown, module)
    for name, row in rows.items():
      if row.group == group:
        _declare_one(name, row._replace(default=defaults.get(name, row.default)),
                     flag_groups.flag_module(module))


def values_of(record):
  """Returns dict, name -> value of the flags of a record's settings, where they are declared."""
  return {name: FLAGS[name].value for name, row in record.SETTINGS.items()
          if row.group and name in FLAGS}


def declare_one(name, setting, is_shown=True):
  """Declares the flag of a Setting beside those of a record, as if the calling module did."""
  module = sys._getframe(1).f_globals['__name__']
  flag_groups.begin(setting.group, is_shown, module)
  _declare_one(name, setting, flag_groups.flag_module(module))


def _declare_one(name, setting, module):
  if setting.choices is not None:
    flags.DEFINE_enum(name, setting.default, list(setting.choices), setting.help,
                      module_name=module)
    return
  bounds = {bound: value for bound, value in (('lower_bound', setting.at_least),
                                              ('upper_bound', setting.at_most))
            if value is not None}
  default = setting.default
  if isinstance(default, tuple):
    default = ','.join(map(str, default)) if setting.kind == settings.LIST else list(default)
  define = _DEFINE[setting.kind or type(default)]
  define(name, default, setting.help, module_name=module, **bounds)
  if setting.is_over_zero:
    flag_reading.require_over_zero(name)
