"""Command lines as hands type them and scripts for other versions of DeepLab have them.

In the form of this version:

    --train_batch_size= 4                          --train_batch_size=4
    --learning_policy = poly                       --learning_policy=poly
    --train_crop_size=513, 513                     --train_crop_size=513,513
    --train_crop_size=513 --train_crop_size=513    --train_crop_size=513,513
    --atrous_rates=6,12                            --atrous_rates=6 --atrous_rates=12
    --decay_steps=30000.0                          --decay_steps=30000
    --fine_tune_batch_norm False                   --fine_tune_batch_norm=False
    --save_summary_secs=600                        --save_summaries_secs=600

Blanks part the words of a shell, but not the lines of a file of flags; both are read.
"""
import itertools
import re

from absl import flags, logging

from deeplab.command_line import flag_groups, flag_reading

FLAGS = flags.FLAGS

# Lists that other versions have as flags to be repeated, a number each time.
_ONCE_REPEATED = ('train_crop_size', 'eval_crop_size', 'vis_crop_size', 'label_weights')
# Misspelt in scripts for versions that ignored what they did not know.
_MISSPELT = {'save_interaval_secs': 'save_interval_secs',
             'save_summary_secs': 'save_summaries_secs'}
_WORD = re.compile(r'--?(?P<name>[^=\s-][^=\s]*)(?P<value>=.*)?$', re.DOTALL)
_TRUTHS = ('true', 'false')

# Sentences on what was read otherwise than written, until `tell`.
_notes = []


def read(words, allows_words=False):
  """Returns a command line whose flags are written `--name=value`, in the form of this version.

  `words` are without the name of the program; all flags are declared. `allows_words`: words that
  are no flags have a meaning of their own, so that only numbers and choices, which are never empty,
  are looked for in the word after a flag's `=`.

  Raises flags.Error if an integer has a fraction.
  """
  words = without_blanks(map(_corrected, words), allows_words)
  found = []  # Words, and pairs of a flag's name and a value.
  while words and _WORD.match(words[0]):
    name, value = _WORD.match(words[0]).groups()
    follows = words[1:2] if value is None else [value[1:]]
    if name not in FLAGS or not follows or (
        FLAGS[name].boolean and value is None and follows[0].lower() not in _TRUTHS):
      found.append(words[0])
      words = words[1:]
      continue
    found += [(name, each) for each in _values(FLAGS[name], follows[0])]
    words = words[1 if value else 2:]
  return _joined(found) + words


def tell():
  """Warns of what was read otherwise than written."""
  while _notes:
    logging.warning('%s', _notes.pop(0))


def without_blanks(words, allows_words):
  """Returns words, as of `read`, without blanks around the `=` of flags and beside commas."""
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
  name = word.partition('=')[0].strip().lstrip('-')
  try:
    if name in FLAGS:
      FLAGS[name].parser.parse('')
  except (ValueError, TypeError):
    return False
  return True


def _corrected(word):
  match = _WORD.match(word)
  name = _MISSPELT.get(match.group('name')) if match else None
  if name is None or name not in FLAGS:
    return word
  _notes.append('--%s is read as --%s.' % (match.group('name'), name))
  return '--%s%s' % (name, match.group('value') or '')


def _values(flag, text):
  """Returns the list of texts of the values that a word gives a flag."""
  kind = flag.parser.flag_type()
  if not flag_groups.is_own(FLAGS.find_module_defining_flag(flag.name)):
    return [text]
  texts = text.split(',') if isinstance(flag, flags.MultiFlag) and kind in (
      'int', 'float') else [text]
  return [_whole(flag, each) for each in texts] if kind == 'int' else texts


def _whole(flag, text):
  """Returns the text of an integer, without the fraction of 30000.0 and the exponent of 3e4."""
  if flag_reading.numbers_of([text], flag.parser.convert):
    return text
  numbers = flag_reading.numbers_of([text])
  if numbers and numbers[0].is_integer():
    return str(int(numbers[0]))
  raise flags.IllegalFlagValueError('flag --%s=%s: must be a whole number.' % (flag.name, text))


def _joined(found):
  """Returns words for words and pairs of `read`; of flags that are no lists, only the last."""
  values = {}
  for name, value in (pair for pair in found if isinstance(pair, tuple)):
    values.setdefault(name, []).append(value)
  words = []
  for item in reversed(found):
    if not isinstance(item, tuple) or isinstance(FLAGS[item[0]], flags.MultiFlag):
      words.append(item if isinstance(item, str) else '--%s=%s' % item)
    elif item[0] in values:
      words.append('--%s=%s' % (item[0], _last(item[0], values.pop(item[0]))))
  return words[::-1]


def _last(name, values):
  """Returns the value of a flag that is there with these; a list may be in several words."""
  if name in _ONCE_REPEATED:
    parts = list(itertools.takewhile(lambda value: value and ',' not in value, reversed(values)))
    return ','.join(reversed(parts)) or values[-1]
  if len(set(values)) > 1:
    _notes.append('--%s is there with %s: the last one counts.' % (name, ' and with '.join(values)))
  return values[-1]
