"""Tests of the door to TensorFlow: nothing is loaded before it is used, and then all is there."""
import os
import subprocess
import sys

import numpy as np

from deeplab.core import tf_compat
from deeplab.core.tf_compat import slim, tf

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_IMPORT_ALL = """
import importlib, pkgutil, sys
import deeplab
from deeplab.testing import script_flags
scripts = script_flags.scripts()  # Each needs a process of its own; see quick_answers_test.py.
for module in pkgutil.walk_packages(deeplab.__path__, 'deeplab.'):
  if not (module.name.endswith(('_test', 'conftest', 'torch_peer')) or '.testing.' in module.name
          or module.name[len('deeplab.'):] in scripts):
    importlib.import_module(module.name)
print(sorted({'tensorflow', 'tf_slim'} & set(sys.modules)))
"""

_BEFORE_AND_AFTER = """
import sys
from deeplab.core import tf_compat
from deeplab.core.tf_compat import add_arg_scope, slim, tf

@add_arg_scope
def early(a, b=0):
  return a, b
assert 'tensorflow' not in sys.modules
with slim.arg_scope([early], b=1):
  assert early(5) == (5, 1) and early(5, b=2) == (5, 2)
assert early(5) == (5, 0)

@add_arg_scope
def late(a, b=0):
  return a, b
with slim.arg_scope([early, late], b=3):
  assert early(5) == late(5) == (5, 3)
  assert slim.arg_scope_func_key(late) in slim.current_arg_scope()
print(tf_compat.IS_TF1, tf_compat.TF_VERSION)
"""

_BROKEN_AT_FIRST = """
import sys
from deeplab.core.tf_compat import tf
sys.modules['tensorflow'] = None
try:
  tf.float32
except ImportError as error:
  print('ImportError')
del sys.modules['tensorflow']
print(tf.float32.name)
"""


def _output(code):
  return subprocess.run([sys.executable, '-c', code], cwd=_ROOT, check=True,
                        stdout=subprocess.PIPE).stdout.decode()


def test_no_module_uses_tensorflow_while_it_is_imported():
  assert _output(_IMPORT_ALL) == '[]\n'


def test_arg_scopes_reach_functions_declared_before_and_after_tf_slim_is_loaded():
  assert _output(_BEFORE_AND_AFTER) == '%s %s\n' % (
      tf.VERSION.startswith('1.'), tuple(int(x) for x in tf.VERSION.split('.')[:2]))


def test_a_load_that_fails_is_tried_again():
  assert _output(_BROKEN_AT_FIRST) == 'ImportError\nfloat32\n'


def test_the_names_are_those_of_tensorflow(monkeypatch):
  import tensorflow
  assert isinstance(tf.constant(np.zeros(2)), tf.Tensor)
  assert tf.Tensor is tensorflow.compat.v1.Tensor
  assert set(dir(tf)) == set(dir(tensorflow.compat.v1)) and 'conv2d' in dir(slim)
  monkeypatch.setattr(tf, 'timestamp', 'changed')
  assert tensorflow.compat.v1.timestamp == 'changed'
  monkeypatch.undo()
  assert callable(tensorflow.compat.v1.timestamp)
  assert not hasattr(tf, 'nothing') and not hasattr(tf_compat, 'nothing')


def test_hooks_have_what_a_session_calls():
  def methods(kind):
    return {name for name in vars(kind) if not name.startswith('_')}

  assert methods(tf_compat.SessionRunHook) == methods(tf.train.SessionRunHook) - {'tf_export'}
  hook = tf_compat.SessionRunHook()
  assert hook.before_run(None) is None
  with tf.Graph().as_default():
    number = tf.constant(3)
    with tf.train.MonitoredSession(hooks=[hook]) as session:
      assert session.run(number) == 3
