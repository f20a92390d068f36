"""The training graph.

    samples -> logits per scale -> losses + L2 -> gradients -> train_op
"""
from __future__ import annotations

import typing

from deeplab import model
from deeplab.core import keys, usage
from deeplab.core.tf_compat import tf
from deeplab.utils.speed_and_memory import graph_rewrites, memory, recomputation
from deeplab.utils.training import losses, optimizing, summaries


class TrainGraph(typing.NamedTuple):
  """Tensors of a training step."""
  train_op: tf.Tensor  # Updates the weights and returns the loss they had before.
  learning_rate: tf.Tensor  # Of the step.
  gradient_norm: tf.Tensor  # Of all gradients of a batch together, before clipping.
  # Global step after the run; several runs make a step if gradients accumulate.
  steps_done: tf.Tensor
  # List of the tf.Variables of the network, those of the optimizer apart.
  model_variables: typing.List[tf.Variable]
  parts: typing.Dict[str, tf.Tensor]  # Dict, name -> scalar, the terms that the loss is the sum of.


def build_train_graph(samples, dataset, model_options, options, clones=None, replica=None):
  """Adds losses, the optimizer and summaries to the default graph; returns the TrainGraph.

  Args:
    samples: dict of a batch: image float32 or uint8 [B, h, w, 3] in 0..255, label int32
      [B, h, w, 1].
    dataset, model_options, options: DatasetDescriptor, ModelOptions, TrainOptions.
    clones: `model_deploy.SplitBatch` of several clones, or None for one model.
    replica: `replica.Replica` of one of several processes, or None.
  """
  global_step = tf.train.get_or_create_global_step()
  rate, optimizer = _make_optimizer(options)
  total_loss, grads_and_vars, scope = _add_model_and_gradients(
      samples, dataset, model_options, options, clones, optimizer)
  model_variables = [v for v in tf.global_variables() if v is not global_step]
  grads_and_vars = optimizing.multiply_gradients(
      grads_and_vars,
      optimizing.get_model_gradient_multipliers(
          model.get_extra_layer_scopes(options.last_layers_contain_logits_only,
                                       model_options.decoder_output_is_logits),
          options.last_layer_gradient_multiplier))
  norm = tf.global_norm([gradient for gradient, _ in grads_and_vars])

  # A step whose loss is not finite must not reach the weights: the check runs first. Where the
  # loss is scaled, gradients that overflow are expected, and the optimizer leaves them out.
  scales_loss = graph_rewrites.PRECISIONS[options.precision].scales_loss
  finite_loss = losses.check_finite(total_loss, samples.get(keys.IMAGE_NAME),
                                    None if scales_loss else norm)
  with tf.control_dependencies([finite_loss]):
    updates = _update_weights(optimizer, grads_and_vars, options, scope, replica)
  with tf.control_dependencies(updates):
    train_op = tf.identity(finite_loss, name='train_op')
  # Where the variable is: another machine would be sent its value at the beginning of the run.
  with tf.control_dependencies([train_op]), tf.device(global_step.device):
    steps_done = tf.identity(global_step, name='steps_done')

  tf.summary.scalar('learning_rate', rate)
  with tf.control_dependencies([finite_loss]):
    # Histograms of values that are not finite would fail first, with a worse message.
    summaries.add_gradient_summaries(norm, grads_and_vars)
    summaries.add_variable_histograms()
  parts = summaries.loss_parts(scope)
  summaries.add_loss_summaries(total_loss, parts)
  return TrainGraph(train_op, rate, norm, steps_done, model_variables, parts)


def _make_optimizer(options):
  """Returns (learning rate, tf.train.Optimizer) of the TrainOptions."""
  row = usage.lookup(optimizing.OPTIMIZERS, options.optimizer, what='optimizer')
  rate = optimizing.rate_at_step(getattr(options, row.learning_rate_option), options)
  return rate, graph_rewrites.scaled_optimizer(row.make(rate, options), options.precision)


def _add_model_and_gradients(samples, dataset, model_options, options, clones, optimizer):
  """Adds the network and its losses; returns loss and (gradient, variable)s, and a name scope.

  That is of what is said of one clone, the first; None: there are no clones.
  """
  graph = tf.get_default_graph()
  images, num_forward = [], 0

  def add_losses(part, clone_index=0):
    nonlocal num_forward
    images.append(_add_losses(part, dataset, model_options, options,
                              with_summaries=clone_index == 0))
    num_forward = len(graph.get_operations())

  optimize = clones.optimize if clones else _optimize_one
  total_loss, grads_and_vars, scope = optimize(samples, add_losses, optimizer)
  operations = graph.get_operations()
  forward, backward = operations[:num_forward], operations[num_forward:]
  recomputation.LEVELS[memory.recomputation_level(graph, options)](images, forward, backward)
  # After that: operations that are cheap to begin with would have the copies run too early.
  replaced = graph_rewrites.use_matrix_products(backward)
  return total_loss, [
      (gradient if gradient is None else replaced.get(gradient.name, gradient), variable)
      for gradient, variable in grads_and_vars], scope


def _update_weights(optimizer, grads_and_vars, options, scope, replica):
  """Returns the operations that move weights and the averages of batch norm by a step."""

  def update(mean_grads_and_vars):
    return optimizer.apply_gradients(
        optimizing.clip_gradients(mean_grads_and_vars, options.clip_gradient_norm),
        global_step=tf.train.get_global_step())

  # Moving averages follow the batches of one process, as they follow those of one clone.
  averages = tf.get_collection(tf.GraphKeys.UPDATE_OPS, scope) if (
      replica is None or replica.is_chief) else []
  return [optimizing.apply_every(
      options.gradient_accumulation_steps, grads_and_vars,
      replica.aggregated(update) if replica else update)] + averages


def _optimize_one(samples, add_losses, optimizer):
  """Returns (total loss, gradients and variables, name scope) of one model."""
  add_losses(samples)
  total_loss = tf.add_n(tf.losses.get_losses() + tf.losses.get_regularization_losses(),
                        name='total_loss')
  return total_loss, optimizer.compute_gradients(total_loss), None


def _add_losses(samples, dataset, model_options, options, with_summaries):
  """Adds the network and its losses to the default graph; returns the images."""
  # Bytes until here: a quarter of the traffic to the device of the model.
  images = tf.identity(tf.cast(samples[keys.IMAGE], tf.float32), name=keys.IMAGE)
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
    for add_losses in losses.LOSSES.values():
      add_losses(outputs_to_scales_to_logits[output], labels, (num_classes, dataset.ignore_label),
                 options, output)
  logits = outputs_to_scales_to_logits[keys.OUTPUT_TYPE][model.MERGED_LOGITS_SCOPE]
  logits = tf.identity(logits, name=keys.OUTPUT_TYPE)
  if options.save_summaries_images and with_summaries:
    summaries.add_image_summaries(images, labels, logits, dataset)
  return images
