"""Tests of the weights of classes."""
import pytest

from deeplab.utils import class_weights


def test_numbers_are_taken_as_they_are():
  assert class_weights.parse_label_weights(['0', '1.5', '2'], 3, None) == [0.0, 1.5, 2.0]
  assert class_weights.parse_label_weights(None, 3, None) is None


def test_auto_is_the_median_frequency_over_the_frequency():
  assert class_weights.parse_label_weights(['auto'], 3, [400, 100, 50]) == [0.25, 1.0, 2.0]


def test_weights_stay_within_a_factor_of_ten():
  assert class_weights.balanced_weights([10 ** 9, 1000, 1, 0]) == [0.1, 1.0, 10.0, 1.0]
  assert class_weights.balanced_weights([0, 0]) == [1.0, 1.0]


@pytest.mark.parametrize('words', [['1', '2'], ['1', '2', 'x'], ['1', '2', '-1'],
                                   ['0', '0', '0'], ['1', '2', 'nan'], ['auto', '1', '2']])
def test_other_words_are_one_line(words):
  with pytest.raises(ValueError, match='--label_weights must be 3 numbers from 0 up'):
    class_weights.parse_label_weights(words, 3, [1, 2, 3])


def test_auto_needs_counts():
  with pytest.raises(ValueError, match='needs the number of pixels'):
    class_weights.parse_label_weights(['auto'], 3, None)
