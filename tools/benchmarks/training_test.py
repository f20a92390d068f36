"""Tests of the training benchmark: rows and figures are of what they say they are."""
import pytest

from deeplab.core.tf_compat import IS_TF1
from deeplab.testing import slow
from deeplab.tools.benchmarks import __main__, child, data, options, training

pytestmark = slow.only_if_asked

_TINY = {'variant': 'mobilenet_v2', 'batch_size': 2, 'crop': 33,
         'model': {'depth_multiplier': 0.25}}
# The arguments of a training step as it is.
_PLAIN_STEP = {'variant', 'batch_size', 'crop', 'model'}


def test_rows_are_medians_of_ratios_taken_in_turns(monkeypatch):
  # Seconds per image of the runs; the machine is half as fast during the second.
  paces = iter([1.0, 2.0, 1.1])
  state = {}

  def measure(run):
    if run.function is training.loss_secs:
      return {'loss_secs': 1, 'step_secs': 20}
    if not run.python and set(run.arguments) == _PLAIN_STEP:
      state['pace'] = next(paces)
    factor = {'tf1': 4, 'torch': 5}.get(run.python, 1)
    if run.arguments.get('training') == {'recompute': 'all'}:
      factor = 1.25
    return {'images_per_sec': 1 / (state['pace'] * factor), 'peak_memory_mib': 1000 / factor,
            'estimated_memory_mib': 900 / factor}

  monkeypatch.setattr(child, 'measure', measure)
  monkeypatch.setattr(child, 'tf1_python', lambda: 'tf1')
  monkeypatch.setattr(child, 'peer_python', lambda: 'torch')
  rows = {row['what']: row for row in training.rows_of(
      'mobilenet_v2', training.TRAININGS['mobilenet_v2']._replace(
          recompute_targets=(60, 70)), options.Settings(3, peers=True), 'records')}
  value = lambda what: rows['mobilenet_v2, ' + what]['value']  # noqa: E731
  assert value('float32, batch 4') == pytest.approx(1 / 1.1)
  assert value('speed / TF1 lane') == pytest.approx(4)
  assert value('speed / PyTorch') == pytest.approx(5)
  assert value('loss and its gradient in the step') == pytest.approx(5)
  assert value('recomputation, speed beside batch norm recomputed') == pytest.approx(80)
  assert value('recomputation, memory beside batch norm recomputed') == pytest.approx(80)
  assert value('peak memory, estimated') == pytest.approx(900)
  assert rows['mobilenet_v2, speed / PyTorch']['target'] == '>= 4'
  assert rows['mobilenet_v2, recomputation, memory beside batch norm recomputed'][
      'target'] == '<= 60'
  assert ('mobilenet_v2, bfloat16, speed beside float32' in rows) != IS_TF1


def test_what_is_not_installed_is_told(monkeypatch):
  monkeypatch.setattr(child, 'measure', lambda run: {
      'images_per_sec': 1, 'peak_memory_mib': 1, 'estimated_memory_mib': 1,
      'loss_secs': 1, 'step_secs': 2})
  monkeypatch.setattr(child, 'tf1_python', lambda: None)
  monkeypatch.setattr(child, 'peer_python', lambda: None)
  rows = list(training.rows_of(
      'mobilenet_v2', training.TRAININGS['mobilenet_v2'],
      options.Settings(1, peers=True), 'records'))
  lines = [__main__.format_row(row) for row in rows]
  assert any('mobilenet_v2, TF1 lane' in line and 'set TF1_PYTHON' in line for line in lines)
  assert any('mobilenet_v2, PyTorch' in line and 'set TORCH_PYTHON' in line for line in lines)


def test_interpreter_of_pytorch_that_is_none_is_told(monkeypatch, tmp_path):
  monkeypatch.setenv('TORCH_PYTHON', str(tmp_path / 'python'))
  with pytest.raises(ValueError, match='TORCH_PYTHON=.*is no program'):
    child.peer_python()


def test_backbone_without_a_row_is_told():
  with pytest.raises(ValueError, match="'mobilenet_v4'.*mobilenet_v2"):
    next(training.measure_all(options.Settings(variants=['mobilenet_v4'])))


@pytest.mark.skipif(not child.peer_python(), reason='set TORCH_PYTHON')
@pytest.mark.parametrize('function, arguments, figure', [
    ('train', {'batch_size': 2}, 'images_per_sec'), ('infer', {}, 'secs')])
def test_peer_runs_in_its_own_interpreter(function, arguments, figure):
  figures = child.measure(child.Run((child.TORCH_PEER, function), dict(
      arguments, crop=33, num_classes=3, least_steps=1, least_secs=0),
                                    python=child.peer_python()))
  assert figures[figure]
  assert figures['peak_memory_mib'] > 100


@pytest.fixture
def short(monkeypatch):
  monkeypatch.setattr(training.median_secs, '__defaults__', (1, 0.0))


def test_speed_is_images_per_step_time(short):
  figures = training.step_speed(**_TINY)
  assert figures['images_per_sec'] == pytest.approx(2 / figures['step_secs'])
  assert figures['estimated_memory_mib'] > 100


def test_speed_from_files(short, tmp_path):
  records = str(tmp_path / 'records')
  data.write_records(records, (60, 80), count=4, num_shards=1)
  figures = training.step_speed(records=records, **_TINY)
  assert figures['images_per_sec'] > 0


@pytest.mark.skipif(not IS_TF1, reason='TensorFlow 2 has this precision')
def test_precision_that_this_tensorflow_lacks_is_told():
  with pytest.raises(ValueError, match='bfloat16 needs TensorFlow 2'):
    training.step_speed(training={'precision': 'bfloat16'}, **_TINY)


def test_loss_alone_takes_a_part_of_the_step(monkeypatch):
  # Of so many the median is no matter of what else the machine does meanwhile.
  monkeypatch.setattr(training.median_secs, '__defaults__', (31, 0.0))
  figures = training.loss_secs(**_TINY)
  assert 0 < figures['loss_secs'] < figures['step_secs']


def test_functions_take_turns():
  calls = []
  secs = training.median_secs(
      [lambda: calls.append('a'), lambda: calls.append('b')], least_steps=3, least_secs=0.0)
  assert calls == ['a', 'b'] * 5
  assert len(secs) == 2


_TINY_CONFIGURATION = training.Configuration(
    'mobilenet_v2', 1, 65, {'depth_multiplier': 0.25, 'output_stride': 8}, recompute='all')


def test_rows_are_measured_and_become_a_table(monkeypatch):
  monkeypatch.setattr(training, 'CONFIGURATIONS',
                      (_TINY_CONFIGURATION, _TINY_CONFIGURATION._replace(variant='xception_65')))
  row, = training.measure_memory(options.Settings(1, ['mobilenet_v2']))
  # TensorFlow alone has some hundred MiB.
  assert 200 < row['value'] < 1500
  assert 0.5 < row['estimated_memory_mib'] / row['value'] < 2
  assert row['what'] == 'mobilenet_v2, output stride 8, batch 1, crop 65, recompute all'
  table = training.memory_table([row]).splitlines()
  assert len(table) == 3
  assert table[2].startswith('| `mobilenet_v2` | 8 | image pooling | 1 | 65 | all | ')
