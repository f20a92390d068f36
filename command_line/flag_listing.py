"""flag_listing.json: the flags of every subcommand, for completion without TensorFlow.

`make_flag_listing.py` writes it anew, after flags have changed; a test tells when that is due.
"""
import json
import os

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'flag_listing.json')

# Kinds of flags. Those that take one of several values have the list of them instead.
BOOLEAN, VALUE = 'boolean', 'value'


def read():
  """Returns dict, subcommand -> dict, flag -> BOOLEAN, VALUE or the list of its values."""
  with open(PATH, encoding='utf-8') as f:
    return json.load(f)
