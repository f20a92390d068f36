"""Training steps and parts of them, timed in this process.

The functions of speed are run by `child.measure`, each in a process of its own: their
arguments and results are what JSON can hold.
"""
import time

import numpy as np

from deeplab.core import keys, options, tf_compat
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry as dataset_registry
from deeplab.tools.benchmarks import input_pipeline
from deeplab.utils.speed_and_memory import graph_rewrites
from deeplab.utils.training import graph as train_graph
from deeplab.utils.training import losses, memory_errors
from deeplab.utils.training import options as train_options

NUM_CLASSES = 21
LEAST_STEPS, LEAST_SECS = 4, 6.0
_IGNORE_LABEL = 255
_DATASET = 'pascal_voc_seg'
_WARM_UP_STEPS = 2
# Of the process beside tensors: libraries and threads, and what every operation of a graph takes:
# with TensorFlow 2, with 1.15.
_LIBRARY_BYTES = (600 << 20, 240 << 20)
_OPERATION_BYTES = (64 << 10, 28 << 10)


def step_speed(variant, batch_size, crop, model=None, training=None, records=None,
               num_steps=None):
  """Returns 'step_secs' and 'images_per_sec' of training steps.

  And 'estimated_memory_mib', what the peak of memory is by `memory_errors.step_bytes`.

  Args:
    variant: key of BACKBONES.
    batch_size: images of a step.
    crop: side of the square images in pixels.
    model: dict of fields of ModelOptions, or None.
    training: dict of fields of TrainOptions, or None.
    records: folder of records to read with augmentation, or None for a constant batch.
    num_steps: number of steps that count, or None for as many as a good figure of speed needs.
  """
  run_options = train_options.TrainOptions(train_logdir='', **training or {})
  graph_rewrites.check(run_options)
  least = {'least_steps': num_steps, 'least_secs': 0.0} if num_steps else {}
  with tf.Graph().as_default() as graph:
    samples = (_read_samples(records, variant, batch_size, crop) if records else
               constant_samples(batch_size, crop))
    train_op = make_train_op(samples, variant, crop, model, run_options)
    estimated = (memory_errors.step_bytes(graph, run_options.precision)
                 + _LIBRARY_BYTES[tf_compat.IS_TF1]
                 + _OPERATION_BYTES[tf_compat.IS_TF1] * len(graph.get_operations()))
    with tf.Session(config=graph_rewrites.session_config(run_options)) as session:
      session.run(tf.global_variables_initializer())
      secs, = median_secs([lambda: session.run(train_op)], **least)
  return {'step_secs': secs, 'images_per_sec': batch_size / secs,
          'estimated_memory_mib': estimated / 2. ** 20}


def loss_secs(variant, batch_size, crop, model=None):
  """Returns 'loss_secs', those of the loss and its gradient alone, and 'step_secs', in turns.

  Args:
    variant: key of BACKBONES.
    batch_size: images of a step.
    crop: side of the square images in pixels.
    model: dict of fields of ModelOptions, or None.
  """
  run_options = train_options.TrainOptions(train_logdir='')
  with tf.Graph().as_default() as graph:
    samples = constant_samples(batch_size, crop)
    train_op = make_train_op(samples, variant, crop, model, run_options)
    shape = graph.get_tensor_by_name(keys.OUTPUT_TYPE + ':0').shape
    # Not constant: TensorFlow would compute the loss before the first step.
    logits = tf.get_variable('logits_alone', shape)
    losses.add_softmax_cross_entropy_loss_for_each_scale(
        {'alone': logits}, samples[keys.LABEL], NUM_CLASSES, _IGNORE_LABEL)
    loss = tf.losses.get_losses()[-1]
    gradient, = tf.gradients(loss, [logits])
    with tf.Session(config=graph_rewrites.session_config(run_options)) as session:
      session.run(tf.global_variables_initializer())
      loss_alone, step = median_secs([lambda: session.run([loss, gradient.op]),
                                      lambda: session.run(train_op)])
  return {'loss_secs': loss_alone, 'step_secs': step}


def median_secs(functions, least_steps=LEAST_STEPS, least_secs=LEAST_SECS):
  """Returns the median seconds of calls of each function, called in turns after a warm-up."""
  for _ in range(_WARM_UP_STEPS):
    for function in functions:
      function()
  secs = []
  while len(secs) < least_steps or np.sum(secs) < least_secs:
    secs.append([])
    for function in functions:
      begin = time.time()
      function()
      secs[-1].append(time.time() - begin)
  return [float(value) for value in np.median(secs, axis=0)]


def make_train_op(samples, variant, crop, model, run_options):
  """Adds a training graph; returns its train_op. See `step_speed`; run_options: TrainOptions."""
  model_options = options.ModelOptions(
      {keys.OUTPUT_TYPE: NUM_CLASSES}, crop_size=[crop, crop], model_variant=variant,
      **dict({'output_stride': 16}, **model or {}))
  return train_graph.build_train_graph(
      samples, dataset_registry.DATASETS[_DATASET], model_options, run_options).train_op


def constant_samples(batch_size, crop):
  """Returns a dict of constants, a batch of square images and labels of a crop's side."""
  random = np.random.RandomState(0)
  images = random.randint(0, 256, (batch_size, crop, crop, 3))
  # Regions as those of objects, and pixels that do not count between them.
  coarse = random.randint(0, NUM_CLASSES, (batch_size, crop // 16 + 1, crop // 16 + 1, 1))
  labels = np.kron(coarse, np.ones((1, 16, 16, 1), int))[:, :crop, :crop]
  labels[:, ::16] = _IGNORE_LABEL
  return {keys.IMAGE: tf.constant(images.astype(np.uint8)),
          keys.LABEL: tf.constant(labels.astype(np.int32))}


def _read_samples(records, variant, batch_size, crop):
  dataset = input_pipeline.make_dataset(records, 'forma', batch_size, (crop, crop), variant,
                                        image_dtype=tf.uint8)
  return tf.data.make_one_shot_iterator(dataset.get_dataset()).get_next()
