"""Tests of telling what was left out."""
from deeplab.datasets.building import shard_writer
from deeplab.datasets.labels import left_out


def test_reasons_are_counted_with_the_first_names_the_most_frequent_first():
  entries = [('a', 'x'), ('b', 'y'), ('c', 'y'), ('d', 'y'), ('e', 'y')]
  assert left_out.by_reason(entries) == ['4 with y: b, c, d, ...', '1 with x: a']


def test_of_many_reasons_the_rest_is_counted():
  lines = left_out.by_reason([(str(i), 'reason %d' % i) for i in range(20)])
  assert len(lines) == 7 and lines[-1] == 'and 14 more reasons'


def test_the_list_of_an_earlier_build_goes(tmp_path, caplog):
  stats = shard_writer.ShardStats(num_drawn=1, left_out=[['p 0', 'shape 1', 'no area']])
  left_out.report(stats, 'val', str(tmp_path))
  assert (tmp_path / 'left_out_val.txt').read_text() == 'p 0\tshape 1\tno area\n'
  assert "Split 'val': 1 of its annotations left out, 1 drawn" in caplog.text
  assert '1 with no area: shape 1 of p 0' in caplog.text
  left_out.report(shard_writer.ShardStats(num_drawn=1), 'val', str(tmp_path))
  assert not list(tmp_path.iterdir())
