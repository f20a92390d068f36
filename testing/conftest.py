"""The table of faults at the end of the tests: what happens, what must hold, what was measured."""
import numpy as np
import pytest

from deeplab.testing import tiny_run

_FAULT = 'fault'
_PROMISE = 'promise'
_MEASURED = 'measured'


@pytest.fixture(scope='module', name='folder')
def make_folder(tmp_path_factory):
  """The folder of `tiny_run.write_job` with images of 97x97."""
  folder = tmp_path_factory.mktemp('job')
  tiny_run.write_job(folder, [
      sample._replace(label=np.minimum(sample.label, 3))
      for sample in tiny_run.make_samples([(97, 97)] * 6)])
  return folder


@pytest.fixture(autouse=True)
def note_fault(request, record_property):
  """Notes the row of a test that has the mark `fault(what happens, what must hold)`."""
  marker = request.node.get_closest_marker(_FAULT)
  if marker:
    for name, text in zip((_FAULT, _PROMISE), marker.args):
      record_property(name, text)


@pytest.fixture(name='measured')
def note_measured(record_property):
  """Function of the text that the table shows as measured."""
  return lambda text: record_property(_MEASURED, text)


def pytest_terminal_summary(terminalreporter):
  """Writes the table, as Markdown."""
  rows = []
  for outcome in ('passed', 'failed', 'error', 'skipped'):
    for report in terminalreporter.stats.get(outcome, ()):
      noted = dict(getattr(report, 'user_properties', ()))
      if _FAULT in noted and (report.when == 'call' or outcome != 'passed'):
        result = noted.get(_MEASURED, 'held') if outcome == 'passed' else outcome.upper()
        rows.append((noted[_FAULT], noted[_PROMISE], result))
  if rows:
    terminalreporter.section('faults')
    for row in [('what happens', 'what must hold', 'measured'), ('---',) * 3] + sorted(rows):
      terminalreporter.write_line('| %s |' % ' | '.join(row))
