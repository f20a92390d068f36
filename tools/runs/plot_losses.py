"""Draws the losses of several training runs into one picture; see --help.

    python -m deeplab.tools.runs.plot_losses experiments/a experiments/b --output=losses.png

An experiment is a folder with a losses.csv, or with one in its sub-folder train.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os

import matplotlib
import numpy as np
from absl import flags, logging

from deeplab import common
from deeplab.core.storage import files
from deeplab.core.usage import UsageError
from deeplab.utils.runs import loss_table

matplotlib.use('Agg')
from matplotlib import pyplot  # noqa: E402  (after the choice of a backend without a screen)

FLAGS = flags.FLAGS

common.begin_flag_group('picture')
flags.DEFINE_string('output', 'losses.png', 'Picture to write: .png, .pdf or .svg.')
flags.DEFINE_float('smoothing', 0.6,
                   'Weight of the past in the curves, 0 up to less than 1; 0 draws the rows as '
                   'they are.', lower_bound=0, upper_bound=0.9999)
flags.DEFINE_list('columns', [loss_table.TOTAL_LOSS],
                  'Columns of losses.csv to draw, one panel each.')

# Columns without noise, which smoothing would only shift.
_EXACT_COLUMNS = ('learning_rate', 'wall_time')
_TRAIN_FOLDER = 'train'
_SUFFIXES = ('.png', '.pdf', '.svg')
_PANEL_SIZE_INCHES = (9.0, 4.5)
_DPI = 110
_UNSMOOTHED_OPACITY = 0.25


def main(argv):
  """Draws the experiments named on the command line."""
  if len(argv) < 2:
    raise UsageError('Name at least one folder with a %s, such as experiments/NAME.'
                     % loss_table.FILE_NAME)
  if not FLAGS.output.lower().endswith(_SUFFIXES):
    raise UsageError('--output=%s: the name must end with one of %s.'
                     % (FLAGS.output, ', '.join(_SUFFIXES)))
  tables = [read_experiment(folder) for folder in argv[1:]]
  draw(list(zip(labels_of(argv[1:]), tables)), FLAGS.columns, FLAGS.smoothing, FLAGS.output)
  logging.info('Picture: %s', FLAGS.output)


def read_experiment(folder):
  """Returns the columns of `loss_table.read`; ValueError if there is no table, or no row in it."""
  if not files.is_dir(folder):
    raise ValueError('No folder %s.' % folder)
  candidates = [os.path.join(folder, loss_table.FILE_NAME),
                os.path.join(folder, _TRAIN_FOLDER, loss_table.FILE_NAME)]
  for path in candidates:
    if files.exists(path):
      return loss_table.read(path)
  raise ValueError('%s holds no %s, nor does its sub-folder %s: name the folder given to '
                   'train.py as --train_logdir.'
                   % (folder, loss_table.FILE_NAME, _TRAIN_FOLDER))


def labels_of(folders):
  """Returns a name per experiment: the ends of the paths that tell them apart."""
  parts = [files.absolute(folder).strip(os.sep).split(os.sep) for folder in folders]
  # A last folder that all share, such as train, tells nothing.
  while len(parts) > 1 and len({p[-1] for p in parts}) == 1 and min(map(len, parts)) > 1:
    parts = [p[:-1] for p in parts]
  for depth in range(1, max(map(len, parts)) + 1):
    labels = ['/'.join(p[-depth:]) for p in parts]
    if len(set(labels)) == len(labels):
      return labels
  return folders


def smooth(values, smoothing):
  """Returns the exponential moving average of [rows] floats, unbiased towards its start.

  NaN stays NaN and is left out; `smoothing` is the weight of the past, in [0, 1).
  """
  smoothed = np.full(len(values), np.nan)
  total = weight = 0.0
  for index, value in enumerate(values):
    if np.isfinite(value):
      total = smoothing * total + (1 - smoothing) * value
      weight = smoothing * weight + (1 - smoothing)
      smoothed[index] = total / weight
  return smoothed


def draw(experiments, columns, smoothing, path):
  """Writes the picture `path`, a panel for each name in `columns`, whole or not at all.

  `experiments` is a list of (label, columns as `loss_table.read` returns them); `smoothing` is the
  weight of the past. Raises ValueError if an experiment lacks a column, or there is no folder.
  """
  for label, table in experiments:
    for name in columns:
      if name not in table or not np.isfinite(table[name]).any():
        raise ValueError('%s has no values of %r; it has %s.' % (label, name, ', '.join(
            other for other in table if np.isfinite(table[other]).any())))
  folder = os.path.dirname(files.absolute(path))
  if not files.is_dir(folder):
    raise ValueError('--output=%s: there is no folder %s.' % (path, folder))
  width, height = _PANEL_SIZE_INCHES
  figure, panels = pyplot.subplots(
      len(columns), 1, squeeze=False, sharex=True, figsize=(width, height * len(columns)))
  for panel, name in zip(panels[:, 0], columns):
    _draw_panel(panel, experiments, name, smoothing)
  panels[-1, 0].set_xlabel(loss_table.STEP)
  panels[0, 0].legend(loc='best', frameon=False)
  figure.tight_layout()
  with files.atomic_open(path) as f:
    figure.savefig(f, dpi=_DPI, format=os.path.splitext(path)[1][1:].lower())
  pyplot.close(figure)


def _draw_panel(panel, experiments, name, smoothing):
  """Draws a column of every experiment: rows faint, smoothed curve on top."""
  smoothing = 0.0 if name in _EXACT_COLUMNS else smoothing
  for label, table in experiments:
    steps, values = table[loss_table.STEP], table[name]
    line, = panel.plot(steps, smooth(values, smoothing), label=label, linewidth=1.8,
                       marker='.' if len(steps) == 1 else None, zorder=3)
    if smoothing:
      panel.plot(steps, values, color=line.get_color(), alpha=_UNSMOOTHED_OPACITY,
                 linewidth=0.8, zorder=2)
  panel.set_ylabel(name.replace('_', ' '))
  panel.grid(alpha=0.3)
  for side in ('top', 'right'):
    panel.spines[side].set_visible(False)


if __name__ == '__main__':
  common.run(main, allows_words=True)
