"""Which class of the Forma sets each class of a public dataset becomes.

A table lists (target class, source classes); where a source class stands in two rows, the
later row wins.
"""
from deeplab.core.storage import files
from deeplab.datasets import registry

ATR = (
    ('background', ('background',)),
    ('other', ('hat', 'sunglass', 'bag')),
    ('garment', ('upper-clothes', 'dress', 'skirt', 'pants', 'belt', 'scarf')),
    ('skin', ('face', 'left-leg', 'right-leg')),
    ('hair', ('hair',)),
    ('arms', ('left-arm', 'right-arm')),
    ('shoe', ('left-shoe', 'right-shoe')),
    ('pants', ('pants',)),
)

# The categories of iMaterialist (Fashion) 2019 and 2020.
FASHION = (
    ('other', ('glasses', 'hat', 'headband, head covering, hair accessory', 'glove', 'watch',
               'bag, wallet', 'umbrella')),
    ('garment', ('shirt, blouse', 'top, t-shirt, sweatshirt', 'sweater', 'cardigan', 'jacket',
                 'vest', 'coat', 'dress', 'jumpsuit', 'cape', 'tie', 'scarf', 'hood', 'collar',
                 'lapel', 'epaulette', 'pocket', 'neckline', 'buckle', 'zipper', 'applique',
                 'bead', 'bow', 'flower', 'fringe', 'ribbon', 'rivet', 'ruffle', 'sequin',
                 'tassel')),
    ('shoe', ('shoe', 'sock')),
    ('sleeves', ('sleeve',)),
    ('pants', ('pants', 'shorts', 'skirt', 'belt', 'tights, stockings', 'leg warmer')),
)


def without_targets(table, targets):
  """Returns the rows of a table whose target class is not one of `targets`."""
  return tuple(row for row in table if row[0] not in targets)


def make_label_map(table, source_ids, where):
  """Returns a dict, id in the source -> class id of the Forma sets.

  Args:
    table: rows (target class, source classes), e.g. `ATR`.
    source_ids: dict, name of a source class -> its id.
    where: file of the source classes, for the message.

  Raises:
    ValueError: the source lacks a class of the table, or has one that is not in it.
  """
  targets = {name: registry.FORMA_CLASSES.index(target)
             for target, names in table for name in names}
  missing = sorted(set(targets) - set(source_ids))
  unknown = sorted(set(source_ids) - set(targets))
  if missing or unknown:
    raise ValueError('%s does not have the classes expected: missing %s; not known %s.'
                     % (where, ', '.join(missing) or 'none', ', '.join(unknown) or 'none'))
  return {source_ids[name]: target for name, target in targets.items()}


def read_atr_labels(path):
  """Returns a dict, class name -> id, of `atr_label.txt`: name first, id last on each line.

  Raises:
    ValueError: the file cannot be read, or a line is something else or repeats an id.
  """
  try:
    rows = [line.split() for line in files.read_lines(path) if line]
  except (OSError, UnicodeDecodeError) as error:
    raise ValueError('List of classes %r cannot be read: %s.' % (path, error)) from error
  ids = {}
  for row in rows:
    if len(row) < 2 or not row[-1].isdigit():
      raise ValueError('%s: expected a class name and its id, got %r.' % (path, ' '.join(row)))
    if row[0] in ids or int(row[-1]) in ids.values():
      raise ValueError('%s: %r repeats a name or an id.' % (path, ' '.join(row)))
    ids[row[0]] = int(row[-1])
  return ids
