"""Tells what of the annotations could not be drawn: counted by reason, the first ones by name."""
import collections
import os

from absl import logging

from deeplab.core.storage import files

_SHOWN_NAMES = 3
_SHOWN_REASONS = 6


def by_reason(entries):
  """Returns lines `2 with REASON: NAME, NAME`, the most frequent reason first.

  Args:
    entries: list of (name, reason).
  """
  names = collections.OrderedDict()
  for name, reason in entries:
    names.setdefault(reason, []).append(name)
  lines = ['%d with %s: %s%s' % (len(found), reason, ', '.join(found[:_SHOWN_NAMES]),
                                 ', ...' if len(found) > _SHOWN_NAMES else '')
           for reason, found in sorted(names.items(), key=lambda item: -len(item[1]))]
  more = len(lines) - _SHOWN_REASONS
  return lines[:_SHOWN_REASONS] + ['and %d more reasons' % more] * (more > 0)


def report(stats, split, output_dir):
  """Lists what was left out of a split in `left_out_<split>.txt`, and warns of it.

  Args:
    stats: shard_writer.ShardStats of the whole split.
    split: its name.
    output_dir: folder of the records.

  Raises:
    ValueError: nothing that was annotated is left.
  """
  path = os.path.join(output_dir, 'left_out_%s.txt' % split)
  files.remove_if_present(path)
  if not stats.left_out:
    return
  files.write_text(path, ''.join('\t'.join(entry) + '\n' for entry in stats.left_out))
  lines = by_reason([('%s of %s' % (name, record), reason)
                     for record, name, reason in stats.left_out])
  message = 'Split %r: %d of its annotations left out, %d drawn; %s lists them' % (
      split, len(stats.left_out), stats.num_drawn, path)
  if not stats.num_drawn:
    raise ValueError('%s. %s.' % (message, '; '.join(lines)))
  logging.warning('%s:', message)
  for line in lines:
    logging.warning('  %s', line)
