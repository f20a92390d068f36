"""Writes flag_listing.json, the flags of every subcommand; see --help.

    python -m deeplab.testing.make_flag_listing

is due when flags have been added, removed or renamed.
"""
import json

from absl import logging

from deeplab import common
from deeplab.command_line import completion, subcommands
from deeplab.core import backbones
from deeplab.core.storage import files
from deeplab.datasets import registry
from deeplab.deployment.exporting import formats
from deeplab.testing import script_flags
from deeplab.utils.pictures import writer

# Flags whose values are looked up in a table.
_TABLES = {
    'dataset': registry.DATASETS,
    'format': formats.FORMATS,
    'model_variant': backbones.BACKBONES,
    'outputs': writer.OUTPUTS,
}


def make():
  """Returns what `completion.read_listing` would if the file were new, from the scripts."""
  rows = subcommands.SUBCOMMANDS
  facts = script_flags.collect([row.module for row in rows.values()])
  return {name: {each.name: _kind(each) for each in facts[row.module] if each.is_shown}
          for name, row in rows.items()}


def _kind(facts):
  if facts.is_boolean:
    return completion.BOOLEAN
  if facts.name in _TABLES:
    return sorted(_TABLES[facts.name])
  return facts.choices or completion.VALUE


def main(unused_argv):
  files.write_text(completion.LISTING_PATH, json.dumps(make(), indent=1, sort_keys=True) + '\n')
  logging.info('Flags of the subcommands: %s', completion.LISTING_PATH)


if __name__ == '__main__':
  common.run(main)
