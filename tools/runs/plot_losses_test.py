"""Tests of the picture of losses, from the command line and of its parts."""
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.testing import forked_scripts
from deeplab.utils.runs import loss_table


@pytest.fixture(scope='module', name='plot_losses')
def import_plot_losses():
  from deeplab.tools.runs import plot_losses
  return plot_losses


def write_run(folder, num_rows=40, start=3.0, seed=0):
  rng = np.random.RandomState(seed)
  folder.mkdir(parents=True)
  table = loss_table.LossTable(str(folder), ['ce'], 0)
  for index in range(num_rows):
    loss = start * np.exp(-index / 15.0) + 0.3 + 0.1 * rng.rand()
    table.append({'step': 10 * (index + 1), 'total_loss': loss, 'ce': loss - 0.1,
                  'learning_rate': 0.05, 'images_per_sec': 10})


def run(tmp_path, *arguments):
  return forked_scripts.run('tools/runs/plot_losses.py', '--output=%s' % (tmp_path / 'out.png'),
                            *arguments)


def test_runs_are_drawn_into_one_picture(tmp_path):
  write_run(tmp_path / 'a')
  write_run(tmp_path / 'b' / 'train', start=2.0, seed=1)
  one = run(tmp_path, tmp_path / 'a')
  assert one.code == 0, one.log
  with Image.open(str(tmp_path / 'out.png')) as image:
    first, size = np.array(image.convert('RGB')), image.size
  both = run(tmp_path, tmp_path / 'a', tmp_path / 'b', '--columns=total_loss,learning_rate')
  assert both.code == 0, both.log
  assert 'Picture: %s' % (tmp_path / 'out.png') in both.last_line
  with Image.open(str(tmp_path / 'out.png')) as image:
    second = np.array(image.convert('RGB'))
    assert image.size == (size[0], 2 * size[1])
  # The second run has the second colour of matplotlib, ff7f0e.
  orange = [255, 127, 14]
  assert not (first == orange).all(axis=2).any()
  assert (second == orange).all(axis=2).sum() > 50
  assert sorted(os.listdir(str(tmp_path))) == ['a', 'b', 'out.png']


def test_what_cannot_be_drawn_is_named(tmp_path):
  write_run(tmp_path / 'a')
  write_run(tmp_path / 'fresh', num_rows=0)
  (tmp_path / 'empty').mkdir()
  cases = [
      ((), 2, 'error: Name at least one folder with a losses.csv'),
      ((tmp_path / 'absent',), 1, 'error: No folder %s.' % (tmp_path / 'absent')),
      ((tmp_path / 'empty',), 1, '%s holds no losses.csv, nor does its sub-folder train'
       % (tmp_path / 'empty')),
      ((tmp_path / 'a', tmp_path / 'fresh'), 1, 'losses.csv has no rows yet'),
      ((tmp_path / 'a', '--columns=gradient_norm'), 1,
       "a has no values of 'gradient_norm'; it has step, total_loss, ce,"),
      ((tmp_path / 'a', '--columns=size'), 1, "a has no values of 'size'"),
      ((tmp_path / 'a', '--output=%s' % (tmp_path / 'no' / 'x.png')), 1, 'there is no folder'),
      ((tmp_path / 'a', '--output=x.txt'), 2, '--output=x.txt: the name must end with one of'),
  ]
  for arguments, code, wanted in cases:
    result = run(tmp_path, *arguments)
    assert result.code == code and wanted in result.last_line, (arguments, result.log)
  assert run(tmp_path, tmp_path / 'a', '--smoothing=1').code == 2
  assert not (tmp_path / 'out.png').exists()


def test_smoothing_is_an_unbiased_moving_average(plot_losses):
  values = np.array([4.0, 2.0, np.nan, 8.0])
  np.testing.assert_array_equal(plot_losses.smooth(values, 0.0), values)
  smoothed = plot_losses.smooth(values, 0.5)
  np.testing.assert_allclose(smoothed, [
      4.0, (0.5 * 4 + 2) / 1.5, np.nan, (0.25 * 4 + 0.5 * 2 + 8) / 1.75])
  np.testing.assert_allclose(plot_losses.smooth(np.full(5, 3.0), 0.99), 3.0)


def test_labels_tell_experiments_apart(plot_losses):
  assert plot_losses.labels_of(['/x/a', '/x/b/']) == ['a', 'b']
  assert plot_losses.labels_of(['/x/a/train', '/x/b/train']) == ['a', 'b']
  assert plot_losses.labels_of(['/x/a/1', '/x/b/1', '/x/b/2']) == ['a/1', 'b/1', 'b/2']
  assert plot_losses.labels_of(['/x/a']) == ['a']
  assert plot_losses.labels_of(['/x/a', '/x/a']) == ['/x/a', '/x/a']


def test_vector_formats_follow_the_name(tmp_path, plot_losses):
  write_run(tmp_path / 'a')
  table = plot_losses.read_experiment(str(tmp_path / 'a'))
  for suffix, beginning in (('svg', b'<?xml'), ('PDF', b'%PDF')):
    path = tmp_path / ('picture.' + suffix)
    plot_losses.draw([('a', table)], ['total_loss'], 0.9, str(path))
    assert path.read_bytes().startswith(beginning)
