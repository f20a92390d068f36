"""Tests of the training graph and loop on a tiny model."""
import os

import numpy as np
import pytest

from deeplab import model
from deeplab.core import options
from deeplab.core.checkpoints import restoring
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.utils.runs import run_lock
from deeplab.utils.training import graph as train_graph
from deeplab.utils.training import loop
from deeplab.utils.training import options as train_options

pytestmark = pytest.mark.usefixtures('shallow_network')

CROP = (33, 33)
NUM_CLASSES = 3
DATASET = registry.DatasetDescriptor({'train': 2}, NUM_CLASSES, 255, colormap='pascal')
MODEL_OPTIONS = options.NetworkOptions(
    {'semantic': NUM_CLASSES}, crop_size=CROP, output_stride=16, decoder_output_stride=[4],
    depth_multiplier=0.1)


def make_samples(fill=None):
  """Returns constant samples: three stripes of three colours."""
  label = np.repeat(np.arange(NUM_CLASSES), CROP[0] // NUM_CLASSES)[:, np.newaxis]
  label = np.tile(label, (2, 1, CROP[1]))[..., np.newaxis].astype(np.int32)
  image = np.concatenate([label * 100.0, 255 - label * 100.0, label * 0 + 90.0], axis=3)
  image += np.random.RandomState(0).uniform(-20, 20, image.shape)
  if fill is not None:
    image[:] = fill
  return {'image': tf.constant(image.astype(np.float32)), 'label': tf.constant(label)}


def make_options(**kwargs):
  return train_options.TrainOptions(
      **dict({'train_logdir': '', 'training_number_of_steps': 60, 'train_batch_size': 2,
              'base_learning_rate': 0.05, 'log_steps': 100}, **kwargs))


def steps(num_steps, options_of_run, model_options=MODEL_OPTIONS, watch=()):
  """Runs steps; returns losses and, per name of `watch`, [before, after] values."""
  with tf.Graph().as_default(), tf.Session() as session:
    tf.set_random_seed(1)
    graph = train_graph.build_train_graph(make_samples(), DATASET, model_options, options_of_run)
    session.run(tf.global_variables_initializer())
    variables = [v for v in tf.global_variables() if v.op.name in watch]
    before = session.run(variables)
    losses = [session.run(graph.train_op) for _ in range(num_steps)]
    return losses, {v.op.name: values for v, values in zip(
        variables, zip(before, session.run(variables)))}


def test_sixty_steps_overfit_two_images():
  losses, _ = steps(60, make_options())
  assert losses[0] > 0.8
  assert np.mean(losses[-5:]) < 0.25 * losses[0]


def test_loss_is_cross_entropy_plus_l2():
  with tf.Graph().as_default(), tf.Session() as session:
    graph = train_graph.build_train_graph(
        make_samples(), DATASET, MODEL_OPTIONS._replace(decoder_output_stride=None),
        make_options(weight_decay=0.01))
    terms = tf.losses.get_losses()
    regularized = [v for v in tf.trainable_variables()
                   if v.op.name.endswith('/weights')]
    session.run(tf.global_variables_initializer())
    weights = session.run(regularized)
    loss, terms = session.run([graph.train_op, terms])
  assert len(terms) == 1
  l2 = 0.01 / 2 * sum(np.sum(np.square(w, dtype=np.float64)) for w in weights)
  assert loss == pytest.approx(terms[0] + l2, rel=1e-5)


def test_every_scale_of_the_pyramid_has_a_loss():
  with tf.Graph().as_default():
    train_graph.build_train_graph(make_samples(), DATASET, MODEL_OPTIONS,
                               make_options(image_pyramid=[0.5, 1.0]))
    names = [loss.op.name.split('/')[0] for loss in tf.losses.get_losses()]
  assert names == ['semantic_logits_0.50', 'semantic_logits_1.00', 'semantic_merged_logits']


def test_batch_norm_learns_or_is_frozen():
  name = 'MobilenetV2/Conv/BatchNorm/moving_mean'
  _, values = steps(2, make_options(), watch=[name])
  assert np.abs(values[name][1] - values[name][0]).max() > 1e-4
  _, values = steps(2, make_options(fine_tune_batch_norm=False), watch=[name])
  assert np.array_equal(values[name][0], values[name][1])


def test_momentum_steps_follow_the_multiplied_gradients():
  with tf.Graph().as_default(), tf.Session() as session:
    # Dropout would make the two gradients differ.
    model_options = MODEL_OPTIONS._replace(aspp_with_batch_norm=False,
                                           decoder_output_stride=None)
    graph = train_graph.build_train_graph(
        make_samples(), DATASET, model_options,
        make_options(last_layer_gradient_multiplier=3.0, learning_power=0.0))
    bias, = [v for v in tf.trainable_variables() if v.op.name == 'logits/semantic/biases']
    gradient, = tf.gradients(tf.losses.get_total_loss(), bias)
    session.run(tf.global_variables_initializer())
    first, _ = session.run([gradient, bias])
    session.run(graph.train_op)
    np.testing.assert_allclose(session.run(bias), -0.05 * 6.0 * first, rtol=1e-4, atol=1e-7)
    second = session.run(gradient)
    before = session.run(bias)
    session.run(graph.train_op)
    np.testing.assert_allclose(
        session.run(bias) - before, -0.05 * 6.0 * (0.9 * first + second),
        rtol=1e-3, atol=1e-6)


def train(folder, num_steps, samples_fn=make_samples, model_options=MODEL_OPTIONS, **kwargs):
  return loop.train(
      loop.Data(DATASET, samples_fn, []), model_options,
      make_options(train_logdir=str(folder), training_number_of_steps=num_steps, **kwargs))


def test_a_run_whose_folder_is_of_another_ends_without_a_save(tmp_path):
  lock, checks = run_lock.Lock(str(tmp_path / 'train.lock')), []

  def after_run(*arguments):
    checks.append(1)
    if len(checks) == 2:
      lock.holder = {'pid': 7, 'host': 'far'}
    run_lock.Lock.after_run(lock, *arguments)

  lock.after_run = after_run
  with pytest.raises(ValueError, match='train.lock was taken over by process 7 on far'):
    loop.train(loop.Data(DATASET, make_samples, []), MODEL_OPTIONS,
               make_options(train_logdir=str(tmp_path), training_number_of_steps=5),
               placement=loop.Placement(lock=lock))
  assert len(checks) == 2
  assert restoring.resolve_checkpoint(str(tmp_path)).endswith('model.ckpt-0')


def test_training_resumes_and_then_has_nothing_to_do(tmp_path):
  checkpoint = train(tmp_path / 'run', 2)
  assert checkpoint == str(tmp_path / 'run' / 'model.ckpt-2')
  assert sorted(f for f in os.listdir(str(tmp_path / 'run')) if f.endswith('.index')) == [
      'model.ckpt-0.index', 'model.ckpt-2.index']
  assert os.path.exists(str(tmp_path / 'run' / 'graph.pbtxt'))
  # What the run itself has reached goes before a start; old checkpoints go.
  checkpoint = train(tmp_path / 'run', 3, tf_initial_checkpoint='absent', keep_checkpoint_max=1)
  assert restoring.global_step(checkpoint) == 3
  assert not os.path.exists(str(tmp_path / 'run' / 'model.ckpt-2.index'))
  modified = os.path.getmtime(checkpoint + '.index')
  assert train(tmp_path / 'run', 3) == checkpoint
  assert os.path.getmtime(checkpoint + '.index') == modified


def test_checkpoint_of_another_model_is_refused(tmp_path):
  train(tmp_path, 1)
  with pytest.raises(ValueError, match='Checkpoint of another model.*logits/semantic'):
    train(tmp_path, 2, model_options=MODEL_OPTIONS._replace(
        outputs_to_num_classes={'semantic': NUM_CLASSES + 1}))


def test_loss_that_is_not_finite_stops_and_keeps_the_weights(tmp_path):
  with pytest.raises(ValueError, match='The (loss|gradient) became NaN.*base_learning_rate'):
    train(tmp_path, 2, samples_fn=lambda: make_samples(fill=np.nan))
  reader = tf.train.NewCheckpointReader(restoring.resolve_checkpoint(str(tmp_path)))
  assert reader.get_tensor('global_step') == 0
  assert all(np.isfinite(reader.get_tensor(name)).all()
             for name in reader.get_variable_to_shape_map())


def test_train_op_and_samples_have_their_names():
  with tf.Graph().as_default() as graph:
    train_graph.build_train_graph(make_samples(), DATASET, MODEL_OPTIONS, make_options())
    names = {operation.name for operation in graph.get_operations()}
    slots = {v.op.name for v in tf.global_variables() if 'Momentum' in v.op.name}
  assert {'image', 'label', 'semantic', 'train_op'} <= names
  assert 'logits/semantic/weights/Momentum' in slots
  assert model.LOGITS_SCOPE_NAME == 'logits'


def test_batch_norm_decay_reaches_backbone_head_and_decoder():
  names = ['%s/BatchNorm/moving_mean' % scope for scope in (
      'MobilenetV2/Conv', 'aspp0', 'decoder/decoder_conv1_pointwise')]
  _, whole = steps(1, make_options(), MODEL_OPTIONS._replace(batch_norm_decay=0.0), names)
  _, quarter = steps(1, make_options(), MODEL_OPTIONS._replace(batch_norm_decay=0.75), names)
  for name in names:
    # From zero, one update moves by 1 - decay of the batch's mean.
    np.testing.assert_allclose(quarter[name][1], 0.25 * whole[name][1], rtol=1e-3, atol=1e-5)


def test_adam_is_chosen_by_name_with_its_own_learning_rate():
  options = make_options(optimizer='adam', adam_learning_rate=0.01, learning_power=0.0)
  _, values = steps(1, options, watch=['logits/semantic/biases'])
  before, after = values['logits/semantic/biases']
  # The first step of Adam is the learning rate, whatever the gradient.
  np.testing.assert_allclose(np.abs(after - before), 0.01, rtol=1e-2)
  with pytest.raises(ValueError, match="Unknown optimizer 'sgd'"):
    steps(0, make_options(optimizer='sgd'))


def start_from(folder, source, num_classes=NUM_CLASSES, **kwargs):
  """Trains one step of learning rate 0 from `source`; returns the weights as a reader."""
  options_of_run = make_options(
      train_logdir=str(folder), training_number_of_steps=1, base_learning_rate=0.0,
      tf_initial_checkpoint=source, fine_tune_batch_norm=False, weight_decay=0.0, **kwargs)
  return tf.train.NewCheckpointReader(loop.train(
      loop.Data(DATASET._replace(num_classes=num_classes), make_samples, []),
      MODEL_OPTIONS._replace(outputs_to_num_classes={'semantic': num_classes}), options_of_run))


def same(reader, other, name):
  return np.array_equal(reader.get_tensor(name), other.get_tensor(name))


def test_weights_start_from_another_run(tmp_path):
  source = train(tmp_path / 'a', 2)
  trained = tf.train.NewCheckpointReader(source)
  started = start_from(tmp_path / 'b', source)
  assert same(trained, started, 'logits/semantic/weights')
  assert same(trained, started, 'MobilenetV2/Conv/BatchNorm/moving_mean')
  assert not same(trained, started, 'logits/semantic/weights/Momentum')
  assert started.get_tensor('global_step') == 1


def test_last_layers_start_at_random_when_asked(tmp_path):
  source = train(tmp_path / 'a', 1)
  more = NUM_CLASSES + 2
  with pytest.raises(ValueError, match=r'logits/semantic/weights is .* there, .* here'):
    start_from(tmp_path / 'b', source, more)
  assert not (tmp_path / 'b').exists()
  trained = tf.train.NewCheckpointReader(source)
  started = start_from(tmp_path / 'b', source, more, initialize_last_layer=False)
  assert not same(trained, started, 'aspp0/weights')
  assert same(trained, started, 'MobilenetV2/Conv/weights')
