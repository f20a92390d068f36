"""Runs scripts: flags in, one line of error out, an exit code."""
import functools
import signal
import sys
import traceback

from absl import app, flags, logging

from deeplab.command_line import (
    accepted_forms,
    ending,
    flag_help,
    flag_reading,
    idle_flags,
    image_flags,
)
from deeplab.core import usage
from deeplab.core.storage import errors
from deeplab.core.tf_compat import tf

FLAGS = flags.FLAGS

# Functions that run once the flags have values.
_hooks = []


def after_parsing(hook):
  """Has every program of this process call `hook()` once its flags are parsed.

  A ValueError of it ends the program.
  """
  if hook not in _hooks:
    _hooks.append(hook)


def run(main, required_flags=(), allows_words=False):
  """Runs `main(argv)` as a program: parses flags, turns errors into one line, exits.

  Exit codes: 0 done or --help, 1 a user's mistake found while running (ValueError), 2 an
  unusable command line (UsageError), 130 interrupted, 143 terminated. With --verbosity=1 the
  traceback is shown too.

  `main` gets the left-over command line; with `allows_words` it may have words that are not flags.
  `required_flags` are names of flags that must be set.
  """
  app.run(functools.partial(_run_guarded, main),
          flags_parser=functools.partial(_parse, main, required_flags, allows_words))


def _parse(main, required_flags, allows_words, argv):
  """Returns the words of a command line that are no flags; exits where it cannot be used."""
  _define_help_flags(main, required_flags)
  try:
    _check_encoding(argv)
    # Flag files may begin with a byte order mark.
    words = [word.lstrip('\ufeff') for word in FLAGS.read_flags_from_files(argv[1:])]
    words, aside = idle_flags.set_aside(accepted_forms.read(words, allows_words))
    rest = FLAGS(argv[:1] + words)
    idle_flags.put_back(aside)
    flag_reading.check_numbers()
    for hook in _hooks:
      hook()
    image_flags.obey_image_limit_flag()
    missing = [name for name in required_flags if FLAGS[name].value is None]
    if missing:
      raise flags.ValidationError(
          'Required: %s.' % ', '.join('--%s=...' % name for name in missing))
    if len(rest) > 1 and not allows_words:
      raise flags.ValidationError(
          'Not a flag: %s. Flags are written --name=value.' % ' '.join(rest[1:]))
    _set_up_logging()
    accepted_forms.tell()
    idle_flags.check()
    return rest
  except flags.Error as error:
    ending.stop(error, ending.EXIT_USAGE)
  except ValueError as error:
    _stop(error)


def _run_guarded(main, argv):
  """Returns what main returns; exits with one line where somebody can do something about it."""
  _load_tensorflow()
  ending.stop_on_sigterm()
  try:
    return main(argv)
  except ValueError as error:
    _stop(error)
  except MemoryError as error:
    reason = str(error).rstrip('.')
    _stop('Memory is short%s. Choose smaller images, crops or batches, or fewer processes.'
          % (': ' + reason if reason else ''))
  except (OSError, tf.errors.OpError) as error:
    trouble = errors.trouble_of(error)
    if trouble is None:
      raise
    ending.stop(trouble, ending.EXIT_ERROR)
  except KeyboardInterrupt as error:
    ending.stop(str(error) or 'interrupted.',
                getattr(error, 'exit_code', ending.EXIT_INTERRUPTED))
  except RuntimeError as error:
    # What TensorFlow makes of a signal that comes while it makes an exception of its own.
    if 'REPLACED BY Stopped' in str(error):
      ending.stop('terminated.', 128 + signal.SIGTERM)
    if 'REPLACED BY KeyboardInterrupt' in str(error):
      ending.stop('interrupted.', ending.EXIT_INTERRUPTED)
    raise


def _load_tensorflow():
  """Loads TensorFlow, once it is known that the command line can be used."""
  try:
    tf.get_logger().setLevel('WARN')
  except KeyboardInterrupt:
    ending.stop('interrupted.', ending.EXIT_INTERRUPTED)
  except Exception as error:  # Packages that do not fit each other raise any.
    _stop('TensorFlow cannot be loaded: %s. Run it with the Python that it is installed for; '
          'g3doc/installation.md tells how to install it.' % str(error).rstrip('.'))


def _stop(message):
  """Ends the program at the exception that is handled, with its traceback where that is asked."""
  if logging.get_verbosity() >= logging.DEBUG:
    traceback.print_exc()
  ending.stop(message, ending.EXIT_USAGE if isinstance(message, usage.UsageError)
              else ending.EXIT_ERROR)


def _check_encoding(argv):
  """Stops at words that TensorFlow would understand otherwise than Python."""
  encoding = sys.getfilesystemencoding()
  for word in argv[1:]:
    if encoding.lower() not in ('utf-8', 'utf8') and any(ord(letter) > 127 for letter in word):
      raise flags.ValidationError(
          '%s has letters beyond ASCII, but paths are in %s here, and TensorFlow takes them for '
          'UTF-8. Run it with the environment variable PYTHONUTF8=1, or in a UTF-8 locale.'
          % (word.encode('unicode_escape').decode(), encoding))


class _HelpFlag(flags.BooleanFlag):
  """A flag that ends the program with a text on stdout."""

  def __init__(self, name, help_text, write):
    """Makes the flag; `write` is a function of the stream."""
    super().__init__(name, False, help_text, short_name='?' if name == 'help' else None,
                     allow_override=True)
    self._write = write

  def parse(self, argument):
    if self._parse(argument):
      self._write(sys.stdout)
      sys.exit(0)


def _define_help_flags(main, required_flags):
  """Puts this project's help in the place of absl's, which lists the main module only."""
  brief, full = (
      lambda stream, is_full=is_full: stream.write(
          flag_help.script_help(main, required_flags, is_full)) for is_full in (False, True))
  for name, text, write in (
      ('help', 'Shows the flags of this script and ends.', brief),
      ('helpshort', 'The same as --help.', brief),
      ('helpfull', 'Shows all flags, those of the libraries too, and ends.', full),
      ('helpxml', 'Shows all flags as XML and ends.', FLAGS.write_help_in_xml_format)):
    # Flags of absl they stay: no group of this project shows them, no run records them.
    flags.DEFINE_flag(_HelpFlag(name, text, write), module_name=app.__name__)


def _set_up_logging():
  if sys.stdout.errors in ('strict', 'surrogateescape'):
    # Names that the terminal lacks letters for are no reason to end.
    sys.stdout.reconfigure(errors='backslashreplace')
  if not FLAGS['verbosity'].present:
    logging.set_verbosity(logging.INFO)
  handler = logging.get_absl_handler()
  handler.setFormatter(logging.logging.Formatter(
      '%(asctime)s %(levelname).1s %(message)s', '%H:%M:%S'))
