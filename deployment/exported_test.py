"""Tests of the record beside an exported model."""
import json
import os

import pytest

from deeplab.deployment import exported


def test_record_names_the_graph_it_belongs_to(tmp_path):
  path = tmp_path / 'graph.pb'
  path.write_bytes(b'abc')
  exported.write_record(str(path), {'class_names': ['a'], 'path': tmp_path})
  with open(exported.record_path(str(path))) as f:
    record = json.load(f)
  assert os.listdir(str(tmp_path)).count('export.json') == 1
  assert record['graph'] == 'graph.pb'
  assert record['sha256'].startswith('ba7816bf8f01cfea')
  assert record['class_names'] == ['a']


def test_unwritable_folder_is_named(tmp_path):
  path = tmp_path / 'graph.pb'
  path.write_bytes(b'abc')
  (tmp_path / 'export.json').mkdir()
  with pytest.raises(ValueError, match='Cannot write .*graph.pb: '):
    exported.write_record(str(path), {})
