"""Trains a DeepLab model on TFRecords; see --help.

    python train.py --train_logdir=RUN/train --dataset_dir=RECORDS --dataset=NAME
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import contextlib

from absl import flags, logging

from deeplab import common
from deeplab.core import options, quantization, tf_compat
from deeplab.core.checkpoints import folder, restoring
from deeplab.core.storage import files
from deeplab.core.tf_compat import tf
from deeplab.core.usage import UsageError
from deeplab.datasets.records import dataset_info, shards
from deeplab.deployment import machine_flags
from deeplab.deployment.cluster import parameter_server
from deeplab.deployment.cluster import tasks as cluster_lib
from deeplab.utils.evaluating import checkpoints
from deeplab.utils.runs import run_lock, run_record
from deeplab.utils.speed_and_memory import graph_rewrites, memory
from deeplab.utils.training import loop, losses
from deeplab.utils.training import options as train_options

FLAGS = flags.FLAGS

TrainOptions = train_options.TrainOptions

common.declare(TrainOptions, train_options.LOGS)
flags.DEFINE_boolean('eval_during_training', False,
                     'Evaluates every checkpoint as it is saved: scores in the folder eval of '
                     'train_logdir, the checkpoint of the highest mean IoU in its folder best.')
flags.DEFINE_string('eval_split', 'val', 'Split that --eval_during_training evaluates on.')
common.declare(TrainOptions, train_options.OPTIMISATION)
common.declare_one('train_crop_size', train_options.TRAIN_CROP_SIZE)
common.declare(TrainOptions, train_options.SPEED_AND_MEMORY, options.FINE_TUNING)
machine_flags.define_machine_flags()
common.define_augmentation_flags()
common.define_model_flags(is_training=True)
common.define_dataset_flags('train_split', 'train')
common.define_data_check_flag()


def main(unused_argv):
  """Trains as the flags say, or does another task of a cluster."""
  if FLAGS.train_batch_size % FLAGS.num_clones:
    raise UsageError('--train_batch_size=%d must be divisible by --num_clones=%d.'
                     % (FLAGS.train_batch_size, FLAGS.num_clones))
  cluster = machine_flags.cluster_of_flags()
  if cluster and cluster.task.job == cluster_lib.WORKER:
    check_worker()
  if cluster and cluster.task.job == cluster_lib.PS:
    parameter_server.serve(cluster, FLAGS.cluster_timeout_secs)
    return
  crop_size = common.size_list('train_crop_size')
  memory.check_batch(FLAGS.train_batch_size, crop_size)
  dataset = training_dataset(crop_size, cluster)
  model_options = common.model_options_of_flags(dataset.num_of_classes, crop_size)
  quantization.check(model_options, FLAGS.num_clones, FLAGS.image_pyramid,
                     num_workers=cluster.num_workers if cluster else 1,
                     precision=FLAGS.precision)
  if FLAGS.quantize_delay_step >= 0:
    model_options = model_options._replace(quantize_freeze_step=quantization.default_freeze_step(
        FLAGS.quantize_delay_step, FLAGS.training_number_of_steps))
  if cluster and cluster.task.job == cluster_lib.EVALUATOR:
    checkpoints.evaluate_all(
        evaluation(model_options), FLAGS.train_logdir, FLAGS.training_number_of_steps)
  else:
    common.check_data(dataset)
    train(dataset, model_options, cluster)


def train(dataset, model_options, cluster):
  """Trains, alone or as a worker of a Cluster."""
  # Before the input, which takes memory as soon as it is built.
  memory.pool_cpu_memory()
  logging.info('Training on %s, split %s, %d classes.', FLAGS.dataset_dir,
               FLAGS.train_split, dataset.num_of_classes)
  run_options = options_of_run(dataset)
  graph_rewrites.check(run_options, FLAGS.clone_on_cpu)
  clones = machine_flags.clones_of(cluster)
  has_gpu_alone = tf_compat.num_gpus() and not clones
  # The flag may be left at its default, the records say whose they are.
  values = dict(common.flag_values(), dataset=dataset.descriptor.name)
  with contextlib.ExitStack() as around:
    lock = replica = None
    if cluster is None or cluster.is_chief:
      lock = around.enter_context(run_lock.held(FLAGS.train_logdir))
      if FLAGS.profile_logdir:
        files.check_folder(FLAGS.profile_logdir, 'profile_logdir')
      around.enter_context(run_record.told_if_continued(
          FLAGS.train_logdir, values, dataset.descriptor))
    if cluster:
      replica = around.enter_context(
          machine_flags.replica_of(cluster).open(clones and clones.session_config))
    checkpoint = loop.train(
        loop.Data(dataset.descriptor,
                  lambda: dataset.get_one_shot_iterator().get_next(), dataset.files),
        model_options, run_options,
        lambda step: run_record.write(FLAGS.train_logdir, values, FLAGS.dataset_dir, step),
        evaluation(model_options) if FLAGS.eval_during_training else None,
        loop.Placement(clones, '/device:GPU:0' if has_gpu_alone else None, replica,
                       FLAGS.master, lock))
  logging.info('Done: %s. Curves: tensorboard --logdir=%s', checkpoint, FLAGS.train_logdir)


def training_dataset(crop_size, cluster):
  """Returns the data_generator.Dataset of the flags; of a worker of a Cluster, its share."""
  is_worker = cluster and cluster.task.job == cluster_lib.WORKER
  share = shards.Share(cluster.task.index, cluster.num_workers) if is_worker else shards.Share()
  return common.dataset_for_training(
      FLAGS.train_batch_size, crop_size, num_readers=2, image_dtype=tf.uint8, share=share,
      num_done=0 if FLAGS.data_seed is None else num_records_done(share.count))


def num_records_done(num_workers):
  """Returns how many records of a worker the checkpoint of train_logdir has been trained on.

  With --nosync it is the mean over the workers: a step is that of any of them.
  """
  newest = folder.newest_to_continue(FLAGS.train_logdir)
  step = restoring.global_step(newest) if newest else 0
  num_batches = step if FLAGS.sync else step // num_workers
  return num_batches * FLAGS.train_batch_size * FLAGS.gradient_accumulation_steps


def check_worker():
  """Stops on flags that a worker of a cluster cannot serve."""
  common.refuse_flags({
      'gradient_accumulation_steps': (1, 'workers add up their gradients already')})
  if graph_rewrites.PRECISIONS[FLAGS.precision].scales_loss:
    raise UsageError('--precision=%s is for a single worker: each would scale its loss by '
                     'itself. Use --precision=float32.' % FLAGS.precision)


def evaluation(model_options):
  """Returns the function of --eval_during_training, see `checkpoints.evaluation_of_training`."""
  return checkpoints.evaluation_of_training(
      common.dataset_of_split(FLAGS.eval_split, batch_size=1, crop_size=None), model_options,
      FLAGS.image_pyramid, FLAGS.train_logdir)


def options_of_run(dataset):
  """Returns the TrainOptions of the flags, for a data_generator.Dataset."""
  info = dataset_info.read(FLAGS.dataset_dir)
  split = info.splits.get(FLAGS.train_split) if info else None
  label_weights = losses.parse_label_weights(
      FLAGS.label_weights, dataset.num_of_classes, split)
  if label_weights:
    logging.info('Weights of the classes in the loss: %s.',
                 ', '.join('%.3g' % weight for weight in label_weights))
  return TrainOptions(**common.values_of(TrainOptions))._replace(label_weights=label_weights)


if __name__ == '__main__':
  common.run(main, required_flags=['train_logdir', 'dataset_dir'])
