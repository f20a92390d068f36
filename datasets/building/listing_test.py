"""Tests of listing pairs and splits."""
import codecs
import os

import pytest

from deeplab.datasets.building import listing


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


@pytest.mark.parametrize('encoding, mark', [
    ('utf-8', b''), ('utf-8', codecs.BOM_UTF8), ('utf-16-le', codecs.BOM_UTF16_LE),
    ('utf-16-be', codecs.BOM_UTF16_BE)])
def test_split_lists_may_begin_with_a_byte_order_mark(tmp_path, encoding, mark):
  path = tmp_path / 'val.txt'
  path.write_bytes(mark + 'é0\r\na b\r\n'.encode(encoding))
  assert listing.read_split_list(str(path)) == ['é0', 'a b']


@pytest.mark.parametrize('text, present, expected', [
    ('a 1\nb  0\nc -1\n', (), ['a', 'b']),
    ('a\ta\nb\tb\n', (), ['a', 'b']),
    ('JPEGImages/a.jpg SegmentationClass/a.png\n', (), ['a']),
    ('a.jpg,a_mask.png\nb.jpg;b_mask.png', (), ['a', 'b']),
    ('a.jpg m7.png', (), ['a']),
    ('photo 1\nphoto 0\n', ('photo 0', 'photo 1'), ['photo 1', 'photo 0']),
    ('photo one\nphoto two.jpg\n', (), ['photo one', 'photo two']),
    ('a x\nb y\n', ('a', 'b'), ['a', 'b']),
])
def test_of_two_columns_the_first_counts(tmp_path, text, present, expected):
  path = tmp_path / 'val.txt'
  path.write_text(text)
  assert listing.read_split_list(str(path), present) == expected


def _one_folder(tmp_path, names):
  folder, _ = _folders(tmp_path, names, [])
  return folder


@pytest.mark.parametrize('images, labels', [
    (('x.jpg', 'y.png'), ('x_mask.png', 'y_mask.png')),
    (('x.jpg', 'y.jpg'), ('x_segmentation.png', 'y_segmentation.png')),
    (('x.png', 'y.png'), ('x_L.png', 'y_L.png')),
    (('x.jpg', 'y.jpg'), ('x.png', 'y.png'))])
def test_endings_tell_labels_from_images(tmp_path, images, labels):
  ending = labels[0][1:] if labels[0] == 'x.png' else os.path.splitext(labels[0])[0][1:]
  folder = _one_folder(tmp_path, images + labels)
  expected = [('x', images[0], labels[0]), ('y', images[1], labels[1])]
  for given in {ending, ending.replace('.png', '') + '.png'}:
    found = listing.find_pairs(folder, folder, endings=listing.Endings(label=given))
    assert [(p.name, os.path.basename(p.image_path), os.path.basename(p.label))
            for p in found] == expected


def test_images_may_have_endings_too(tmp_path):
  folder = _one_folder(tmp_path, ['7_sat.jpg', '7_mask.png', '8_sat.jpg', '8_mask.png'])
  endings = listing.Endings('_sat', '_mask')
  assert [p.name for p in listing.find_pairs(folder, folder, endings=endings)] == ['7', '8']
  assert [p.image_path for p in listing.find_pairs(
      folder, folder, names=['8_sat', '7'], endings=endings)] == [
          folder + '/8_sat.jpg', folder + '/7_sat.jpg']


def test_in_a_folder_of_its_own_an_image_may_end_as_labels_do(tmp_path):
  folders = _folders(tmp_path, ['a_L.jpg'], ['a_L_L.png'])
  assert listing.find_pairs(*folders, endings=listing.Endings(label='_L'))[0].name == 'a_L'


def test_files_of_other_endings_are_told_of(tmp_path, caplog):
  folders = _folders(tmp_path, ['a.jpg'], ['a_L.png', 'a_color.png'])
  assert len(listing.find_pairs(*folders, endings=listing.Endings(label='_L'))) == 1
  assert "1 files in" in caplog.text and "'a_color.png'" in caplog.text


@pytest.mark.parametrize('images, labels, hint', [
    (['x1.jpg', 'x2.jpg'], ['x1_seg.png', 'x2_seg.png'], '--label_suffix=_seg'),
    (['x1_img.jpg', 'x2_img.jpg'], ['x1.png', 'x2.png'], '--image_suffix=_img'),
    (['x1_sat.jpg', 'x2_sat.jpg'], ['x1_mask.png', 'x2_mask.png'],
     '--image_suffix=_sat --label_suffix=_mask')])
@pytest.mark.parametrize('on_error', ['stop', 'skip'])
def test_endings_that_show_are_hinted_at(tmp_path, images, labels, hint, on_error):
  folders = _folders(tmp_path, images, labels)
  with pytest.raises(ValueError, match='no (image|label) for .* so: %s$' % hint):
    listing.find_pairs(*folders, on_error=on_error)


def test_numbers_are_no_endings(tmp_path):
  folders = _folders(tmp_path, ['x1.jpg', 'x2.jpg'], ['x1.png', 'x2.png', 'x11.png', 'x12.png'])
  with pytest.raises(ValueError, match="no image for 2 of 4 labels: .* away.$"):
    listing.find_pairs(*folders)


@pytest.mark.parametrize('on_error', ['stop', 'skip'])
@pytest.mark.parametrize('link', ['same', 'folder', 'symlinks', 'hard links'])
def test_an_image_is_never_its_own_label(tmp_path, on_error, link):
  folder = _one_folder(tmp_path, ['x.png', 'x_mask.png', 'y.png', 'y_mask.png'])
  other = folder
  if link == 'folder':
    other = str(tmp_path / 'other')
    os.symlink(folder, other)
  elif link != 'same':
    other = str(tmp_path / 'labels')
    for name in os.listdir(folder):
      (os.symlink if link == 'symlinks' else os.link)(
          os.path.join(folder, name), os.path.join(other, name))
  message = 'are one file' if 'links' in link else (
      'in the same folder .* so: --label_suffix=_mask$')
  with pytest.raises(ValueError, match=message):
    listing.find_pairs(folder, other, on_error=on_error)


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
    listing.split_by_fractions(range(5), fractions, seed=0)
