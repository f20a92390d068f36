"""Tests of the weights of classes."""
import pytest
from absl import logging

from deeplab.datasets import class_frequency, dataset_info
from deeplab.utils import class_weights


def split_info(counts, present=None):
  return dataset_info.SplitInfo(4, 1, None, counts, 0, present)


def test_numbers_are_taken_as_they_are():
  assert class_weights.parse_label_weights(['0', '1.5', '2'], 3, None) == [0.0, 1.5, 2.0]
  assert class_weights.parse_label_weights(None, 3, None) is None


def test_auto_is_the_formula_that_the_doctor_reports():
  counts, present = [30, 0, 10, 20], [60, 0, 20, 60]
  weights = class_weights.parse_label_weights(['auto'], 4, split_info(counts, present))
  assert weights == [weight or 1.0 for weight in class_frequency.balancing_weights(counts, present)]
  assert weights == pytest.approx([1.0, 1.0, 1.0, 1.5])


def test_auto_by_the_counts_of_the_whole_split_is_told(monkeypatch):
  told = []
  monkeypatch.setattr(logging, 'info', told.append)
  assert class_weights.parse_label_weights(['auto'], 3, split_info([400, 100, 50])) == [
      0.25, 1.0, 2.0]
  assert len(told) == 1 and 'frequencies are over all of them' in told[0]
  class_weights.parse_label_weights(['auto'], 3, split_info([400, 100, 50], [550] * 3))
  assert len(told) == 1


def test_classes_without_pixels_weigh_as_the_median():
  assert class_weights.balanced_weights(split_info([10 ** 9, 1000, 1, 0])) == [
      0.1, 1.0, 10.0, 1.0]
  assert class_weights.balanced_weights(split_info([0, 0])) == [1.0, 1.0]


@pytest.mark.parametrize('words', [['1', '2'], ['1', '2', 'x'], ['1', '2', '-1'],
                                   ['0', '0', '0'], ['1', '2', 'nan'], ['auto', '1', '2']])
def test_other_words_are_one_line(words):
  with pytest.raises(ValueError, match='--label_weights must be 3 numbers from 0 up'):
    class_weights.parse_label_weights(words, 3, split_info([1, 2, 3]))


def test_auto_needs_counts():
  with pytest.raises(ValueError, match='needs the number of pixels'):
    class_weights.parse_label_weights(['auto'], 3, None)
