"""The only door to TensorFlow and TF-Slim: one API on TensorFlow 1.15 and 2.x.

    from deeplab.core.tf_compat import tf, slim

`tf` is `tensorflow.compat.v1` in graph mode on both runtimes. Everything that depends
on the TensorFlow version lives here and nowhere else.

Both are loaded when they are first used: a script answers --help, or a mistyped flag, without.
So nothing uses them while a module is imported: no decorator, default, constant or base class.
"""
import contextlib
import functools
import importlib
import os
import re
import sys
import tempfile
import threading
import types
import typing
import warnings

# Read by TensorFlow when it first touches Keras: layers must be those of Keras 2.
os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
# Read when TensorFlow is loaded: convolutions of oneDNN, which TensorFlow 2 itself takes on
# processors with AVX-512 only, make training 1.3 times as fast on those with AVX2 too.
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
# C++ start-up notices (CPU features, absent CUDA); errors and warnings of a run stay.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

_LEGACY_LAYERS = 'tf_keras.legacy_tf_layers'
_LEGACY_LAYERS_SOURCE = 'tf_keras.src.legacy_tf_layers'
_LEGACY_LAYER_MODULES = ('base', 'convolutional', 'core', 'normalization', 'pooling')

# What TensorFlow 2 writes before its log level can be set, on every start.
_START_UP_NOTICE = re.compile(
    br'WARNING: All log messages before absl|[IW]0000 .*(port|cudart_stub)\.cc'
    br'|E0000 .*cuda_platform\.cc.*failed call to cuInit')
# Device nodes of NVIDIA drivers, on Linux and under WSL.
_GPU_DEVICES = ('/dev/nvidiactl', '/dev/dxg')


@contextlib.contextmanager
def _without_start_up_notices():
  """Holds back what is written to stderr and passes it on, less the known notices."""
  try:
    sys.stderr.flush()
    real = os.dup(2)
  except (AttributeError, OSError):  # no stderr at all
    yield
    return
  with tempfile.TemporaryFile() as held:
    os.dup2(held.fileno(), 2)
    try:
      yield
    finally:
      sys.stderr.flush()
      os.dup2(real, 2)
      os.close(real)
      held.seek(0)
      for line in held:
        if not _START_UP_NOTICE.match(line):
          os.write(2, line)


def _import_tensorflow():
  with warnings.catch_warnings(), _without_start_up_notices():
    # TensorFlow 1.15 was written for a numpy whose deprecations became warnings since.
    warnings.simplefilter('ignore', FutureWarning)
    warnings.simplefilter('ignore', DeprecationWarning)
    return importlib.import_module('tensorflow')


def _settle_absent_gpus(tensorflow):
  """Has TensorFlow find out here that there is no GPU: an error only where there is a driver."""
  if not any(os.path.exists(path) for path in _GPU_DEVICES):  # local: device files
    with _without_start_up_notices():
      tensorflow.compat.v1.config.list_physical_devices()


def _register_legacy_layers(tensorflow):
  """Puts the tf-keras legacy layers where TensorFlow's lazy loader looks for them.

  `slim.batch_norm` asks for `tf_keras.legacy_tf_layers`; since tf-keras 2.13 the modules
  are kept one package deeper.
  """
  if _LEGACY_LAYERS in sys.modules:
    return
  try:
    sys.modules[_LEGACY_LAYERS] = importlib.import_module(_LEGACY_LAYERS_SOURCE)
  except ImportError as error:
    raise ImportError(
        'TensorFlow %s needs the package tf-keras of the same minor version: '
        'pip install "tf-keras~=%s.0" (%s)'
        % (tensorflow.__version__, '.'.join(tensorflow.__version__.split('.')[:2]), error)
    ) from error
  for name in _LEGACY_LAYER_MODULES:
    module = importlib.import_module('%s.%s' % (_LEGACY_LAYERS_SOURCE, name))
    sys.modules['%s.%s' % (_LEGACY_LAYERS, name)] = module


def _silence_deprecations():
  # Graph mode is what this project is written in: notices to leave it help nobody.
  from tensorflow.python.util import deprecation
  deprecation._PRINT_DEPRECATION_WARNINGS = False
  warnings.filterwarnings('ignore', message='.*`layer.apply` is deprecated.*')
  warnings.filterwarnings('ignore', message='.*is deprecated and will be removed.*',
                          module='tf_slim')


class _Loaded(typing.NamedTuple):
  """What there is once TensorFlow is loaded."""
  tensorflow: types.ModuleType
  tf: types.ModuleType
  slim: types.ModuleType
  TF_VERSION: typing.Tuple[int, int]
  IS_TF1: bool


_loaded_once = None
_lock = threading.Lock()


def _loaded():
  """Returns the _Loaded of this process; the first call loads TensorFlow and sets it up."""
  global _loaded_once
  if _loaded_once is None:
    with _lock:
      _loaded_once = _loaded_once or _load()
  return _loaded_once


def _load():
  tensorflow = _import_tensorflow()
  version = tuple(int(x) for x in tensorflow.__version__.split('.')[:2])
  _silence_deprecations()
  if version[0] > 1:
    _register_legacy_layers(tensorflow)
    tensorflow.compat.v1.disable_v2_behavior()
    _settle_absent_gpus(tensorflow)
  tf_slim = importlib.import_module('tf_slim')  # Needs the legacy layers in place.
  for function in _functions_with_scope:
    tf_slim.add_arg_scope(function)
  return _Loaded(tensorflow, tensorflow.compat.v1, tf_slim, version, version[0] == 1)


class _LazyModule(types.ModuleType):
  """A module whose attributes are those of a field of _Loaded."""

  def __getattr__(self, name):
    return getattr(self._module(), name)

  def __setattr__(self, name, value):
    setattr(self._module(), name, value)

  def __delattr__(self, name):
    delattr(self._module(), name)

  def __dir__(self):
    return dir(self._module())

  @property
  def __dict__(self):
    return self._module().__dict__

  def _module(self):
    return getattr(_loaded(), self.__name__)


tf = _LazyModule('tf')
slim = _LazyModule('slim')


def __getattr__(name):
  """Returns IS_TF1 or TF_VERSION, which load TensorFlow."""
  if name in ('IS_TF1', 'TF_VERSION'):
    return getattr(_loaded(), name)
  raise AttributeError('%s has no %s' % (__name__, name))


_functions_with_scope = []


def add_arg_scope(function):
  """Returns a function whose arguments `slim.arg_scope` may set: `slim.add_arg_scope`, later."""
  _functions_with_scope.append(function)
  if _loaded_once:
    slim.add_arg_scope(function)

  @functools.wraps(function)
  def call(*args, **kwargs):
    arguments = slim.current_arg_scope().get(call._key_op, {})
    return function(*args, **dict(arguments, **kwargs))

  call._key_op = str(function)  # TF-Slim's name of a function.
  return call


class SessionRunHook(object):
  """As `tf.train.SessionRunHook`, but there before TensorFlow is loaded: a base for hooks."""

  def begin(self):
    """Is called before the graph is final."""

  def after_create_session(self, session, coord):
    """Is called with each new session."""

  def before_run(self, run_context):
    """Returns the `tf.train.SessionRunArgs` of what a step runs besides, or None."""

  def after_run(self, run_context, run_values):
    """Is called after each step."""

  def end(self, session):
    """Is called at the end, while there is a session."""


def projective_transform_op():
  """Returns TensorFlow's warp, or None where it has none (1.15).

  A function (images [B, h, w, C], transforms [B, 8], output size [2], 'BILINEAR' or
  'NEAREST', fill value) -> warped images, the fill value outside.
  """
  if not hasattr(tf.raw_ops, 'ImageProjectiveTransformV3'):
    return None

  def transform(images, transforms, output_size, interpolation, fill_value=0.0):
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images, transforms=transforms, output_shape=output_size,
        interpolation=interpolation, fill_mode='CONSTANT', fill_value=fill_value)

  return transform


def num_gpus():
  """Returns the number of GPUs that TensorFlow can use."""
  return len(_loaded().tensorflow.config.experimental.list_physical_devices('GPU'))


@contextlib.contextmanager
def profiler_trace(folder):
  """Records what TensorFlow does within the block, for the profiler of TensorBoard.

  Writes plugins/profile/<time>/*.xplane.pb (TensorFlow 2) or local.trace (1.15) into the folder,
  which exists and is to be the --logdir of TensorBoard.
  """
  if _loaded().IS_TF1:
    from tensorflow.python.eager import profiler
    profiler.start()
    try:
      yield
    finally:
      profiler.save(folder, profiler.stop())
  else:
    with _loaded().tensorflow.profiler.experimental.Profile(folder):
      yield


# Without the tuner of input pipelines; one is worked on, one is ready.
_PREFETCHED_BATCHES = 2


def parallel_calls():
  """Returns how many elements a `map` of an input pipeline works on at once.

  The tuner of TensorFlow 1.15 loses 50 to 110 KB of memory with every training step (measured),
  gigabytes in a long run, so that the numbers are fixed there.
  """
  return (os.cpu_count() or 1) if _loaded().IS_TF1 else tf.data.experimental.AUTOTUNE


def prefetched_batches():
  """Returns how many batches an input pipeline keeps ready; see `parallel_calls`."""
  return _PREFETCHED_BATCHES if _loaded().IS_TF1 else tf.data.experimental.AUTOTUNE


def data_options(is_deterministic, num_threads=0):
  """Returns the tf.data.Options of an input pipeline.

  With `is_deterministic` elements come in the same order in every run. `num_threads` is the size of
  a thread pool of its own; 0: that of the process.
  """
  options = tf.data.Options()
  options.experimental_deterministic = is_deterministic
  if num_threads:
    threading = options.experimental_threading if _loaded().IS_TF1 else options.threading
    threading.private_threadpool_size = num_threads
  return options
