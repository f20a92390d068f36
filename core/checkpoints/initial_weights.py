"""Starts a network from the weights of another: a checkpoint, or a frozen graph.

    plan = plan_restore(read_weights(path), variables, excluded_scopes, path)
    plan.load(session)
"""
from __future__ import annotations

import os
import typing

import numpy as np
from absl import logging

from deeplab.core import quantization
from deeplab.core.checkpoints import other_models, restoring
from deeplab.core.storage import errors
from deeplab.core.tf_compat import tf

# Ends of the names of what averages and optimizers of others keep beside a weight.
_TRAINING_SUFFIXES = ('/ExponentialMovingAverage', '/RMSProp', '/RMSProp_1')
_MAX_NAMED = 5


class Weights(typing.NamedTuple):
  """Weights that can be taken."""
  where: str  # The file, for messages.
  shapes: typing.Dict[str, typing.List[int]]  # Dict, name -> list of int.
  read: typing.Callable[[str], np.ndarray]  # Function (name) -> numpy array.


class Plan(typing.NamedTuple):
  """Which variables get which weights."""
  weights: Weights
  variables: typing.List[tf.Variable]  # List of tf.Variable that are taken from them.
  summary: str = ''  # How many variables start from where.

  def load(self, session):
    """Writes the weights into the variables of a session."""
    assign(session, {
        variable: self.weights.read(variable.op.name).astype(
            variable.dtype.base_dtype.as_numpy_dtype)
        for variable in self.variables})
    logging.info('%s', self.summary)


def read_weights(path, flag):
  """Returns the Weights that `path`, the value of the flag `flag`, stands for.

  It is a folder of checkpoints (the newest is meant), a checkpoint prefix, one of its files, or a
  frozen graph (.pb) whose weights have kept their names.

  Raises ValueError if there is no such file, or it cannot be read.
  """
  if os.path.splitext(path)[1] == '.pb':
    return _read_frozen_graph(path, flag)
  prefix = restoring.require_checkpoint(path, flag)
  reader = restoring.open_reader(prefix)
  return Weights(prefix, reader.get_variable_to_shape_map(), reader.get_tensor)


def plan_restore(weights, variables, excluded_scopes, last_layer_scopes):
  """Decides which variables are taken from weights, and logs which are not; returns a Plan.

  Args:
    variables: list of tf.Variable of the model, without those of the optimizer.
    excluded_scopes: scopes, as prefixes of names, that keep their random start.
    last_layer_scopes: scopes of the layers after the backbone, for the hint.

  Raises ValueError if a variable has another shape there, or none is there at all; names the
  variables and the flag to set.
  """
  excluded = [v for v in variables if _is_in(v.op.name, excluded_scopes)]
  wanted = [v for v in variables if not _is_in(v.op.name, excluded_scopes)]
  taken = [v for v in wanted if v.op.name in weights.shapes]
  reshaped = [v for v in taken if list(weights.shapes[v.op.name]) != v.shape.as_list()]
  if reshaped:
    raise ValueError(_reshaped_message(weights, reshaped, last_layer_scopes))
  if not taken:
    raise ValueError(
        '%s holds none of the %d variables of this network, such as %s; it has %s. Check '
        '--model_variant.' % (weights.where, len(wanted), wanted[0].op.name if wanted else '-',
                              ', '.join(sorted(_model_names(weights))[:_MAX_NAMED]) or 'none'))
  absent = [v.op.name for v in wanted if v.op.name not in weights.shapes]
  num_ranges = sum(quantization.is_range(name) for name in absent)
  if num_ranges:
    logging.info('%d bounds of quantised ranges are not in %s: training learns them.',
                 num_ranges, weights.where)
  present = {v.op.name for v in variables}
  unused = [name for name in sorted(_model_names(weights)) if name not in present]
  for names, what in (
      ([v.op.name for v in excluded], 'variables of the last layers start at random'),
      ([name for name in absent if not quantization.is_range(name)],
       'variables start at random, for %s does not have them' % weights.where),
      (unused, 'variables of %s are not used' % weights.where)):
    if names:
      logging.info('%d %s: %s', len(names), what, ', '.join(names))
  return Plan(weights, taken, (
      'Of %d variables %d start with the weights of %s, %d at random as last layers, %d at random '
      'for want of weights; %d of its weights are not used.' % (
          len(variables), len(taken), weights.where, len(excluded), len(absent), len(unused))))


def assign(session, values):
  """Sets the variables of a dict to its arrays.

  In one run: a run for each would have TensorFlow prune the graph each time.
  """
  session.run([variable.initializer for variable in values],
              {variable.initializer.inputs[1]: value for variable, value in values.items()})


def _is_in(name, scopes):
  return any(name.startswith(scope) for scope in scopes)


def _model_names(weights):
  return [name for name in weights.shapes if name != restoring.GLOBAL_STEP
          and not other_models.is_slot(name) and not name.endswith(_TRAINING_SUFFIXES)]


def _reshaped_message(weights, reshaped, last_layer_scopes):
  shown = '; '.join('%s is %s there, %s here' % (
      v.op.name, list(weights.shapes[v.op.name]), v.shape.as_list())
                    for v in reshaped[:_MAX_NAMED])
  more = '; and %d more' % (len(reshaped) - _MAX_NAMED) if len(reshaped) > _MAX_NAMED else ''
  if all(_is_in(v.op.name, last_layer_scopes) for v in reshaped):
    hint = 'To start these layers at random pass --initialize_last_layer=false'
    if all(_is_in(v.op.name, last_layer_scopes[:1]) for v in reshaped):
      hint += ' --last_layers_contain_logits_only (keeps the rest of the head)'
  else:
    hint = 'Check --model_variant, --depth_multiplier and the flags of the head'
  return '%s does not fit: %s%s. %s.' % (weights.where, shown, more, hint)


def _read_frozen_graph(path, flag):
  graph_def = tf.GraphDef()
  # The file system and the parser each have errors of their own.
  with errors.told('--%s=%s cannot be read as a frozen graph' % (flag, path), Exception), \
       tf.gfile.GFile(path, 'rb') as f:
    graph_def.ParseFromString(f.read())
  nodes = {node.name: node.attr['value'].tensor for node in graph_def.node
           if node.op == 'Const'}
  if not nodes:
    raise ValueError('--%s=%s is a graph without weights.' % (flag, path))
  return Weights(path, {name: [int(dim.size) for dim in tensor.tensor_shape.dim]
                        for name, tensor in nodes.items()},
                 lambda name: tf.make_ndarray(nodes[name]))
