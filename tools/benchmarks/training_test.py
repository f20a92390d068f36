"""Tests of the training benchmark: its rows are of the figures that they say they are."""
import os

import pytest

from deeplab.core.tf_compat import IS_TF1
from deeplab.testing import slow
from deeplab.tools.benchmarks import __main__, child, training

pytestmark = slow.only_if_asked

# The arguments of a training step as it is.
_PLAIN_STEP = {'variant', 'batch_size', 'crop', 'model'}


def test_rows_are_medians_of_ratios_taken_in_turns(monkeypatch):
  # Seconds per image of the runs; the machine is half as fast during the second.
  paces = iter([1.0, 2.0, 1.1])
  state = {}

  def measure(module, function, arguments, python=None):
    if function == 'loss_secs':
      return {'loss_secs': 1, 'step_secs': 20}
    if function == 'step_speed' and not python and set(arguments) == _PLAIN_STEP:
      state['pace'] = next(paces)
    factor = {'tf1': 4, 'torch': 5}.get(python, 1)
    if arguments.get('training') == {'gradient_checkpointing': True}:
      factor = 1.25
    return {'images_per_sec': 1 / (state['pace'] * factor), 'peak_memory_mib': 1000 / factor,
            'estimated_memory_mib': 900 / factor}

  monkeypatch.setattr(child, 'measure', measure)
  monkeypatch.setattr(child, 'tf1_python', lambda: 'tf1')
  monkeypatch.setattr(child, 'peer_python', lambda: 'torch')
  rows = {row['what']: row for row in training.rows_of(
      'mobilenet_v2', training.TRAININGS['mobilenet_v2']._replace(
          recompute_targets=(60, 70)), 3, True, 'records')}
  value = lambda what: rows['mobilenet_v2, ' + what]['value']  # noqa: E731
  assert value('float32, batch 4') == pytest.approx(1 / 1.1)
  assert value('speed / TF1 lane') == pytest.approx(4)
  assert value('speed / PyTorch') == pytest.approx(5)
  assert value('loss and its gradient in the step') == pytest.approx(5)
  assert value('recomputation, speed beside float32') == pytest.approx(80)
  assert value('recomputation, memory beside float32') == pytest.approx(80)
  assert value('peak memory, estimated') == pytest.approx(900)
  assert rows['mobilenet_v2, speed / PyTorch']['target'] == '>= 4'
  assert rows['mobilenet_v2, recomputation, memory beside float32']['target'] == '<= 60'
  assert ('mobilenet_v2, bfloat16, speed beside float32' in rows) != IS_TF1


def test_what_is_not_installed_is_told(monkeypatch):
  monkeypatch.setattr(child, 'measure', lambda *args, **kwargs: {
      'images_per_sec': 1, 'peak_memory_mib': 1, 'estimated_memory_mib': 1,
      'loss_secs': 1, 'step_secs': 2})
  monkeypatch.setattr(child, 'tf1_python', lambda: None)
  monkeypatch.setattr(child, 'peer_python', lambda: None)
  rows = list(training.rows_of(
      'mobilenet_v2', training.TRAININGS['mobilenet_v2'], 1, True, 'records'))
  lines = [__main__.format_row(row) for row in rows]
  assert any('mobilenet_v2, TF1 lane' in line and 'set TF1_PYTHON' in line for line in lines)
  assert any('mobilenet_v2, PyTorch' in line and 'set TORCH_PYTHON' in line for line in lines)


def test_interpreter_of_pytorch_that_is_none_is_told(monkeypatch, tmp_path):
  monkeypatch.setenv('TORCH_PYTHON', str(tmp_path / 'python'))
  with pytest.raises(ValueError, match='TORCH_PYTHON=.*is no program'):
    child.peer_python()


def test_backbone_without_a_row_is_told():
  with pytest.raises(ValueError, match="'mobilenet_v4'.*mobilenet_v2"):
    next(training.measure_all(1, ['mobilenet_v4']))


@pytest.mark.skipif(not child.peer_python(), reason='set TORCH_PYTHON')
@pytest.mark.parametrize('function, arguments, figure', [
    ('train', {'batch_size': 2}, 'images_per_sec'), ('infer', {}, 'secs')])
def test_peer_runs_in_its_own_interpreter(function, arguments, figure):
  path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'torch_peer.py')
  figures = child.measure(path, function, dict(
      arguments, crop=33, num_classes=3, least_steps=1, least_secs=0),
                          python=child.peer_python())
  assert figures[figure]
  assert figures['peak_memory_mib'] > 100
