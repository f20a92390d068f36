"""The public names of the training pieces."""
from deeplab.utils.gradients import get_model_gradient_multipliers
from deeplab.utils.learning_rate import get_model_learning_rate
from deeplab.utils.losses import add_softmax_cross_entropy_loss_for_each_scale

__all__ = [
    'add_softmax_cross_entropy_loss_for_each_scale',
    'get_model_gradient_multipliers',
    'get_model_learning_rate',
]
