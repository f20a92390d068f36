"""Tests that damage is damage, the same every time, and that checksums are right where meant."""
from deeplab.datasets.records import example
from deeplab.testing import damage, tiny_run


def test_all_kinds_change_the_bytes_and_are_repeatable():
  data = bytes(range(256)) * 40
  once = list(damage.damaged(data, 40, seed=3))
  assert once == list(damage.damaged(data, 40, seed=3))
  assert once != list(damage.damaged(data, 40, seed=4))
  assert {kind for kind, _ in once} == set(damage.KINDS)
  assert all(changed != data for _, changed in once)
  assert len({changed for _, changed in once}) > 35


def test_checksums_of_records_are_right(tmp_path):
  path = tiny_run.write_records(str(tmp_path), tiny_run.make_samples())
  with open(path, 'rb') as f:
    data = f.read()
  records = list(damage._records(data))
  assert len(records) == 3
  assert damage._shard(records) == data
  kinds = set()
  for kind, changed in damage.damaged_records(path, 32):
    kinds.add(kind)
    if kind == 'record: features swapped':
      with open(path, 'wb') as f:
        f.write(changed)
      assert len(list(example.read_records(path))) == 3
  assert 'record: features swapped' in kinds and 'cut off' in kinds
