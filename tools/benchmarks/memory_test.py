"""Tests of the table of peak memory."""
from deeplab.testing import slow
from deeplab.tools.benchmarks import child, memory

pytestmark = slow.only_if_asked

_TINY = memory.Configuration(
    'mobilenet_v2', 1, 65, {'depth_multiplier': 0.25, 'output_stride': 8}, recomputes=True)


def test_rows_are_measured_and_become_a_table(monkeypatch):
  monkeypatch.setattr(memory, 'CONFIGURATIONS',
                      (_TINY, _TINY._replace(variant='xception_65')))
  row, = memory.measure_all(child.Settings(1, ['mobilenet_v2']))
  # TensorFlow alone has some hundred MiB.
  assert 200 < row['value'] < 1500
  assert 0.5 < row['estimated_memory_mib'] / row['value'] < 2
  assert row['what'] == 'mobilenet_v2, output stride 8, batch 1, crop 65, recomputation'
  table = memory.markdown_table([row]).splitlines()
  assert len(table) == 3
  assert table[2].startswith('| `mobilenet_v2` | 8 | image pooling | 1 | 65 | yes | ')
