"""Blanks around the `=` of a flag and beside the commas of a list, as hands type them."""
from absl import flags

FLAGS = flags.FLAGS


def without(words, allows_words=False):
  """Returns the words of a command line as they are without such blanks.

      --train_batch_size= 4   --learning_policy = poly   --train_crop_size=513, 513

  Blanks part the words of a shell, but not the lines of a file of flags; both are read.

  Args:
    words: list of words, without the name of the program.
    allows_words: whether words that are no flags have a meaning of their own: then only numbers
      and choices, which are never empty, are looked for in the next word.
  """
  found = []
  for word in words:
    last = found[-1] if found else ''
    goes_on = last.startswith('-') and (
        last.endswith(('=', ',')) or word.lstrip().startswith(('=', ',')))
    if goes_on and not word.startswith('-') and not (allows_words and _takes_text(last)):
      found[-1] = _stripped(last + word)
    else:
      found.append(_stripped(word))
  return found


def _stripped(word):
  name, equals, value = word.partition('=')
  if not (equals and word.startswith('-')):
    return word
  # Names of files may end in blanks.
  return name.rstrip() + equals + (value.lstrip() if _takes_text(word) else value.strip())


def _takes_text(word):
  """Whether a word is of a flag whose value may be empty, or of none."""
  try:
    FLAGS[word.partition('=')[0].strip().lstrip('-')].parser.parse('')
  except (ValueError, TypeError):
    return False
  except KeyError:
    pass
  return True
