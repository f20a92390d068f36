"""Tells what is in a checkpoint, and with which flags its model is built; see --help.

    python -m deeplab.tools.checkpoints.inspect_checkpoint experiments/mine/train
    python -m deeplab.tools.checkpoints.inspect_checkpoint zoo/model.ckpt --all

The word is a folder of checkpoints (the newest is meant), a prefix, one of the files of a
checkpoint, or a frozen graph (.pb).
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os
import re
import textwrap

import numpy as np
from absl import flags

from deeplab import common
from deeplab.core.checkpoints import folder, initial_weights, restoring
from deeplab.core.storage import errors, files
from deeplab.core.usage import UsageError
from deeplab.datasets import registry
from deeplab.deployment import opened_models
from deeplab.tools.checkpoints import architecture_guess, weight_names

FLAGS = flags.FLAGS

common.begin_flag_group('checkpoint and report')
flags.DEFINE_string('checkpoint_path', None, 'The checkpoint. Default: that of the word.')
flags.DEFINE_bool('all', False, 'Lists every variable, slots too, instead of scopes.')
flags.DEFINE_bool('compare', True,
                  'Builds the model of the flags found and compares its variables with those '
                  'stored; takes some seconds.')

_WIDTH = 98
_WHOLE_WORDS = {'break_long_words': False, 'break_on_hyphens': False}
_MAX_NAMED = 5
_MAX_DATASETS = 4


def main(argv):
  """Prints tables, flags and notes."""
  path = _path(argv)
  weights, missing = _weights(path)
  shapes, graph_def = weights.shapes, None
  if os.path.splitext(path)[1] == '.pb':
    graph_def = opened_models.read_graph_def(path)
    with errors.told(weights.where, ValueError):
      shapes = weight_names.weights_of_constants(shapes)
  step = 'not known' if missing else _global_step(weights)
  print('Checkpoint   %s' % weights.where)
  print('Global step  %s' % step)
  if missing:
    print('\nThe weights are missing: %s. Names and shapes are those of the index.' % missing)
  print()
  print_table(all_rows(shapes) if FLAGS.all else scope_rows(shapes))
  print()
  print_table(total_rows(shapes))
  with errors.told(weights.where, ValueError):
    found = architecture_guess.guess(shapes, graph_def)
  print_guess(found)
  if FLAGS.compare:
    print_comparison(architecture_guess.compare(found, shapes))


def _path(argv):
  paths = list(argv[1:]) + ([FLAGS.checkpoint_path] if FLAGS.checkpoint_path else [])
  if len(paths) != 1:
    raise UsageError('Name one checkpoint, such as experiments/mine/train/model.ckpt-1000; got '
                     '%s.' % (' '.join(paths) or 'none'))
  return os.path.expanduser(paths[0])


def _weights(path):
  """Returns the Weights of a checkpoint or graph, and a sentence on missing data files or None."""
  try:
    return initial_weights.read_weights(path, 'checkpoint_path'), None
  except ValueError:
    prefixes = folder.prefixes(path) if files.is_dir(path) else [restoring.prefix_of(path)]
    missing = folder.missing_data(prefixes[-1]) if prefixes else None
    # The index may be damaged besides.
    if not missing or folder.problem_of(prefixes[-1]) != missing:
      raise
    reader = restoring.open_reader(prefixes[-1])
    return initial_weights.Weights(prefixes[-1], reader.get_variable_to_shape_map(), None), missing


def _global_step(weights):
  """Returns the step that is stored, or words; raises ValueError if the data cannot be read."""
  if weight_names.GLOBAL_STEP not in weights.shapes:
    return 'not stored'
  with errors.told('Checkpoint %s: its index can be read, its data cannot' % weights.where,
                   *folder.reader_errors()):
    return int(weights.read(weight_names.GLOBAL_STEP))


# --- tables ------------------------------------------------------------------------------


def scope_rows(shapes):
  """Returns rows (scope, variables, values) of the network, in the order of names."""
  scopes = {}
  for name, shape in _in_order(weight_names.model_shapes(shapes)):
    scopes.setdefault(weight_names.scope_of(name), {})[name] = shape
  return [('scope', 'variables', 'values')] + [
      _counted(scope, part) for scope, part in scopes.items()]


def all_rows(shapes):
  """Returns rows (variable, shape, values) of everything that is stored."""
  return [('variable', 'shape', 'values')] + [
      (name, ','.join(str(side) for side in shape) or 'scalar', _num_values([shape]))
      for name, shape in _in_order(shapes)]


def total_rows(shapes):
  """Returns rows (what, variables, values) of network, slots and all."""
  network = weight_names.model_shapes(shapes)
  trainable = {name: shape for name, shape in network.items()
               if weight_names.is_trainable(name)}
  parts = [('network', network), ('  of it trainable', trainable)]
  parts += sorted(('slots: ' + kind, slots)
                  for kind, slots in weight_names.slot_shapes(shapes).items())
  parts += [('ranges of quantisation', weight_names.range_shapes(shapes)), ('all', shapes)]
  return [('total', 'variables', 'values')] + [
      _counted(what, part) for what, part in parts if part]


def _in_order(shapes):
  """Returns items sorted by name, numbers in names by their size."""
  return sorted(shapes.items(), key=lambda item: [
      (int(part), '') if part.isdigit() else (-1, part)
      for part in re.split(r'(\d+)', item[0])])


def _counted(what, part):
  return what, '%d' % len(part), _num_values(part.values())


def _num_values(shapes):
  return '{:,}'.format(sum(int(np.prod(shape)) for shape in shapes))


def print_table(rows):
  """Prints rows of three texts: the first to the left, the others to the right."""
  widths = [max(len(row[column]) for row in rows) for column in range(3)]
  for row in rows:
    print('%s  %s  %s' % (row[0].ljust(widths[0]), row[1].rjust(widths[1]),
                          row[2].rjust(widths[2])))


# --- the model ---------------------------------------------------------------------------


def print_guess(found):
  """Prints flags, classes and notes of a Guess."""
  print('\nFlags of the model, for train.py, eval.py, vis.py and export_model.py:\n')
  # Lines leave room for an indent and a backslash.
  lines = textwrap.wrap(' '.join(architecture_guess.to_flags(found)), _WIDTH - 4, **_WHOLE_WORDS)
  print(' \\\n'.join('  ' + line for line in lines))
  for output, count in sorted(found.options.outputs_to_num_classes.items()):
    print('\n' + _wrapped('%d classes (%s)%s. For export_model.py: --num_classes=%d'
                          % (count, output, _datasets_of(count), count)))
  _print_notes('Seen:', found.seen)
  _print_notes('Names and shapes cannot say:', found.unseen)


def _datasets_of(num_classes):
  names = [name for name, row in registry.DATASETS.items() if row.num_classes == num_classes]
  if not names:
    return ''
  more = ' and others' if len(names) > _MAX_DATASETS else ''
  return ', as many as in %s%s' % (', '.join(names[:_MAX_DATASETS]), more)


def _print_notes(title, notes):
  if notes:
    print('\n' + title)
  for note in notes:
    print(_wrapped(note, initial_indent='- ', subsequent_indent='  '))


def _wrapped(text, **indents):
  return textwrap.fill(text, _WIDTH, **dict(_WHOLE_WORDS, **indents))


def print_comparison(comparison):
  """Prints whether the model of the flags has the variables that are stored."""
  text = ('differs: %d variables are the same.' if comparison.missing or comparison.reshaped else
          'has %d variables: all of them are here, with the same shapes.')
  print('\nA model built with these flags ' + text % comparison.num_same)
  for what, names in (('Not here', comparison.missing),
                      ('Of another shape', comparison.reshaped),
                      ('Stored, but not of this model', comparison.unused)):
    if names:
      more = ' and %d more' % (len(names) - _MAX_NAMED) if len(names) > _MAX_NAMED else ''
      print('%s: %s%s' % (what, ', '.join(names[:_MAX_NAMED]), more))


if __name__ == '__main__':
  common.run(main, allows_words=True)
