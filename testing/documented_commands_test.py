"""Tests of reading commands off a page."""
import pytest

from deeplab.testing import documented_commands

_PAGE = """# Page

Build, and train on both splits:

    model="--output_stride=16
        --depth_multiplier=0.5"
    python datasets/build_custom_data.py --image_dir='my photos' \\
        --split=train   # once

which prints

    step 1/2  loss 1.0

- a list
    with an indented line

    for split in train val; do
      deeplab eval $model --eval_split=$split
    done
    python3 ./train.py $model
    python -m deeplab.datasets.doctor
    STEPS=3 NAME='a b' sh ./local_test.sh --list ''
    saved_model_cli show --dir a

```
    python fenced.py
```
"""


def test_words_are_those_of_a_shell(tmp_path):
  blocks = documented_commands.blocks(_PAGE)
  assert [block.line for block in blocks] == [5, 17]
  first, second = documented_commands.commands(blocks, tmp_path, {'eval': 'eval'})
  words = ['--image_dir=my photos', '--split=train']
  assert first == [('datasets/build_custom_data.py', words, {})]
  flags = ['--output_stride=16', '--depth_multiplier=0.5']
  assert second == [('eval.py', flags + ['--eval_split=train'], {}),
                    ('eval.py', flags + ['--eval_split=val'], {}),
                    ('train.py', flags, {}), ('datasets/doctor.py', [], {}),
                    ('local_test.sh', ['--list', ''], {'STEPS': '3', 'NAME': 'a b'}),
                    ('saved_model_cli', ['show', '--dir', 'a'], {})]
  assert first[0].value('image_dir') == 'my photos'
  assert first[0].value('label_dir') is None


def test_a_line_that_is_no_command_fails(tmp_path):
  blocks = documented_commands.blocks('\n    python train.py --train_logdir=$nowhere\n')
  with pytest.raises(AssertionError, match='nowhere'):
    documented_commands.commands(blocks, tmp_path, {'eval': 'eval'})
