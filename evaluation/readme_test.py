"""Tests that the README of this folder tells the truth: its example and its commands."""
import fractions
import os
import re

import numpy as np
import pytest

from deeplab.evaluation.panoptic_quality import PanopticQuality
from deeplab.evaluation.parsing_covering import ParsingCovering
from deeplab.testing import documentation, forked_scripts

_PERSON, _SKY, _VOID = 1, 2, 0
_INSTANCE_OF = {'A': (_PERSON, 0), 'B': (_PERSON, 1), 'C': (_PERSON, 2), 'S': (_SKY, 0),
                '.': (_VOID, 0)}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'README.md')) as f:
  README = f.read()


def code_after(sentence):
  """Returns the code block that follows a sentence."""
  return README.split(sentence, 1)[1].split('```')[1].partition('\n')[2]


def arrays():
  """Returns categories and instances of the ground truth and the prediction."""
  result = []
  for sentence in ('Ground truth: `A`', 'Prediction: `A`'):
    grid = np.array([[_INSTANCE_OF[letter] for letter in line.split()]
                     for line in code_after(sentence).splitlines()])
    result += [grid[..., 0], grid[..., 1]]
  return result


def row_of(category):
  """Returns the cells TP, FP, FN, SQ, RQ, PQ, PC of the table."""
  line, = re.findall(r'^\| %s \|.*\|$' % category, README, re.MULTILINE)
  return [float(fractions.Fraction(cell.strip())) for cell in line.split('|')[3:-1]]


def test_example_by_hand_is_what_the_metrics_give():
  settings = (3, _VOID, 4, 16)
  pq, pc = PanopticQuality(*settings), ParsingCovering(*settings)
  for metric in (pq, pc):
    metric.compare_and_accumulate(*arrays())
  values = dict(pq.per_category(), **pc.per_category())
  for name, category in (('person', _PERSON), ('sky', _SKY)):
    found = [values[key][category] for key in ('tp', 'fp', 'fn', 'sq', 'rq', 'pq', 'pc')]
    assert found == pytest.approx(row_of(name), abs=1e-12)
  # By hand: the sums are written out here too.
  assert pq.result() == pytest.approx((1 / 3. + 16 / 19.) / 2, abs=1e-12)
  assert pc.result() == pytest.approx((7 / 12. + 16 / 19.) / 2, abs=1e-12)
  assert 'PQ = (1/3 + 16/19) / 2 = %.3f, PC = (7/12 + 16/19) / 2 = %.3f' % (
      pq.result(), pc.result()) in README


def test_table_is_that_of_the_commands(tmp_path):
  block = next(block for block in documentation.blocks(README)
               if '--gt_json_file' in block.text)
  logs = []
  for command in documentation.commands([block], tmp_path, {})[0]:
    result = forked_scripts.run(command.script, *command.words, cwd=tmp_path)
    assert result.code == 0, result.log
    logs.append(result.log)
  assert len(logs) == 2
  assert code_after('means of all categories, things and\nstuff:') in logs[1]
