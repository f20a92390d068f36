"""Tests of losses.csv."""
import numpy as np
import pytest

from deeplab.utils.runs import loss_table

HEADER = ('step,total_loss,ce,L2,learning_rate,gradient_norm,images_per_sec,input_wait_share,'
          'wall_time')


def make_row(step, **kwargs):
  return dict({'step': step, 'total_loss': step + 0.5, 'ce': step / 3.0, 'L2': 0.5,
               'learning_rate': 0.05, 'gradient_norm': None, 'images_per_sec': 12.0,
               'input_wait_share': 0.25, 'wall_time': 1600000000.125}, **kwargs)


def write(folder, steps, start=0, parts=('ce', 'L2'), **kwargs):
  table = loss_table.LossTable(str(folder), parts, start)
  for step in steps:
    table.append(make_row(step, **kwargs))
  return (folder / loss_table.FILE_NAME).read_text()


def test_rows_are_on_disk_at_once_with_the_parts_of_the_loss(tmp_path):
  text = write(tmp_path, [10, 20])
  assert text.splitlines() == [
      HEADER, '10,10.5,3.33333,0.5,0.05,,12,0.25,1600000000.125',
      '20,20.5,6.66667,0.5,0.05,,12,0.25,1600000000.125']
  columns = loss_table.read(str(tmp_path / loss_table.FILE_NAME))
  assert list(columns) == HEADER.split(',')
  np.testing.assert_array_equal(columns['step'], [10, 20])
  assert np.isnan(columns['gradient_norm']).all()


def test_a_resumed_run_drops_rows_beyond_its_start_and_continues(tmp_path):
  write(tmp_path, [10, 20, 30])
  text = write(tmp_path, [30, 40], start=25, L2=9)
  assert [line.split(',')[0] for line in text.splitlines()] == ['step', '10', '20', '30', '40']
  assert text.splitlines()[3].split(',')[3] == '9'
  assert [line.split(',')[0] for line in write(tmp_path, []).splitlines()] == ['step']


def test_a_table_elsewhere_is_written_now_and_then_and_continued(tmp_path, monkeypatch):
  def steps():
    return [line.split(',')[0] for line in
            (tmp_path / loss_table.FILE_NAME).read_text().splitlines()[1:]]

  table = loss_table.LossTable('file://%s' % tmp_path, ('ce', 'L2'), 0)
  table.append(make_row(10))
  assert steps() == []
  table.flush()
  assert steps() == ['10']
  monkeypatch.setattr(loss_table, '_REMOTE_INTERVAL_SECS', 0)
  table.append(make_row(20))
  assert steps() == ['10', '20']
  loss_table.LossTable('file://%s' % tmp_path, ('ce', 'L2'), 10).append(make_row(30))
  assert steps() == ['10', '30']
  assert loss_table.read('file://%s/%s' % (tmp_path, loss_table.FILE_NAME))['step'].tolist() == [
      10, 30]


def test_a_row_cut_short_is_dropped(tmp_path):
  write(tmp_path, [10])
  path = tmp_path / loss_table.FILE_NAME
  path.write_text(path.read_text() + '20,1.2')
  assert loss_table.read(str(path))['step'].tolist() == [10]
  assert [line.split(',')[0] for line in write(tmp_path, [30], start=20).splitlines()] == [
      'step', '10', '30']


def test_new_columns_follow_and_old_ones_stay(tmp_path):
  write(tmp_path, [10])
  text = write(tmp_path, [20], start=10, parts=('ce', 'ce_0.50'), **{'ce_0.50': 4, 'L2': None})
  assert text.splitlines() == [
      HEADER + ',ce_0.50', '10,10.5,3.33333,0.5,0.05,,12,0.25,1600000000.125,',
      '20,20.5,6.66667,,0.05,,12,0.25,1600000000.125,4']


@pytest.mark.parametrize('text, wanted', [
    (None, 'No file .*losses.csv'),
    ('', 'losses.csv has no rows yet'),
    (HEADER + '\n', 'losses.csv has no rows yet'),
    ('name,size\na,3\n', "no table of losses: its first line must begin with step,total_loss"),
    (HEADER + '\n1,2\n', "line 2: expected 9 numbers, got '1,2'"),
    (HEADER + '\n' + ',' * 8 + '\n', 'line 2: expected 9 numbers'),
    ('step,total_loss\n1,x\n', "line 2: expected 2 numbers, got '1,x'"),
])
def test_what_is_no_table_is_named(tmp_path, text, wanted):
  path = tmp_path / loss_table.FILE_NAME
  if text is not None:
    path.write_text(text)
  with pytest.raises(ValueError, match=wanted):
    loss_table.read(str(path))
