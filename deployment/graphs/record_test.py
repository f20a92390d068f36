"""Tests of the record beside an exported model."""
import json
import os

import pytest

from deeplab.deployment.graphs import record as exported


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


def test_models_that_are_still_there_keep_their_entries(tmp_path):
  (tmp_path / 'folder').mkdir()
  for name in ('a.pb', 'folder/b', 'c'):
    (tmp_path / name).write_bytes(name.encode())
  path = str(tmp_path / 'export.json')
  entries = {name: {'format': kind, 'sha256': exported.sha256(str(tmp_path / name))}
             for name, kind in (('a.pb', 'frozen'), ('folder/b', 'savedmodel'), ('c', 'tflite'))}
  (tmp_path / 'export.json').write_text(exported.record_text(path, {}, entries))
  (tmp_path / 'c').write_bytes(b'of something else')
  new = {'d': {'format': 'onnx', 'sha256': ''}}
  record = json.loads(exported.record_text(path, {'num_classes': 3}, new))
  del entries['c']
  assert record == {'models': dict(entries, **new), 'graph': 'a.pb', 'num_classes': 3,
                    'sha256': entries['a.pb']['sha256']}


def test_unwritable_folder_is_named(tmp_path):
  path = tmp_path / 'graph.pb'
  path.write_bytes(b'abc')
  (tmp_path / 'export.json').mkdir()
  with pytest.raises(ValueError, match='graph.pb cannot be written: '):
    exported.write_record(str(path), {})
