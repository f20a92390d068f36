"""What shapes a training run beside the model and the data."""
import typing


class TrainOptions(typing.NamedTuple):
  """Everything that shapes a training run beside the model and the data."""
  train_logdir: str  # Folder of checkpoints and summaries.
  training_number_of_steps: int = 30000  # Global step to stop at.
  train_batch_size: int = 8  # Images per batch.
  # List of input scales, or None for [1.0].
  image_pyramid: typing.Optional[typing.Sequence[float]] = None
  # See `initial_weights.read_weights`; a checkpoint in train_logdir goes before.
  tf_initial_checkpoint: typing.Optional[str] = None
  initialize_last_layer: bool = True  # Whether the last layers start from it too.
  weight_decay: float = 0.00004  # L2 factor of the weights.
  fine_tune_batch_norm: bool = True  # Whether batch norm learns; frozen otherwise.
  upsample_logits: bool = True  # See `losses.add_softmax_cross_entropy_loss_for_each_scale`.
  hard_example_mining_step: int = 0  # Likewise.
  top_k_percent_pixels: float = 1.0  # Likewise.
  # Factor on the loss of each class, or None for 1.
  label_weights: typing.Optional[typing.Sequence[float]] = None
  drop_path_keep_prob: float = 1.0  # Share of NAS paths kept at the last step and cell.
  learning_policy: str = 'poly'  # See `optimizing.get_model_learning_rate`, also for the next nine.
  base_learning_rate: float = 0.0001  # Learning rate at step 0 (momentum).
  learning_rate_decay_factor: float = 0.1  # Factor per decay of 'step'.
  learning_rate_decay_step: int = 2000  # Steps per decay of 'step'.
  learning_power: float = 0.9  # Power of 'poly'.
  decay_steps: int = 0  # Step at which 'poly' ends; 0: training_number_of_steps.
  end_learning_rate: float = 0.0  # Learning rate that 'poly' ends at.
  slow_start_step: int = 0  # Number of slow first steps.
  slow_start_learning_rate: float = 0.0001  # Learning rate of the slow start.
  slow_start_burnin_type: str = 'none'  # 'none' or 'linear'.
  optimizer: str = 'momentum'  # Key of `optimizing.OPTIMIZERS`.
  momentum: float = 0.9  # Of the momentum optimizer.
  adam_learning_rate: float = 0.001  # Learning rate at step 0 (adam).
  adam_epsilon: float = 1e-8  # Of Adam.
  last_layer_gradient_multiplier: float = 1.0  # Factor on the gradients of the last layers.
  last_layers_contain_logits_only: bool = False  # Whether only the logits count as last layers.
  clip_gradient_norm: float = 0.0  # Largest norm of all gradients together; 0: any.
  gradient_accumulation_steps: int = 1  # Batches whose mean gradient makes a step.
  precision: str = 'float32'  # Key of `graph_rewrites.PRECISIONS`.
  xla: bool = False  # Whether XLA compiles the graph.
  # Whether activations are computed again for the gradients instead of kept.
  gradient_checkpointing: bool = False
  log_steps: int = 10  # Steps between two lines of the log.
  save_interval_secs: int = 1200  # Seconds between two checkpoints.
  keep_checkpoint_max: int = 5  # Number of newest checkpoints that are kept; 0: all.
  save_summaries_secs: int = 600  # Seconds between two summaries.
  save_summaries_images: bool = False  # Whether summaries hold pictures.
  profile_logdir: typing.Optional[str] = None  # Folder for a trace of some steps, or None.
