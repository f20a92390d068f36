"""Examines the records of a dataset and says what would harm training.

    python -m deeplab.datasets.doctor --dataset_dir=RECORDS [--dataset=pascal_voc_seg]

Reads every record in parallel, prints what it found and writes it as doctor_report.json and
doctor_report.html. Exit code 0: fit for training; 1: not.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

from absl import flags

from deeplab.command_line import declaring, ending, flag_groups, running
from deeplab.datasets import registry
from deeplab.datasets.building import spec
from deeplab.datasets.checks import examination as doctor_checks
from deeplab.datasets.checks import report
from deeplab.datasets.flags import records

FLAGS = flags.FLAGS

flag_groups.begin('report and work')
flags.DEFINE_string('report_dir', None,
                    'Folder of the report, made if absent. Default: dataset_dir.')
declaring.declare_one('num_processes', spec.NUM_PROCESSES._replace(group='report and work'))

records.define_dataset_flags('only_split', None)


def main(unused_argv):
  """Examines, prints and writes; returns the exit code."""
  # A folder of unknown content is not silently held against the default of --dataset.
  name = FLAGS.dataset if FLAGS['dataset'].present else None
  examination = doctor_checks.examine(
      FLAGS.dataset_dir, registry.resolve(name, FLAGS.dataset_dir), FLAGS.only_split,
      FLAGS.num_processes)
  content = report.content_of(examination)
  print(report.as_text(content))
  print('Report: %s and %s' % report.write(
      content, FLAGS.report_dir or FLAGS.dataset_dir))
  return ending.EXIT_ERROR if content['harms_training'] else 0


if __name__ == '__main__':
  running.run(main, required_flags=['dataset_dir'])
