"""Names of categories, and which are things: countable objects, unlike stuff."""
import json
import typing

import numpy as np


class Category(typing.NamedTuple):
  """A category: its id, name, and whether it is a thing (None: not known)."""
  id: int
  name: str
  is_thing: typing.Optional[bool]


def parse(items, path, num_categories, ignored_label):
  """Returns dict, id -> Category, of a list as COCO has it, the ignored one left out.

  Args:
    items: list of dicts with 'id', 'name' and, where known, 'isthing'.
    path: file of the list, for messages.
    num_categories: ids are below this.
    ignored_label: id that may lie outside.

  Raises:
    ValueError: an item lacks something, or an id is out of range or stands twice.
  """
  categories = {}
  for item in items if isinstance(items, list) else [items]:
    if not isinstance(item, dict) or not isinstance(item.get('id'), int) or 'name' not in item:
      raise ValueError("%s: a category needs an integer 'id' and a 'name', got %s."
                       % (path, json.dumps(item)))
    number = item['id']
    if number == ignored_label:
      continue
    if not 0 <= number < num_categories:
      raise ValueError('%s: category %d (%s) is not in 0..%d: is num_categories (%d) right?'
                       % (path, number, item['name'], num_categories - 1, num_categories))
    if number in categories:
      raise ValueError('%s: category %d stands twice.' % (path, number))
    is_thing = item.get('isthing')
    categories[number] = Category(number, str(item['name']),
                                  None if is_thing is None else bool(is_thing))
  return categories


def is_thing_array(categories, num_categories):
  """Returns [num_categories] booleans, or None unless it is known of every category."""
  if not categories or any(c.is_thing is None for c in categories.values()):
    return None
  is_thing = np.zeros([num_categories], bool)
  for category in categories.values():
    is_thing[category.id] = category.is_thing
  return is_thing
