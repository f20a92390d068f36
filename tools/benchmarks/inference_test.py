"""Tests of the inference benchmark with tiny images: formats, ratios and rows."""
import collections
import os

import pytest

from deeplab.deployment.exporting import formats
from deeplab.testing import slow
from deeplab.tools.benchmarks import __main__, child, inference, options

pytestmark = slow.only_if_asked

_TINY = {'variant': 'mobilenet_v2', 'crop': 33, 'model': {'depth_multiplier': 0.25}}


@pytest.fixture(scope='module', name='checkpoint')
def fixture_checkpoint(tmp_path_factory):
  return inference.write_checkpoint(
      folder=str(tmp_path_factory.mktemp('run')), **_TINY)['checkpoint']


@pytest.mark.parametrize('format_name', sorted(inference.FORMATS))
def test_formats_are_written_and_run(format_name, checkpoint, tmp_path):
  row = inference.FORMATS[format_name]
  exported = formats.FORMATS[row.name]
  try:
    exported.check(row.source(checkpoint, inference._model_options(**_TINY)))
  except ValueError as error:
    pytest.skip(str(error))
  path = str(tmp_path / 'model') + exported.ending
  inference.write_model(checkpoint=checkpoint, path=path, format_name=format_name,
                        **_TINY)
  secs = inference.run_secs(path, 33, least_runs=2, least_secs=0)['secs']
  assert len(secs) == 2 and min(secs) > 0


# Seconds per image of each kind in three runs; the machine is half as fast in the second.
_SECS = {'.pb': 0.02, '.tflite': 0.04, 'int8': 0.025, 'tf1': 0.05, 'torch': 0.06, '': 0.03,
         '.onnx': 0.03}
_PACES = (1, 2, 1)


def _rows(monkeypatch, tf1_python, peer_python, folder, peers=True):
  counts = {}

  def measure(run):
    if run.function is inference.write_checkpoint:
      return {'checkpoint': 'model.ckpt'}
    path = run.arguments.get('path')
    if run.function is inference.write_model:
      with open(path, 'w') as stream:
        stream.write(run.arguments['format_name'] * 1000)
      return {}
    key = run.python or os.path.splitext(path)[1]
    if key == '.tflite':
      with open(path) as stream:
        key = 'int8' if 'int8' in stream.read() else key
    pace = _PACES[counts.setdefault((path, run.python), 0)]
    counts[path, run.python] += 1
    return {'secs': [_SECS[key] * pace] * 4 + [_SECS[key] * pace * 3], 'peak_memory_mib': 300}

  monkeypatch.setattr(child, 'measure', measure)
  monkeypatch.setattr(child, 'tf1_python', lambda: tf1_python)
  monkeypatch.setattr(child, 'peer_python', lambda: peer_python)
  return collections.OrderedDict(
      (row['what'], row) for row in inference.rows_of(
          'mobilenet_v2', inference.INFERENCES['mobilenet_v2'],
          options.Settings(3, peers=peers), str(folder)))


def test_ratios_are_medians_of_runs_in_turns(monkeypatch, tmp_path):
  rows = _rows(monkeypatch, 'tf1', 'torch', tmp_path)
  value = lambda what: rows['mobilenet_v2, speed of ' + what]['value']  # noqa: E731
  assert value('frozen graph, optimised / frozen graph, as trained, TF1 lane') == (
      pytest.approx(2.5))
  assert value('frozen graph, optimised / PyTorch') == pytest.approx(3)
  assert value('TFLite, int8 / TFLite, float32') == pytest.approx(1.6)
  assert rows['mobilenet_v2, speed of frozen graph, optimised / PyTorch']['target'] == '>= 2.5'


def test_rows_tell_latency_memory_and_size(monkeypatch, tmp_path):
  row = _rows(monkeypatch, 'tf1', None, tmp_path)['mobilenet_v2, frozen graph, optimised']
  assert row['value'] == pytest.approx(50)
  assert row['p50_ms'] == pytest.approx(20)
  assert row['p95_ms'] > 55
  assert row['file_mb'] == pytest.approx(0.023)
  assert 'p50 20.0 ms' in __main__.format_row(row)
  assert '300 MiB, file 0.0 MB' in __main__.format_row(row)


def test_table_has_a_line_per_format_and_the_ratios_with_their_targets(monkeypatch, tmp_path):
  rows = list(_rows(monkeypatch, 'tf1', 'torch', tmp_path).values())
  lines = inference.markdown_table(rows).splitlines()
  assert lines[0].startswith('| backbone | format | p50 ms | p95 ms | images/s |')
  assert lines[2] == ('| `mobilenet_v2` | frozen graph, optimised | 20.0 | 78.0 | 50.0 | 300 '
                      '| 0.0 |')
  assert '| `mobilenet_v2` | PyTorch | 60.0 | 234.0 | 16.7 | 300 |  |' in lines
  assert (lines[-1]
          == '| mobilenet_v2, speed of TFLite, int8 / TFLite, float32 | 1.60 | >= 1.5 |')
  assert __main__.BENCHMARKS['inference'].table is inference.markdown_table


def test_folders_count_with_all_their_files(tmp_path):
  (tmp_path / 'variables').mkdir()
  (tmp_path / 'a.pb').write_bytes(b'12345')
  (tmp_path / 'variables' / 'b').write_bytes(b'678')
  assert inference._size(str(tmp_path)) == 8


def test_formats_that_cannot_be_written_are_left_out(monkeypatch, tmp_path):
  def fail(unused_source):
    raise ValueError('ONNX files need the package tf2onnx')

  row = formats.FORMATS['onnx']
  monkeypatch.setitem(formats.FORMATS, 'onnx', row._replace(check=fail))
  rows = _rows(monkeypatch, None, None, tmp_path)
  assert 'need the package tf2onnx' in __main__.format_row(rows['mobilenet_v2, ONNX'])


def test_what_is_not_installed_is_told(monkeypatch, tmp_path):
  rows = _rows(monkeypatch, None, None, tmp_path)
  assert 'set TORCH_PYTHON' in __main__.format_row(rows['mobilenet_v2, PyTorch'])
  assert 'set TF1_PYTHON' in __main__.format_row(rows['mobilenet_v2, TF1 lane'])
  assert not any('/ PyTorch' in what for what in rows)


def test_pytorch_runs_on_demand_only(monkeypatch, tmp_path):
  assert not any('PyTorch' in what
                 for what in _rows(monkeypatch, None, 'torch', tmp_path, peers=False))


def test_backbone_without_a_row_is_told():
  with pytest.raises(ValueError, match="'mobilenet_v4'.*mobilenet_v2"):
    next(inference.measure_all(options.Settings(variants=['mobilenet_v4'])))
