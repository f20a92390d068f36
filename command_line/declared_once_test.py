"""Tests that the default of a setting is written once: in its row, or where its flag is declared.

Reads sources with `ast`. Arguments and fields of the same name have no default, None, or refer to
the one place. A script may declare a flag that other scripts declare too: it is theirs.
"""
import ast

import pytest

from deeplab import layering_test
from deeplab.command_line.dead_flags_test import string_of

# Signatures of the original, which old code calls: they keep its defaults.
_ORIGINAL = {
    'add_softmax_cross_entropy_loss_for_each_scale', 'build_cell', 'config', 'eval_coco_format',
    'extract_features', 'get_branch_logits', 'get_extra_layer_scopes', 'get_model_learning_rate',
    'mobilenet_v2_arg_scope', 'mobilenet_v2_base', 'multi_scale_logits', 'nas_arg_scope', 'network',
    'predict_labels_multi_scale', 'preprocess_image_and_label', 'print_detailed_results',
    'refine_by_decoder', 'resnet_arg_scope', 'root_block_fn_for_beta_variant',
    'split_separable_conv2d', 'streaming_parsing_covering', 'xception_arg_scope', 'xception_module',
    'DeploymentConfig', 'Dataset', 'ImageReader', 'ModelOptions', 'create_label_colormap',
    'label_to_color_image', 'random_scene', 'ParsingCovering', 'get_network'}
_MOST_ARGUMENTS = 6
# Those of before this was asked for, and of the original.
_WITH_MORE_ARGUMENTS = _ORIGINAL | {
    '_build_nas_base', '_cuffed_tube', '_distance', 'bottleneck', 'centered_affine_perturbation',
    'color', 'lite_bottleneck', 'random_crop', 'random_crop_legs', 'resize_to_range',
    'resnet_v1_18_beta', 'resnet_v1_beta', 'run_task', 'save_annotation', 'separable_conv2d_same',
    'side_by_side', 'step_speed', 'streaming_panoptic_quality', 'xception', 'xception_block',
    'NASBaseCell'}


def is_literal(node):
  """Whether an expression is a value other than None; names and calls lead to another place."""
  try:
    return ast.literal_eval(node) is not None
  except ValueError:
    return False


def functions_of(tree):
  """Yields (name, ast.FunctionDef); a constructor is called like its class."""
  constructors = {each: node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
                  for each in node.body if getattr(each, 'name', '') in ('__init__', '__new__')}
  for node in ast.walk(tree):
    if isinstance(node, ast.FunctionDef):
      yield constructors.get(node, node.name), node


def declared_in(tree):
  """Yields (name, default) of the rows and flags that a module declares."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.args and (
        getattr(node.value.func, 'id', '') == 'Setting'):
      yield node.targets[0].id.lower(), node.value.args[0]
    elif isinstance(node, ast.Call) and len(node.args) > 1 and getattr(
        node.func, 'attr', '').startswith('DEFINE_') and string_of(node.args[0]):
      yield string_of(node.args[0]), node.args[1]


def given_in(tree):
  """Yields (name, default) of arguments and fields of records, but those of the original."""
  for name, function in functions_of(tree):
    if name not in _ORIGINAL:
      arguments = function.args
      yield from zip([each.arg for each in reversed(arguments.args)],
                     reversed(arguments.defaults))
      yield from ((each.arg, default) for each, default in zip(
          arguments.kwonlyargs, arguments.kw_defaults) if default is not None)
  for node in ast.walk(tree):
    if isinstance(node, ast.ClassDef):
      yield from ((each.target.id, each.value) for each in node.body
                  if isinstance(each, ast.AnnAssign) and each.value is not None)


def written_twice(trees):
  """Returns a list of words on the defaults of settings that stand in a second place."""
  rows = {}
  for path, tree in trees.items():
    for name, default in declared_in(tree):
      if is_literal(default):
        rows.setdefault(name, path)
  return ['%s: %s=%s, declared in %s' % (path, name, ast.dump(default), rows[name])
          for path, tree in sorted(trees.items()) for name, default in given_in(tree)
          if name in rows and is_literal(default)]


@pytest.fixture(scope='module', name='trees')
def make_trees():
  return {path: tree for path, tree in layering_test.TREES.items()
          if not path.startswith('testing/')}


def test_a_default_is_written_once(trees):
  assert written_twice(trees) == []


@pytest.mark.parametrize('second, is_second', [
    ('def count(steps=5): pass', True), ('def count(steps=4): pass', True),
    ('def count(*, steps=4): pass', True),
    ('class Options(NamedTuple):\n  steps: int = 4', True),
    ('class Counter:\n  def __init__(self, steps=4): pass', True),
    ('def count(steps=None, others=4): pass', False), ('def count(steps): pass', False),
    ('def count(steps=Schedule.SETTINGS["steps"].default): pass', False)])
def test_a_second_default_is_found(second, is_second):
  for first in ("class Schedule:\n  steps = Setting(4, 'Steps.')",
                "flags.DEFINE_integer('steps', 4)"):
    assert bool(written_twice({'a': ast.parse(first), 'b': ast.parse(second)})) == is_second


def test_functions_take_six_arguments_at_most(trees):
  long = {}
  for path, tree in trees.items():
    for name, function in functions_of(tree):
      arguments = function.args
      number = len(arguments.args) + len(arguments.kwonlyargs) - (
          bool(arguments.args) and arguments.args[0].arg in ('self', 'cls'))
      if number > _MOST_ARGUMENTS:
        long[name] = path
  assert not set(long) - _WITH_MORE_ARGUMENTS, long
