"""What shapes a training run beside the model and the data."""
import typing


class TrainOptions(typing.NamedTuple):
  """Everything that shapes a training run beside the model and the data.

  Attributes:
    train_logdir: folder of checkpoints and summaries.
    training_number_of_steps: global step to stop at.
    train_batch_size: images per batch.
    image_pyramid: list of input scales, or None for [1.0].
    tf_initial_checkpoint: what the weights start from, see `initial_weights.read_weights`,
      unless train_logdir holds a checkpoint; or None.
    initialize_last_layer: whether the last layers start from it too.
    weight_decay: L2 factor of the weights.
    fine_tune_batch_norm: whether batch norm learns; frozen otherwise.
    upsample_logits: see `losses.add_softmax_cross_entropy_loss_for_each_scale`.
    hard_example_mining_step: likewise.
    top_k_percent_pixels: likewise.
    label_weights: factor on the loss of each class, or None for 1.
    drop_path_keep_prob: share of NAS paths kept at the last step and cell.
    learning_policy: see `learning_rate.get_model_learning_rate`, also for the next nine.
    base_learning_rate: learning rate at step 0 (momentum).
    learning_rate_decay_factor: factor per decay of 'step'.
    learning_rate_decay_step: steps per decay of 'step'.
    learning_power: power of 'poly'.
    decay_steps: step at which 'poly' ends; 0: training_number_of_steps.
    end_learning_rate: learning rate that 'poly' ends at.
    slow_start_step: number of slow first steps.
    slow_start_learning_rate: learning rate of the slow start.
    slow_start_burnin_type: 'none' or 'linear'.
    optimizer: key of `learning_rate.OPTIMIZERS`.
    momentum: of the momentum optimizer.
    adam_learning_rate: learning rate at step 0 (adam).
    adam_epsilon: of Adam.
    last_layer_gradient_multiplier: factor on the gradients of the last layers.
    last_layers_contain_logits_only: whether only the logits count as last layers.
    clip_gradient_norm: largest norm of all gradients together; 0: any.
    gradient_accumulation_steps: batches whose mean gradient makes a step.
    precision: key of `graph_rewrites.PRECISIONS`.
    xla: whether XLA compiles the graph.
    gradient_checkpointing: whether activations inside of blocks are computed again for the
      gradients instead of kept.
    log_steps: steps between two lines of the log.
    save_interval_secs: seconds between two checkpoints.
    keep_checkpoint_max: number of newest checkpoints that are kept; 0: all.
    save_summaries_secs: seconds between two summaries.
    save_summaries_images: whether summaries hold pictures.
    profile_logdir: folder for a trace of some steps, or None.
  """
  train_logdir: str
  training_number_of_steps: int = 30000
  train_batch_size: int = 8
  image_pyramid: typing.Optional[typing.Sequence[float]] = None
  tf_initial_checkpoint: typing.Optional[str] = None
  initialize_last_layer: bool = True
  weight_decay: float = 0.00004
  fine_tune_batch_norm: bool = True
  upsample_logits: bool = True
  hard_example_mining_step: int = 0
  top_k_percent_pixels: float = 1.0
  label_weights: typing.Optional[typing.Sequence[float]] = None
  drop_path_keep_prob: float = 1.0
  learning_policy: str = 'poly'
  base_learning_rate: float = 0.0001
  learning_rate_decay_factor: float = 0.1
  learning_rate_decay_step: int = 2000
  learning_power: float = 0.9
  decay_steps: int = 0
  end_learning_rate: float = 0.0
  slow_start_step: int = 0
  slow_start_learning_rate: float = 0.0001
  slow_start_burnin_type: str = 'none'
  optimizer: str = 'momentum'
  momentum: float = 0.9
  adam_learning_rate: float = 0.001
  adam_epsilon: float = 1e-8
  last_layer_gradient_multiplier: float = 1.0
  last_layers_contain_logits_only: bool = False
  clip_gradient_norm: float = 0.0
  gradient_accumulation_steps: int = 1
  precision: str = 'float32'
  xla: bool = False
  gradient_checkpointing: bool = False
  log_steps: int = 10
  save_interval_secs: int = 1200
  keep_checkpoint_max: int = 5
  save_summaries_secs: int = 600
  save_summaries_images: bool = False
  profile_logdir: typing.Optional[str] = None
