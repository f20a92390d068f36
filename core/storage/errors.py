"""One line for an error: what TensorFlow says went wrong, and what disks and their owners do."""
import contextlib
import errno
import os
import re

# Session errors of TensorFlow 2 begin with where the node was made.
_AFTER_TRACE = re.compile(r"\nNode: '[^\n]*'\n(?:\d+ root error\(s\) found\.\n\s*\(0\) )?(.+)")
# Error number -> what to do.
_ADVICE = {
    errno.ENOSPC: 'Make room, and run the same command again.',
    errno.EDQUOT: 'Make room, and run the same command again.',
    errno.EROFS: 'Choose a folder that can be written.',
    errno.EACCES: 'Choose another folder, or ask its owner.',
    errno.EPERM: 'Choose another folder, or ask its owner.',
    errno.EIO: 'Look at the health of the disk.',
    errno.ENAMETOOLONG: 'Choose a shorter name.',
    errno.EMFILE: 'Allow more open files: ulimit -n.',
    errno.ENOTDIR: 'Choose another folder.',
    errno.EEXIST: 'Choose another name, or move away what has it.',
    errno.ELOOP: 'A link leads back to itself: remove it, or name the file itself.',
    errno.EFBIG: 'Choose a disk that takes files of this size, or raise ulimit -f.',
    errno.EBUSY: 'Wait until nothing else uses it, and run the same command again.',
    errno.ESTALE: 'Mount the network folder again, and run the same command again.',
    errno.ETIMEDOUT: 'Is the storage reached? Then run the same command again.',
    errno.EISDIR: 'Choose another name.',
    errno.ENOENT: 'Is the path right, and is the disk there?',
}
# TensorFlow has only the words.
_NUMBERS_IN_WORDS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO,
                     errno.ENAMETOOLONG, errno.EMFILE, errno.ELOOP, errno.EFBIG, errno.ESTALE)


def reason_of(error):
  """Returns one line, without the trace of the node that failed."""
  text = getattr(error, 'message', None) or str(error)
  match = _AFTER_TRACE.search(text)
  line = (match.group(1) if match else text.strip()).split('\n')[0]
  return line.strip().rstrip('.')


@contextlib.contextmanager
def told(start, *kinds, advice=''):
  """Turns errors into a ValueError of one line, '<start>: <reason>. <advice>'.

  `start` is what failed, such as 'The list a.txt cannot be read'; `kinds` are classes of errors,
  none given: those of reading a text, OSError and UnicodeDecodeError; `advice` says what to do.
  """
  kinds = kinds or (OSError, UnicodeDecodeError)
  try:
    yield
  except kinds as error:
    reason = getattr(error, 'strerror', None) or reason_of(error) or type(error).__name__
    raise ValueError(('%s: %s. %s' % (start, reason, advice)).rstrip()) from error


def trouble_of(error):
  """Returns one line on an OSError or tf.errors.OpError of storage, or None for another error."""
  if isinstance(error, OSError):
    number = error.errno
    if number not in _ADVICE:
      return None
    where = '%s: ' % error.filename if error.filename else ''
    return '%s%s. %s' % (where, os.strerror(number), _ADVICE[number])
  text = str(error)
  for number in _NUMBERS_IN_WORDS:
    if os.strerror(number) in text:
      return '%s. %s' % (reason_of(error), _ADVICE[number])
  return None
