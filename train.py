"""Trains a DeepLab model on TFRecords; see --help.

    python train.py --train_logdir=RUN/train --dataset_dir=RECORDS --dataset=NAME
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import contextlib

from absl import flags, logging

from deeplab import common
from deeplab.core import quantization, tf_compat
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
from deeplab.utils.training import loop, losses, optimizing
from deeplab.utils.training import options as train_options

FLAGS = flags.FLAGS

common.begin_flag_group('logs')
flags.DEFINE_string('train_logdir', None,
                    'Folder of checkpoints and summaries; training continues at the newest '
                    'checkpoint in it. Required.')
flags.DEFINE_integer('log_steps', 10, 'Steps between two lines of the log.', lower_bound=1)
flags.DEFINE_integer('save_interval_secs', 1200, 'Seconds between two checkpoints.',
                     lower_bound=1)
flags.DEFINE_integer('keep_checkpoint_max', 5, 'Newest checkpoints that are kept; 0: all.',
                     lower_bound=0)
flags.DEFINE_boolean('eval_during_training', False,
                     'Evaluates every checkpoint as it is saved: scores in the folder eval of '
                     'train_logdir, the checkpoint of the highest mean IoU in its folder best.')
flags.DEFINE_string('eval_split', 'val', 'Split that --eval_during_training evaluates on.')
flags.DEFINE_integer('save_summaries_secs', 600, 'Seconds between two summaries.',
                     lower_bound=1)
flags.DEFINE_boolean('save_summaries_images', False,
                     'Adds pictures of input, label and prediction to the summaries.')
flags.DEFINE_string('profile_logdir', None,
                    'Folder for a trace of five steps, the sixth of this start and those after '
                    'it, for the profiler of TensorBoard. Default: no trace.')

common.begin_flag_group('optimisation')
flags.DEFINE_enum('learning_policy', 'poly', ['poly', 'step'],
                  'Schedule of the learning rate: poly falls to end_learning_rate at the last '
                  'step; step falls by learning_rate_decay_factor per learning_rate_decay_step '
                  'steps, smoothly.')
flags.DEFINE_float('base_learning_rate', .0001, 'Learning rate at step 0 with optimizer momentum.',
                   lower_bound=0)
flags.DEFINE_float('learning_rate_decay_factor', 0.1,
                   'Factor on the learning rate after learning_rate_decay_step steps of '
                   'policy step.', lower_bound=0, upper_bound=1)
flags.DEFINE_integer('learning_rate_decay_step', 2000,
                     'Steps in which policy step lowers the learning rate to '
                     'learning_rate_decay_factor of what it was.', lower_bound=1)
flags.DEFINE_float('learning_power', 0.9, 'Power, over 0, of policy poly; 1: linear.')
common.require_over_zero('learning_power')
flags.DEFINE_integer('training_number_of_steps', 30000, 'Global step to stop at.',
                     lower_bound=1)
flags.DEFINE_enum('optimizer', 'momentum', sorted(optimizing.OPTIMIZERS),
                  'momentum as in the DeepLab papers, or adam, faster in short runs from '
                  'scratch.')
flags.DEFINE_float('momentum', 0.9, 'Momentum, 0..1.', lower_bound=0, upper_bound=1)
flags.DEFINE_float('adam_learning_rate', 0.001,
                   'Learning rate at step 0 with optimizer adam; the policy applies.',
                   lower_bound=0)
flags.DEFINE_float('adam_epsilon', 1e-8,
                   'Epsilon of Adam; larger: smaller steps where gradients are small.',
                   lower_bound=0)
flags.DEFINE_integer('train_batch_size', 8,
                     'Images per batch over all clones; 12 or more to train batch norm well.',
                     lower_bound=1)
flags.DEFINE_float('weight_decay', 0.00004,
                   'L2 factor of the weights: 0.00004 for MobileNetV2 and Xception, 0.0001 '
                   'for ResNet.', lower_bound=0)
flags.DEFINE_list('train_crop_size', '513,513',
                  'Crop height,width in pixels, 1 or more, best k * output_stride + 1; larger is '
                  'slower and takes more memory.')
flags.DEFINE_float('last_layer_gradient_multiplier', 1.0,
                   'Factor, over 0, on the gradients of the layers after the backbone.')
common.require_over_zero('last_layer_gradient_multiplier')
flags.DEFINE_boolean('upsample_logits', True,
                     'Compares logits resized to the labels; off: labels resized to the logits, '
                     'faster, and thin parts are lost.')
flags.DEFINE_float('drop_path_keep_prob', 1.0,
                   'Share of paths kept at the last cell and step (NAS), 0..1.',
                   lower_bound=0, upper_bound=1)
flags.DEFINE_integer('decay_steps', 0,
                     'Global step at which policy poly ends; 0: training_number_of_steps.',
                     lower_bound=0)
flags.DEFINE_float('end_learning_rate', 0.0, 'Learning rate that policy poly ends at.',
                   lower_bound=0)
flags.DEFINE_enum('slow_start_burnin_type', 'none', ['none', 'linear'],
                  'none: slow_start_learning_rate for slow_start_step steps; linear: rises '
                  'from it to the base learning rate, and the policy starts after it.')
flags.DEFINE_float('clip_gradient_norm', 0.0,
                   'Largest L2 norm of all gradients together; 0: any.', lower_bound=0)
flags.DEFINE_list('label_weights', None,
                  'Factor, 0 or more, on the loss of each class, one number per class, or auto: '
                  'median frequency / frequency of the class, by the dataset_info.json, within '
                  '0.1 to 10. Default: 1 for all.')
flags.DEFINE_integer('slow_start_step', 0, 'First steps with slow_start_learning_rate.',
                     lower_bound=0)
flags.DEFINE_float('slow_start_learning_rate', .0001, 'Learning rate of the slow start.',
                   lower_bound=0)
flags.DEFINE_integer('hard_example_mining_step', 0,
                     'Steps over which the share of mined pixels falls from all to '
                     'top_k_percent_pixels; 0: at once.', lower_bound=0)
flags.DEFINE_float('top_k_percent_pixels', 1.0,
                   'Share, over 0 up to 1, of the hardest pixels that make the loss.',
                   lower_bound=0, upper_bound=1)

common.begin_flag_group('speed and memory')
flags.DEFINE_integer('gradient_accumulation_steps', 1,
                     'Batches whose mean gradient makes one step: the effect of a batch so many '
                     'times as large, batch norm apart.', lower_bound=1)
flags.DEFINE_enum('precision', 'float32', sorted(graph_rewrites.PRECISIONS),
                  'Of convolutions: bfloat16 on processors that have it, float16 on GPUs with '
                  'tensor cores. Weights and checkpoints are float32.')
flags.DEFINE_boolean('xla', False, 'Has XLA compile the graph; the first step takes longer.')
flags.DEFINE_boolean('gradient_checkpointing', False,
                     'Computes the activations inside of blocks twice instead of keeping them: '
                     'less memory, slower.')

common.begin_flag_group('fine-tuning')
flags.DEFINE_string('tf_initial_checkpoint', None,
                    'What the weights start from, unless train_logdir holds a checkpoint: a '
                    'folder of checkpoints, a prefix such as run/model.ckpt-1000, or a frozen '
                    'graph (.pb). Default: random weights.')
flags.DEFINE_boolean('initialize_last_layer', True,
                     'Takes the last layers from tf_initial_checkpoint too.')
flags.DEFINE_boolean('last_layers_contain_logits_only', False,
                     'Counts only the logits as last layers.')
flags.DEFINE_boolean('fine_tune_batch_norm', True,
                     'Trains batch norm on the batches; off: frozen, for small batches.')

flags.DEFINE_float('batch_norm_decay', None,
                   'Decay of the moving averages of batch norm, 0..1; 0.99 suits runs of a '
                   "thousand steps. Default: each network's own, made for long runs.",
                   lower_bound=0, upper_bound=1)

machine_flags.define_machine_flags()
common.define_augmentation_flags()
common.define_model_flags()
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
  model_options = common.model_options_of_flags(dataset.num_of_classes, crop_size)._replace(
      batch_norm_decay=FLAGS.batch_norm_decay)
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
  options = options_of_run(dataset)
  graph_rewrites.check(options, FLAGS.clone_on_cpu)
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
        model_options, options,
        lambda step: run_record.write(FLAGS.train_logdir, values, FLAGS.dataset_dir, step),
        evaluation(model_options) if FLAGS.eval_during_training else None,
        loop.Placement(clones, '/device:GPU:0' if has_gpu_alone else None, replica,
                       FLAGS.master, lock))
  logging.info('Done: %s. Curves: tensorboard --logdir=%s', checkpoint, FLAGS.train_logdir)


def training_dataset(crop_size, cluster):
  """Returns the data_generator.Dataset of the flags; of a worker of a Cluster, its share."""
  dataset = common.dataset_for_training(
      FLAGS.train_batch_size, crop_size, num_readers=2, should_shuffle=True,
      image_dtype=tf.uint8)
  if cluster and cluster.task.job == cluster_lib.WORKER:
    dataset.share = shards.Share(cluster.task.index, cluster.num_workers)
  if FLAGS.data_seed is not None:
    dataset.num_done = num_records_done(dataset.share.num_workers)
  return dataset


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
      common.dataset_of_split(FLAGS.eval_split, batch_size=1, crop_size=None), FLAGS.eval_split,
      model_options, FLAGS.image_pyramid, FLAGS.train_logdir)


def options_of_run(dataset):
  """Returns the TrainOptions of the flags, for a data_generator.Dataset."""
  info = dataset_info.read(FLAGS.dataset_dir)
  split = info.splits.get(FLAGS.train_split) if info else None
  label_weights = losses.parse_label_weights(
      FLAGS.label_weights, dataset.num_of_classes, split)
  if label_weights:
    logging.info('Weights of the classes in the loss: %s.',
                 ', '.join('%.3g' % weight for weight in label_weights))
  return train_options.TrainOptions(**{
      name: FLAGS[name].value for name in train_options.TrainOptions._fields
  })._replace(label_weights=label_weights)


if __name__ == '__main__':
  common.run(main, required_flags=['train_logdir', 'dataset_dir'])
