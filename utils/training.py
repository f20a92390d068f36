"""The training graph and the loop around it.

    samples -> logits per scale -> losses + L2 -> gradients -> train_op -> checkpoint
"""
import os
import typing

from absl import logging

from deeplab import model
from deeplab.core import checkpoints, keys, registry
from deeplab.core.tf_compat import tf
from deeplab.datasets.record_check import readable_input_errors
from deeplab.utils import (
    gradients,
    learning_rate,
    losses,
    optimizers,
    train_hooks,
    train_summaries,
)

_CHECKPOINTS_KEPT = 5


class TrainOptions(typing.NamedTuple):
  """Everything that shapes a training run beside the model and the data.

  Attributes:
    train_logdir: folder of checkpoints and summaries.
    training_number_of_steps: global step to stop at.
    train_batch_size: images per step.
    image_pyramid: list of input scales, or None for [1.0].
    weight_decay: L2 factor of the weights.
    fine_tune_batch_norm: whether batch norm learns; frozen otherwise.
    upsample_logits: see `losses.add_softmax_cross_entropy_loss_for_each_scale`.
    hard_example_mining_step: likewise.
    top_k_percent_pixels: likewise.
    drop_path_keep_prob: share of NAS paths kept at the last step and cell.
    learning_policy: see `learning_rate.get_model_learning_rate`, also for the next six.
    base_learning_rate: learning rate at step 0 (momentum).
    learning_rate_decay_factor: factor per decay of 'step'.
    learning_rate_decay_step: steps per decay of 'step'.
    learning_power: power of 'poly'.
    slow_start_step: number of slow first steps.
    slow_start_learning_rate: learning rate of the slow start.
    optimizer: key of `optimizers.OPTIMIZERS`.
    momentum: of the momentum optimizer.
    adam_learning_rate: learning rate at step 0 (adam).
    adam_epsilon: of Adam.
    last_layer_gradient_multiplier: factor on the gradients of the last layers.
    last_layers_contain_logits_only: whether only the logits count as last layers.
    log_steps: steps between two lines of the log.
    save_interval_secs: seconds between two checkpoints.
    save_summaries_secs: seconds between two summaries.
    save_summaries_images: whether summaries hold pictures.
    profile_logdir: folder for timelines of single steps, or None.
  """
  train_logdir: str
  training_number_of_steps: int = 30000
  train_batch_size: int = 8
  image_pyramid: typing.Optional[typing.Sequence[float]] = None
  weight_decay: float = 0.00004
  fine_tune_batch_norm: bool = True
  upsample_logits: bool = True
  hard_example_mining_step: int = 0
  top_k_percent_pixels: float = 1.0
  drop_path_keep_prob: float = 1.0
  learning_policy: str = 'poly'
  base_learning_rate: float = 0.0001
  learning_rate_decay_factor: float = 0.1
  learning_rate_decay_step: int = 2000
  learning_power: float = 0.9
  slow_start_step: int = 0
  slow_start_learning_rate: float = 0.0001
  optimizer: str = 'momentum'
  momentum: float = 0.9
  adam_learning_rate: float = 0.001
  adam_epsilon: float = 1e-8
  last_layer_gradient_multiplier: float = 1.0
  last_layers_contain_logits_only: bool = False
  log_steps: int = 10
  save_interval_secs: int = 1200
  save_summaries_secs: int = 600
  save_summaries_images: bool = False
  profile_logdir: typing.Optional[str] = None


class TrainGraph(typing.NamedTuple):
  """Tensors of a training step.

  Attributes:
    train_op: updates the weights and returns the loss they had before.
    learning_rate: of the step.
    steps_done: global step after the update.
  """
  train_op: tf.Tensor
  learning_rate: tf.Tensor
  steps_done: tf.Tensor


def build_train_graph(samples, dataset, model_options, options):
  """Adds losses, the optimizer and summaries to the default graph.

  Args:
    samples: dict of a batch: image float32 [B, h, w, 3] in 0..255, label int32
      [B, h, w, 1].
    dataset: DatasetDescriptor.
    model_options: ModelOptions.
    options: TrainOptions.

  Returns:
    TrainGraph.
  """
  global_step = tf.train.get_or_create_global_step()
  total_loss = _total_loss(samples, dataset, model_options, options)
  optimizer_row = registry.lookup(optimizers.OPTIMIZERS, options.optimizer, what='optimizer')
  rate = learning_rate.get_model_learning_rate(
      options.learning_policy, getattr(options, optimizer_row.learning_rate_option),
      options.learning_rate_decay_step, options.learning_rate_decay_factor,
      options.training_number_of_steps, options.learning_power, options.slow_start_step,
      options.slow_start_learning_rate)
  optimizer = optimizer_row.make(rate, options)
  grads_and_vars = gradients.multiply_gradients(
      optimizer.compute_gradients(total_loss),
      gradients.get_model_gradient_multipliers(
          model.get_extra_layer_scopes(options.last_layers_contain_logits_only),
          options.last_layer_gradient_multiplier))

  # A step whose loss is not finite must not reach the weights: the check runs first.
  finite_loss = tf.check_numerics(total_loss, train_hooks.NOT_FINITE)
  with tf.control_dependencies([finite_loss]):
    update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    apply_op = optimizer.apply_gradients(grads_and_vars, global_step=global_step)
  with tf.control_dependencies([apply_op] + update_ops):
    train_op = tf.identity(finite_loss, name='train_op')
  with tf.control_dependencies([train_op]):
    steps_done = tf.identity(global_step, name='steps_done')

  tf.summary.scalar('learning_rate', rate)
  train_summaries.add_loss_summaries(total_loss)
  train_summaries.add_variable_histograms()
  return TrainGraph(train_op, rate, steps_done)


def _total_loss(samples, dataset, model_options, options):
  """Returns the sum of all cross entropies and the L2 terms."""
  images = tf.identity(samples[keys.IMAGE], name=keys.IMAGE)
  labels = tf.identity(samples[keys.LABEL], name=keys.LABEL)
  outputs_to_scales_to_logits = model.multi_scale_logits(
      images, model_options, image_pyramid=options.image_pyramid,
      weight_decay=options.weight_decay, is_training=True,
      fine_tune_batch_norm=options.fine_tune_batch_norm,
      nas_training_hyper_parameters={
          'drop_path_keep_prob': options.drop_path_keep_prob,
          'total_training_steps': options.training_number_of_steps,
      })
  for output, num_classes in sorted(model_options.outputs_to_num_classes.items()):
    losses.add_softmax_cross_entropy_loss_for_each_scale(
        outputs_to_scales_to_logits[output], labels, num_classes, dataset.ignore_label,
        upsample_logits=options.upsample_logits,
        hard_example_mining_step=options.hard_example_mining_step,
        top_k_percent_pixels=options.top_k_percent_pixels, scope=output)
  logits = outputs_to_scales_to_logits[keys.OUTPUT_TYPE][model.MERGED_LOGITS_SCOPE]
  logits = tf.identity(logits, name=keys.OUTPUT_TYPE)
  if options.save_summaries_images:
    train_summaries.add_image_summaries(images, labels, logits, dataset)
  return tf.add_n(tf.losses.get_losses() + tf.losses.get_regularization_losses(),
                  name='total_loss')


def train(dataset, samples_fn, files, model_options, options):
  """Trains from the newest checkpoint of `train_logdir`, or from scratch.

  Args:
    dataset: DatasetDescriptor.
    samples_fn: function that adds the input pipeline to the default graph and returns the
      samples of a batch.
    files: the shards that are read, to name a bad record in.
    model_options: ModelOptions.
    options: TrainOptions.

  Returns:
    Path of the newest checkpoint.

  Raises:
    ValueError: the checkpoint is of another model, a record is bad, or the loss is not
      finite.
  """
  newest = checkpoints.resolve_checkpoint(options.train_logdir)
  with tf.Graph().as_default():
    graph = build_train_graph(samples_fn(), dataset, model_options, options)
    if newest:
      checkpoints.check_restorable(newest, tf.global_variables())
      start = checkpoints.global_step(newest)
      logging.info('Continuing at %s.', newest)
      if start >= options.training_number_of_steps:
        logging.info('Nothing to do: step %d of %d is reached already.', start,
                     options.training_number_of_steps)
        return newest
    tf.gfile.MakeDirs(options.train_logdir)
    with train_hooks.readable_loss_errors(options), readable_input_errors(files, dataset), \
         _session(graph, options) as session:
      while not session.should_stop():
        session.run(graph.train_op)
  return checkpoints.resolve_checkpoint(options.train_logdir)


def _session(graph, options):
  saver = tf.train.Saver(max_to_keep=_CHECKPOINTS_KEPT)
  hooks = [
      tf.train.StopAtStepHook(last_step=options.training_number_of_steps),
      train_hooks.ProgressHook(graph, options),
  ]
  if options.profile_logdir:
    tf.gfile.MakeDirs(options.profile_logdir)
    hooks.append(tf.train.ProfilerHook(
        save_secs=options.save_summaries_secs,
        output_dir=os.path.join(options.profile_logdir, '')))
  return tf.train.MonitoredTrainingSession(
      checkpoint_dir=options.train_logdir,
      scaffold=tf.train.Scaffold(saver=saver),
      hooks=hooks,
      config=tf.ConfigProto(allow_soft_placement=True),
      save_checkpoint_secs=options.save_interval_secs,
      save_summaries_secs=options.save_summaries_secs,
      log_step_count_steps=None,
      save_checkpoint_steps=None)
