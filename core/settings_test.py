"""Tests of records of settings."""
import copy
import pickle

import pytest

from deeplab.core import settings
from deeplab.core.settings import INTS, NO_FLAG, Setting


@settings.record
class Meal(object):
  """What is eaten."""
  guests = Setting(2, 'How many eat.', at_least=1)
  main = Setting('soup', 'What comes first.', choices=('soup', 'rice'), group='courses')
  spoons = Setting(None, 'How many for each.', INTS)
  cook = Setting('', 'Who cooks.', group=NO_FLAG)

  @property
  def is_warm(self):
    """Whether it must be heated."""
    return self.main == 'soup'


def test_a_record_has_the_rows_as_fields_with_their_defaults_and_keeps_what_else_the_class_has():
  assert Meal._fields == ('guests', 'main', 'spoons', 'cook')
  assert Meal() == (2, 'soup', None, '')
  assert Meal(3, cook='Ada') == (3, 'soup', None, 'Ada')
  assert Meal.__doc__ == 'What is eaten.' and Meal().is_warm
  assert not Meal()._replace(main='rice').is_warm


def test_a_row_is_of_the_group_of_the_row_before_it():
  assert [row.group for row in Meal.SETTINGS.values()] == [NO_FLAG, 'courses', 'courses', NO_FLAG]


def test_records_cannot_be_changed_and_are_copied_and_pickled_as_they_are():
  meal = Meal(guests=5)
  for copied in (copy.deepcopy(meal), pickle.loads(pickle.dumps(meal))):
    assert copied == meal and isinstance(copied, Meal)
  with pytest.raises(AttributeError):
    meal.guests = 6
  with pytest.raises(AttributeError):
    meal.gests = 6
