"""Measures speed and memory side by side; see --help.

    python -m deeplab.tools.benchmarks graph
    python -m deeplab.tools.benchmarks memory --table

Names are builder, distributed, eval, graph, inference, input, memory, panoptic and train; without
one, all are measured, which takes long.
Every measurement is a process of its own, so that peaks of memory and warm caches of one
do not reach the next. Figures of different runs do not compare: machines are shared.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import json
import typing

from absl import flags, logging

from deeplab import common
from deeplab.core import usage
from deeplab.core.storage import files
from deeplab.tools.benchmarks import (
    data,
    distributed,
    evaluation,
    inference,
    options,
    training,
)

FLAGS = flags.FLAGS

common.begin_flag_group('measurements')
flags.DEFINE_string('json', None, 'File to write the figures to. Default: none.')
common.declare(options.Settings)
flags.DEFINE_bool('table', False,
                  'Also prints the figures as a table of Markdown, where the benchmark has one.')


class Benchmark(typing.NamedTuple):
  """A row of BENCHMARKS."""
  title: str  # What is measured.
  # Function of options.Settings; it yields dicts with 'what', 'value' and 'unit', 'target' where
  # the project has one and 'note' where there is more to say; or with 'what' and 'left_out', the
  # reason.
  measure: typing.Callable
  # Function from the rows to a table of Markdown, or None.
  table: typing.Optional[typing.Callable] = None


BENCHMARKS = {
    'builder': Benchmark('Building records', data.measure_building),
    'distributed': Benchmark('Training by several processes on this machine',
                             distributed.measure_all),
    'eval': Benchmark('Evaluating images of mixed sizes', evaluation.measure_all),
    'graph': Benchmark('Building graphs on one core', training.measure_graphs),
    'inference': Benchmark('Exported models, one image after the other',
                           inference.measure_all, inference.markdown_table),
    'input': Benchmark('Reading and augmenting training images', data.measure_input),
    'memory': Benchmark('Peak memory of training steps', training.measure_memory,
                        training.memory_table),
    'panoptic': Benchmark('Evaluating panoptic files', evaluation.measure_panoptic),
    'train': Benchmark('Training steps', training.measure_all),
}


def main(argv):
  """Runs the benchmarks named on the command line, or all."""
  names = argv[1:] or sorted(BENCHMARKS)
  benchmarks = [usage.lookup(BENCHMARKS, name, what='benchmark') for name in names]
  results, settings = {}, options.Settings(**common.values_of(options.Settings))
  for name, benchmark in zip(names, benchmarks):
    print('%s (python -m deeplab.tools.benchmarks %s)' % (benchmark.title, name), flush=True)
    results[name] = []
    for row in benchmark.measure(settings):
      results[name].append(row)
      print(format_row(row), flush=True)
    if FLAGS.table and benchmark.table:
      print('\n%s\n' % benchmark.table(results[name]), flush=True)
  if FLAGS.json:
    files.write_text(FLAGS.json, json.dumps(results, indent=2) + '\n')
    logging.info('Figures: %s', FLAGS.json)


def format_row(row):
  """Returns a line for the terminal."""
  if 'left_out' in row:
    return '  %-52s   left out: %s' % (row['what'], row['left_out'])
  target = '   (target: %s)' % row['target'] if 'target' in row else ''
  note = '   %s' % row['note'] if 'note' in row else ''
  return '  %-52s %10.4g %s%s%s' % (row['what'], row['value'], row['unit'], target, note)


if __name__ == '__main__':
  common.run(main, allows_words=True)
