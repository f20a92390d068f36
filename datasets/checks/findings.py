"""What can be wrong with the records of a dataset: the table of findings, and their tally."""
import collections
import typing

from deeplab.core import usage

# Severities: errors harm training or evaluation, warnings are worth a look.
ERROR, WARNING = 'error', 'warning'


class Kind(typing.NamedTuple):
  """A kind of finding: its severity, and what it means and asks for."""
  severity: str
  text: str


FINDINGS = {
    'bad_shards': Kind(ERROR, 'Shards of a split are missing or of two builds.'),
    'missing_split': Kind(ERROR, 'A split of dataset_info.json has no records.'),
    'empty_split': Kind(ERROR, 'A split holds no records at all.'),
    'split_size': Kind(ERROR, 'A split holds other than the number of records of its '
                              'dataset_info.json: shards were lost or mixed up.'),
    'corrupt_record': Kind(ERROR, 'Records are corrupt or cut off; what follows them in the '
                                  'shard was not read.'),
    'bad_image': Kind(ERROR, 'Images cannot be decoded.'),
    'bad_label': Kind(ERROR, 'Label maps cannot be decoded.'),
    'missing_label': Kind(ERROR, 'Records have no label map.'),
    'sizes_differ': Kind(ERROR, 'Image and label map differ in size.'),
    'label_encoding': Kind(ERROR, 'Label maps are colours, a palette or stretched grey: read '
                                  'as brightness, not as class ids.'),
    'label_range': Kind(ERROR, 'Label maps have values that are neither class nor ignore '
                               'label.'),
    'label_colors': Kind(ERROR, 'Label values are the brightness of the colours of the '
                                'classes: colour masks were turned to grey. Build the records '
                                'from masks of class ids.'),
    'no_labels': Kind(ERROR, 'All pixels of a split are ignored.'),
    'one_class': Kind(ERROR, 'All labelled pixels of the dataset are of one class. Masks of 0 '
                             'and 255 must become ids 0 and 1.'),
    'bad_landmarks': Kind(ERROR, 'Landmarks are not points in a float32 tensor.'),
    'leak': Kind(ERROR, 'The same image is in training and held-out splits: the metrics will '
                        'be too good.'),
    'all_ignored': Kind(WARNING, 'Label maps are of the ignore label alone.'),
    'blank_image': Kind(WARNING, 'Images are of one colour.'),
    'wide_image': Kind(WARNING, 'Images have over 8 bits, of which the upper byte alone is read: '
                                'values that do not fill 16 bits become black. Scale them.'),
    'recorded_size': Kind(WARNING, 'The stated height and width are not those of the image.'),
    'missing_landmarks': Kind(WARNING, 'Records lack landmarks: their legs are never cut off '
                                       'in training.'),
    'duplicate': Kind(WARNING, 'The same image is in a split more than once.'),
    'overlap': Kind(WARNING, 'Splits share images.'),
    'absent_class': Kind(WARNING, 'Classes have no pixel in a split for training.'),
    'stale_info': Kind(WARNING, 'dataset_info.json tells other sizes or pixel counts than the '
                                'records have.'),
    'table_size': Kind(WARNING, 'A split has other than the number of records of the built-in '
                                'dataset.'),
    'absent_split': Kind(WARNING, 'A split of the built-in dataset has no records here.'),
    'unknown_split': Kind(WARNING, 'A split on disk is not among the splits of the dataset.'),
}

# Named per finding; the rest is counted.
MAX_NAMED = 10


class Findings(object):
  """Counted findings, the first of each kind with their sentences.

  Attributes:
    counts: Counter, name of the finding -> how often.
    named: dict, name of the finding -> list of at most MAX_NAMED sentences.
  """

  def __init__(self):
    self.counts = collections.Counter()
    self.named = {}

  def add(self, name, sentence, count=1):
    """Adds a finding of the table with what, where and the value seen."""
    usage.lookup(FINDINGS, name, what='finding')
    self.counts[name] += count
    named = self.named.setdefault(name, [])
    if len(named) < MAX_NAMED:
      named.append(sentence)

  def merge(self, other):
    """Adds the findings of another Findings."""
    self.counts.update(other.counts)
    for name, sentences in other.named.items():
      named = self.named.setdefault(name, [])
      named.extend(sentences[:MAX_NAMED - len(named)])

  def of_severity(self, severity):
    """Returns the names found of one severity, in the order of the table."""
    return [name for name, kind in FINDINGS.items()
            if kind.severity == severity and self.counts[name]]
