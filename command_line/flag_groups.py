"""The groups that flags are shown in by --help.

A module says `begin(title)` and declares flags: those up to its next group belong to this one.
No TensorFlow here, so that small programs can use it.
"""
import sys
import typing

from absl import flags

FLAGS = flags.FLAGS

# Title of flags declared before any group of their module.
NO_GROUP = 'other flags'
_FOREIGN_MODULES = ('absl', 'tensorflow')
_MAIN = '__main__'


class Group(typing.NamedTuple):
  """Flags that are shown together."""
  title: str  # A few words.
  flags: typing.List[flags.Flag]  # List of absl Flags, in the order of declaration.
  is_shown: bool  # Whether --help shows them; --helpfull shows all.


# Module name -> where its groups begin: list of (number of flags before it, title).
_starts = {}
# Titles of groups that are shown on demand, and of those on demand so far.
_on_demand = set()
_demanded = set()


def begin(title, is_shown=True, module=None):
  """Begins a group of the flags that the calling module declares from here on.

  Args:
    title: a few words; groups of equal titles are one.
    is_shown: whether --help shows the group. If not, `show` can have it shown.
    module: name of the module that declares them; None: the calling one.
  """
  module = flag_module(module or sys._getframe(1).f_globals['__name__'])
  index = len(FLAGS.flags_by_module_dict().get(module, ()))
  _starts.setdefault(module, []).append((index, title))
  if not is_shown:
    _on_demand.add(title)


def show(*titles):
  """Has --help show groups that were begun with `is_shown` off."""
  _demanded.update(titles)


def is_own(module):
  """Whether flags of a module are those of this project, not of its libraries."""
  return not module.startswith(_FOREIGN_MODULES)


def groups(main_module):
  """Returns the Groups of all own flags: those of `main_module` first, those not shown last."""
  found = {}  # title -> flags
  main_titles = set()
  main_module = flag_module(main_module)
  for module, module_flags in FLAGS.flags_by_module_dict().items():
    if is_own(module):
      for title, flag in _titled(module, module_flags):
        found.setdefault(title, []).append(flag)
        if module == main_module:
          main_titles.add(title)

  def is_shown(title):
    return title not in _on_demand or title in _demanded

  position = {name: index for index, name in enumerate(FLAGS)}
  found = {title: sorted(found[title], key=lambda flag: position[flag.name]) for title in found}
  titles = sorted(found, key=lambda title: (
      not is_shown(title), title in _on_demand, title not in main_titles,
      position[found[title][0].name]))
  return [Group(title, found[title], is_shown(title)) for title in titles]


def _titled(module, module_flags):
  """Yields pairs of title and flag of a module."""
  for index, flag in enumerate(module_flags):
    titles = [title for start, title in _starts.get(module, ()) if start <= index]
    yield (titles or [NO_GROUP])[-1], flag


def flag_module(name):
  """Returns what absl calls a module: the main one is called like its file."""
  return sys.argv[0] if name == _MAIN else name
