"""The settings of a training run beside the model and the data: one row each."""
from deeplab.core import options, settings
from deeplab.core.settings import FLOATS, INTS, LIST, NO_FLAG, Setting
from deeplab.utils.speed_and_memory import graph_rewrites, recomputation
from deeplab.utils.training import optimizing

LOGS, SPEED_AND_MEMORY = 'logs', 'speed and memory'
OPTIMISATION = options.OPTIMISATION

TRAIN_CROP_SIZE = Setting(
    options.CROP_SIZE, 'Crop height,width in pixels, 1 or more, best k * output_stride + 1; larger '
    'is slower and takes more memory.', LIST, group=OPTIMISATION)


def _words_of(table):
  return '; '.join('%s %s' % (name, row.text) for name, row in table.items())


@settings.record
class TrainOptions(object):
  """Everything that shapes a training run beside the model and the data.

  `label_weights` are numbers here, see `losses.parse_label_weights`, or None.
  """
  train_logdir = Setting(
      None, 'Folder of checkpoints and summaries; training continues at the newest checkpoint in '
      'it. Required.', str, group=LOGS)
  log_steps = Setting(10, 'Steps between two lines of the log.', at_least=1)
  save_interval_secs = Setting(1200, 'Seconds between two checkpoints.', at_least=1)
  keep_checkpoint_max = Setting(5, 'Newest checkpoints that are kept; 0: all.', at_least=0)
  save_summaries_secs = Setting(600, 'Seconds between two summaries.', at_least=1)
  save_summaries_images = Setting(
      False, 'Adds pictures of input, label and prediction to the summaries.')
  profile_logdir = Setting(
      None, 'Folder for a trace of five steps, the sixth of this start and those after it, for the '
      'profiler of TensorBoard. Default: no trace.', str)

  learning_policy = Setting(
      'poly', 'Schedule of the learning rate: %s.' % _words_of(optimizing.LEARNING_POLICIES),
      choices=optimizing.LEARNING_POLICIES, group=OPTIMISATION)
  base_learning_rate = Setting(
      .0001, 'Learning rate at step 0 with optimizer momentum.', at_least=0)
  learning_rate_decay_factor = Setting(
      0.1, 'Factor on the learning rate after learning_rate_decay_step steps of policy step.',
      at_least=0, at_most=1)
  learning_rate_decay_step = Setting(
      2000, 'Steps in which policy step lowers the learning rate to learning_rate_decay_factor of '
      'what it was.', at_least=1)
  learning_power = Setting(0.9, 'Power, over 0, of policy poly; 1: linear.', is_over_zero=True)
  training_number_of_steps = Setting(30000, 'Global step to stop at.', at_least=1)
  optimizer = Setting(
      'momentum', 'Optimizer: %s.' % _words_of(optimizing.OPTIMIZERS),
      choices=optimizing.OPTIMIZERS)
  momentum = Setting(0.9, 'Momentum, 0..1.', at_least=0, at_most=1)
  adam_learning_rate = Setting(
      0.001, 'Learning rate at step 0 with optimizer adam; the policy applies.', at_least=0)
  adam_epsilon = Setting(
      1e-8, 'Epsilon of Adam; larger: smaller steps where gradients are small.', at_least=0)
  train_batch_size = Setting(
      8, 'Images per batch over all clones; 12 or more to train batch norm well.', at_least=1)
  weight_decay = Setting(
      0.00004, 'L2 factor of the weights: 0.00004 for MobileNetV2 and Xception, 0.0001 for ResNet.',
      at_least=0)
  last_layer_gradient_multiplier = Setting(
      1.0, 'Factor, over 0, on the gradients of the layers after the backbone.', is_over_zero=True)
  upsample_logits = Setting(
      True, 'Compares logits resized to the labels; off: labels resized to the logits, faster, and '
      'thin parts are lost.')
  drop_path_keep_prob = Setting(
      1.0, 'Share of paths kept at the last cell and step (NAS), 0..1.', at_least=0, at_most=1)
  decay_steps = Setting(
      0, 'Global step at which policy poly ends; 0: training_number_of_steps.', at_least=0)
  end_learning_rate = Setting(0.0, 'Learning rate that policy poly ends at.', at_least=0)
  boundaries = Setting(
      None, 'Step at which policy multi_steps goes on to the next of boundary_learning_rates, '
      'counted from the end of the slow start. Default: none.', INTS, at_least=1)
  boundary_learning_rates = Setting(
      None, 'Learning rate of policy multi_steps, up to a boundary or behind the last one. '
      'Default: none.', FLOATS, at_least=0)
  slow_start_burnin_type = Setting(
      'none', 'none: slow_start_learning_rate for slow_start_step steps; linear: rises from it to '
      'the base learning rate, and the policy starts after it.',
      choices=optimizing.BURNIN_TYPES)
  clip_gradient_norm = Setting(
      0.0, 'Largest L2 norm of all gradients together; 0: any.', at_least=0)
  slow_start_step = Setting(0, 'First steps with slow_start_learning_rate.', at_least=0)
  slow_start_learning_rate = Setting(.0001, 'Learning rate of the slow start.', at_least=0)
  hard_example_mining_step = Setting(
      0, 'Steps over which the share of mined pixels falls from all to top_k_percent_pixels; 0: at '
      'once.', at_least=0)
  top_k_percent_pixels = Setting(
      1.0, 'Share, over 0 up to 1, of the hardest pixels that make the loss.', at_least=0,
      at_most=1)

  gradient_accumulation_steps = Setting(
      1, 'Batches whose mean gradient makes one step: the effect of a batch so many times as '
      'large, batch norm apart.', at_least=1, group=SPEED_AND_MEMORY)
  precision = Setting(
      'float32', 'Of convolutions: bfloat16 on processors that have it, float16 on GPUs with '
      'tensor cores. Weights and checkpoints are float32.', choices=graph_rewrites.PRECISIONS)
  xla = Setting(False, 'Has XLA compile the graph; the first step takes longer.')
  recompute = Setting(
      recomputation.AUTO, 'What gradients compute a second time instead of keeping it, for memory: '
      'nothing; batch_norm, with activations, at about a tenth of the speed; all inside of blocks. '
      'auto: nothing where a step fits into the memory by estimate, else batch_norm.',
      choices=(recomputation.AUTO,) + tuple(recomputation.LEVELS))
  gradient_checkpointing = Setting(False, 'The same as recompute=all.')

  tf_initial_checkpoint = Setting(
      None, 'What the weights start from, unless train_logdir holds a checkpoint: a folder of '
      'checkpoints, a prefix such as run/model.ckpt-1000, or a frozen graph (.pb). Default: random '
      'weights.', str, group=options.FINE_TUNING)
  initialize_last_layer = Setting(True, 'Takes the last layers from tf_initial_checkpoint too.')
  last_layers_contain_logits_only = Setting(False, 'Counts only the logits as last layers.')
  fine_tune_batch_norm = Setting(
      True, 'Trains batch norm on the batches; off: frozen, for small batches.')

  image_pyramid = options.IMAGE_PYRAMID
  label_weights = Setting(None, group=NO_FLAG)
