"""Tests of reading JSON of any origin."""
import pytest

from deeplab.core.storage import json_text
from deeplab.testing import damage


def test_files_are_read(tmp_path):
  path = tmp_path / 'a.json'
  path.write_text('{"été": [1, null]}', encoding='utf-8')
  assert json_text.read(str(path)) == {'été': [1, None]}
  assert json_text.read(str(path), object_pairs_hook=list) == [('été', [1, None])]


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_byte_order_marks_are_left_out(tmp_path, encoding):
  path = tmp_path / 'a.json'
  path.write_bytes('{"été": 1}'.encode(encoding))
  assert json_text.read(str(path)) == {'été': 1}


@pytest.mark.parametrize('data, message', [
    (b'', 'Expecting value'), (b'[\xff]', 'utf-8'), (b'{"a": 1', 'line 1'),
    (damage.NESTED_JSON, 'nested too deeply')])
def test_whatever_is_wrong_is_a_value_error_with_the_path(tmp_path, data, message):
  path = tmp_path / 'a.json'
  path.write_bytes(data)
  with pytest.raises(ValueError, match='^%s cannot be read as JSON: .*%s' % (path, message)):
    json_text.read(str(path))


def test_messages_say_what_the_file_is_and_what_to_do(tmp_path):
  with pytest.raises(ValueError) as caught:
    json_text.read(str(tmp_path), '--file:', 'Remove it.')
  assert str(caught.value) == (
      '--file: %s cannot be read as JSON: Is a directory. Remove it.' % tmp_path)


@pytest.mark.parametrize('name', ['a.json', 'a.txt/a.json'])
def test_an_absent_file_is_told_apart(tmp_path, name):
  (tmp_path / 'a.txt').write_text('')
  with pytest.raises(json_text.Absent, match='a.json cannot be read as JSON: N'):
    json_text.read(str(tmp_path / name))
