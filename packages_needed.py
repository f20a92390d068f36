"""Ends a script that was started by its path with one line if its packages are not there.

Scripts import this first, and before anything that must be installed. The folders that hold
scripts link to it: Python looks for it beside the script.
"""
import os
import sys
from importlib import util

_NAMES = ('deeplab', 'absl', 'matplotlib', 'numpy', 'PIL', 'tensorflow', 'tf_slim', 'tqdm')
_ROOT = os.path.dirname(os.path.realpath(__file__))


def trouble_with(names, root):
  """Returns what to do about those of packages that are missing, a sentence, or None if none is.

  `root` is the folder of this project.
  """
  missing = [name for name in names if util.find_spec(name) is None]
  if missing:
    return '%s has no %s. %s' % (sys.executable, ', '.join(missing), _remedy(root))
  found = util.find_spec('deeplab').origin
  if not found or not os.path.exists(os.path.join(os.path.dirname(found), 'packages_needed.py')):
    return ('`import deeplab` finds another one, %s: take its folder off PYTHONPATH.'
            % (found and os.path.dirname(found)))
  return None


def _remedy(root):
  lanes = ('tf1', 'tf2') if sys.version_info[:2] == (3, 7) else ('tf2', 'tf1')
  for venv in (os.path.join(root, '.venv-' + lane) for lane in lanes):
    if os.path.exists(os.path.join(venv, 'bin', 'python')) and (
        os.path.realpath(venv) != os.path.realpath(sys.prefix)):
      return 'Run `. %s/bin/activate` first.' % venv
  return 'Run `cd %s && . utils/setup_env.sh`, which installs them.' % root


_trouble = trouble_with(_NAMES, _ROOT)
if _trouble:
  # Python has no name yet for what `python -m` runs.
  _name = 'deeplab' if sys.argv[0] == '-m' else os.path.basename(sys.argv[0])
  sys.exit('%s: error: %s' % (_name, _trouble))
