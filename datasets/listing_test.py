"""Tests of listing pairs and splits."""
import pytest

from deeplab.datasets import listing


def _folders(tmp_path, images, labels):
  for folder, names in (('images', images), ('labels', labels)):
    (tmp_path / folder).mkdir()
    for name in names:
      (tmp_path / folder / name).write_bytes(b'x')
  return str(tmp_path / 'images'), str(tmp_path / 'labels')


def test_pairs_share_their_stem_and_are_sorted(tmp_path):
  images, labels = _folders(
      tmp_path, ['b c.JPG', 'ä.png', 'a.jpeg', '.hidden.jpg', 'notes.txt'],
      ['a.png', 'b c.png', 'ä.png', 'Thumbs.db'])
  pairs = listing.find_pairs(images, labels)
  assert [(p.name, p.image_path, p.label) for p in pairs] == [
      ('a', images + '/a.jpeg', labels + '/a.png'),
      ('b c', images + '/b c.JPG', labels + '/b c.png'),
      ('ä', images + '/ä.png', labels + '/ä.png')]


def test_names_choose_pairs_in_their_order(tmp_path):
  folders = _folders(tmp_path, ['a.jpg', 'b.jpg', 'c.jpg'], ['a.png', 'b.png'])
  assert [p.name for p in listing.find_pairs(*folders, names=['b', 'a'])] == ['b', 'a']


def test_images_without_label_folder_have_no_labels(tmp_path):
  images, _ = _folders(tmp_path, ['a.jpg'], [])
  assert listing.find_pairs(images, None)[0].label is None


@pytest.mark.parametrize('images, labels, names, message', [
    (['a.jpg', 'b.jpg'], ['a.png'], None, "labels' has no label for 1 of 2 images: 'b'"),
    (['a.jpg'], ['a.png', 'b.png'], None, "images' has no image for 1 of 2 labels: 'b'"),
    (['a.jpg'], ['a.png'], ['x', 'a'], "images' has no image for 1 of 2 names .*: 'x'"),
    (['a.jpg', 'a.png'], ['a.png'], None, "two files called 'a': a.jpg and a.png"),
    (['a.txt'], ['a.png'], None, "images' holds no images"),
    (['a.jpg'], [], None, "labels' holds no labels"),
    (['%d.jpg' % i for i in range(9)], ['0.png'], None, r'8 of 9 images: .* \(8 in all\)'),
])
def test_pairs_that_do_not_match_are_named(tmp_path, images, labels, names, message):
  folders = _folders(tmp_path, images, labels)
  with pytest.raises(ValueError, match=message):
    listing.find_pairs(*folders, names=names)


def test_absent_folders_are_named(tmp_path):
  with pytest.raises(ValueError, match="absent' does not exist"):
    listing.find_pairs(str(tmp_path / 'absent'), str(tmp_path))


def test_split_lists_hold_one_name_per_line(tmp_path):
  path = tmp_path / 'val.txt'
  path.write_text('2007_000033\n\n  images/b c.jpg \nv1.2\n', encoding='utf-8')
  assert listing.read_split_list(str(path)) == ['2007_000033', 'b c', 'v1.2']


@pytest.mark.parametrize('text, message', [
    (None, 'cannot be read'), ('\n \n', 'is empty'), ('a\nb\na.jpg\n', "names 'a' more than once")])
def test_unusable_split_lists_are_named(tmp_path, text, message):
  path = tmp_path / 'val.txt'
  if text is not None:
    path.write_text(text)
  with pytest.raises(ValueError, match=message) as error:
    listing.read_split_list(str(path))
  assert str(path) in str(error.value)


def test_fractions_give_disjoint_repeatable_splits():
  fractions = [('train', 0.8), ('trainval', 0.1), ('val', 0.1)]
  splits = listing.split_by_fractions(range(50), fractions, seed=3)
  assert [len(splits[name]) for name in ('train', 'trainval', 'val')] == [40, 5, 5]
  assert sorted(sum(splits.values(), [])) == list(range(50))
  assert splits == listing.split_by_fractions(range(50), fractions, seed=3)
  assert splits != listing.split_by_fractions(range(50), fractions, seed=4)
  assert splits['train'] != list(range(40))


@pytest.mark.parametrize('fractions, message', [
    ({'train': 0.5, 'val': 0.4}, 'sum 1, got train=0.5, val=0.4'),
    ({'train': 1.5, 'val': -0.5}, 'must be positive'),
    ({'train': 0.1, 'val': 0.9}, "Split 'train' is empty: 5 examples"),
])
def test_unusable_fractions_are_refused(fractions, message):
  with pytest.raises(ValueError, match=message):
    listing.split_by_fractions(range(5), fractions)
