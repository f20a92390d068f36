"""Tests of taking a page apart, and of reading commands off it."""
import pytest

from deeplab.testing import documentation

_TEXT = """# A page: `train.py`, and more

Call `train.py
--help` as [another page](other.md#some-heading) says, or [below](#what-is-it).

    python train.py \\
        --log_steps=1  # not `a span`

```bash
# no heading
eval.py
```

## What is it?

## What is it?

![picture](img/a.png) `run.json`
"""
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


def test_prose_and_code_are_apart():
  assert documentation.spans(_TEXT) == ['train.py', 'train.py --help', 'run.json']
  code = documentation.code(_TEXT)
  assert 'eval.py' in code and 'python train.py          --log_steps=1' in code
  assert 'eval.py' not in documentation.prose(_TEXT) and 'picture' not in code


def test_links_and_headings():
  assert documentation.links(_TEXT) == [
      ['other.md', 'some-heading'], ['', 'what-is-it'], ['img/a.png', '']]
  assert documentation.anchors(_TEXT) == [
      'a-page-trainpy-and-more', 'what-is-it', 'what-is-it-1']


def test_words_are_those_of_a_shell(tmp_path):
  blocks = documentation.blocks(_PAGE)
  assert [block.line for block in blocks] == [5, 17]
  first, second = documentation.commands(blocks, tmp_path, {'eval': 'eval'})
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
  blocks = documentation.blocks('\n    python train.py --train_logdir=$nowhere\n')
  with pytest.raises(AssertionError, match='nowhere'):
    documentation.commands(blocks, tmp_path, {'eval': 'eval'})
