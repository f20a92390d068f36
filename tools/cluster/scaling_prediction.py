"""Predicts how training scales over machines, from what was measured on one.

    python -m deeplab.tools.cluster.scaling_prediction --model_mb=8.9 --compute_secs=0.35

A step of N workers and P parameter servers takes the time to compute, the time that the slowest
link needs for the bytes it carries, and the time that its server needs to add up:

    bytes of a worker  = 2 * model                       (weights in, gradients out)
    bytes of a server  = 2 * model * N / P
    secs of a step     = compute + max(both) * 8 / bandwidth + server_secs_per_mb * model * N / P

Nothing overlaps here: TensorFlow sends a gradient as soon as it is there, so that real steps are
somewhat faster as long as compute dominates.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import sys

from deeplab.command_line import declaring, running
from deeplab.core import settings
from deeplab.core.settings import Setting

_WORKERS = (1, 2, 4, 8, 16, 32, 64)
_GBITS = (10.0, 100.0)


@settings.record
class Machine(object):
  """What was measured."""
  model_mb = Setting(None, 'Megabytes of the trained weights. Required.', float, at_least=0,
                     group='what was measured')
  compute_secs = Setting(
      None, 'Seconds of a step of one worker alone. Required.', float, at_least=0)
  server_secs_per_mb = Setting(
      0.002, 'Seconds a parameter server takes per megabyte of the model and worker, as `deeplab '
      'benchmark distributed` measures it.', at_least=0)
  workers_per_server = Setting(4, 'Workers that share a parameter server.', at_least=1)


def step_secs(machine, num_workers, gbits):
  """Returns the predicted seconds of a synchronous step; gbits: of a machine's network, Gbit/s."""
  if num_workers == 1:
    return machine.compute_secs
  per_server = num_workers / num_servers(machine, num_workers)
  # Over its link a server moves the part of the model it holds, for every worker.
  shares = max(1.0, per_server)
  wire_secs = 2 * machine.model_mb * 8e-3 / gbits * shares
  return machine.compute_secs + wire_secs + machine.server_secs_per_mb * machine.model_mb * shares


def num_servers(machine, num_workers):
  """Returns the number of parameter servers for a number of workers."""
  return max(1, -(-num_workers // machine.workers_per_server))


def markdown_table(machine):
  """Returns the predictions as a table of Markdown."""
  rows = ['| workers | servers | ' + ' | '.join(
      'step at %g Gbit/s | speed-up' % gbits for gbits in _GBITS) + ' |',
          '|' + '---|' * (2 + 2 * len(_GBITS))]
  for number in _WORKERS:
    cells = []
    for gbits in _GBITS:
      secs = step_secs(machine, number, gbits)
      cells += ['%.0f ms' % (1e3 * secs), '%.1f x' % (number * machine.compute_secs / secs)]
    rows.append('| %d | %d | %s |' % (number, num_servers(machine, number) if number > 1 else 0,
                                      ' | '.join(cells)))
  return '\n'.join(rows) + '\n'


def main(unused_argv):
  """Prints the table."""
  sys.stdout.write(markdown_table(Machine(**declaring.values_of(Machine))))


def define_flags():
  """Declares the flags of the program."""
  declaring.declare(Machine)


if __name__ == '__main__':
  define_flags()
  running.run(main, required_flags=['model_mb', 'compute_secs'])
