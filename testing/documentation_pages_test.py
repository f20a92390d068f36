"""Tests of taking a page apart."""
from deeplab.testing import documentation_pages

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


def test_prose_and_code_are_apart():
  assert documentation_pages.spans(_TEXT) == ['train.py', 'train.py --help', 'run.json']
  code = documentation_pages.code(_TEXT)
  assert 'eval.py' in code and 'python train.py          --log_steps=1' in code
  assert 'eval.py' not in documentation_pages.prose(_TEXT) and 'picture' not in code


def test_links_and_headings():
  assert documentation_pages.links(_TEXT) == [
      ['other.md', 'some-heading'], ['', 'what-is-it'], ['img/a.png', '']]
  assert documentation_pages.anchors(_TEXT) == [
      'a-page-trainpy-and-more', 'what-is-it', 'what-is-it-1']
