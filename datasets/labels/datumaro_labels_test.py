"""Tests of annotations that datumaro reads."""
import sys

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets.labels import areas, coco_labels, datumaro_labels

_SIZE = (30, 40)

_CVAT = """<annotations><version>1.1</version>
<meta><task><labels><label><name>lane</name></label><label><name>sign</name></label></labels>
</task></meta>
<image id="0" name="a.png" width="40" height="30">
<polygon label="lane" points="4,4;20,4;20,20;4,20" z_order="1"/>
<polygon label="sign" points="8,8;12,8;12,12;8,12" z_order="0"/>
<polygon label="sign" points="18,18;26,18;26,26;18,26" z_order="0"/>
<box label="sign" xtl="30" ytl="2" xbr="35" ybr="6" z_order="0"/>
<polyline label="lane" points="2,27;12,27" z_order="0"/>
<mask label="sign" rle="1, 2, 1" left="36" top="20" width="2" height="2" z_order="0"/>
<tag label="lane"/>
</image>
<image id="1" name="b.png" width="40" height="30"/>
</annotations>"""

_LABELME_XML = """<annotation><filename>a.png</filename><folder></folder>
<imagesize><nrows>30</nrows><ncols>40</ncols></imagesize>
<object><name>lane</name><deleted>0</deleted><occluded>no</occluded><attributes></attributes>
<parts><hasparts></hasparts><ispartof></ispartof></parts><id>0</id><polygon>
<pt><x>4</x><y>4</y></pt><pt><x>20</x><y>4</y></pt><pt><x>20</x><y>20</y></pt>
<pt><x>4</x><y>20</y></pt></polygon></object></annotation>"""


def _drawing(content, boxes_as_areas=False):
  file = coco_labels.CocoFile(
      'the file', ['background', 'lane', 'sign'][:1 + len(content['categories'])],
      boxes_as_areas=boxes_as_areas, content=content)
  return file.label('a', 0).read(*_SIZE)


def _save_pictures(folder, *names):
  folder.mkdir(exist_ok=True)
  for name in names:
    Image.new('RGB', _SIZE[::-1]).save(str(folder / name))


def _cvat(tmp_path):
  pytest.importorskip('datumaro', reason='no datumaro: pip install "deeplab[datumaro]"')
  _save_pictures(tmp_path / 'images', 'a.png', 'b.png')
  (tmp_path / 'annotations.xml').write_text(_CVAT)
  return str(tmp_path)


@pytest.mark.parametrize('format_name', ['cvat', None])
def test_xml_of_cvat_is_drawn_by_its_layers(tmp_path, format_name, caplog):
  content = datumaro_labels.read_content(_cvat(tmp_path), format_name, 4)
  expected = np.zeros(_SIZE, np.uint8)
  expected[25:29, 0:14] = 1
  expected[18:26, 18:26] = 2
  expected[20, 37] = expected[21, 36] = 2
  expected[4:20, 4:20] = 1
  drawing = _drawing(content)
  np.testing.assert_array_equal(drawing.labels, expected)
  assert drawing.left_out == [('annotation 3, bbox (sign)', areas.BOX_ALONE)]
  assert '1 labels or captions of whole pictures are left out' in caplog.text
  expected[2:6, 30:35] = 2
  np.testing.assert_array_equal(_drawing(content, boxes_as_areas=True).labels, expected)


def test_xml_of_labelme_is_drawn(tmp_path):
  pytest.importorskip('datumaro', reason='no datumaro: pip install "deeplab[datumaro]"')
  _save_pictures(tmp_path, 'a.png')
  (tmp_path / 'a.xml').write_text(_LABELME_XML)
  expected = np.zeros(_SIZE, np.uint8)
  expected[4:20, 4:20] = 1
  drawing = _drawing(datumaro_labels.read_content(str(tmp_path), 'label_me', 10))
  np.testing.assert_array_equal(drawing.labels, expected)


def test_what_it_cannot_read_is_named_with_the_reason(tmp_path):
  path = _cvat(tmp_path)
  (tmp_path / 'images' / 'b.png').unlink()
  with pytest.raises(ValueError, match='cannot be read by datumaro as --datumaro_format=cvat: .*'
                                       'Cannot find an image which has name=b.png'):
    datumaro_labels.read_content(path, 'cvat', 10)
  (tmp_path / 'annotations.xml').unlink()
  with pytest.raises(ValueError, match='cannot be read by datumaro; name its --datumaro_format'):
    datumaro_labels.read_content(path, None, 10)


def test_without_datumaro_it_is_told_what_to_install(monkeypatch):
  monkeypatch.setitem(sys.modules, 'datumaro', None)
  with pytest.raises(ValueError, match=r'x.xml needs datumaro to be read, which needs Python 3.10 '
                                       r'or later: pip install "deeplab\[datumaro\]"'):
    datumaro_labels.read_content('x.xml', None, 10)


@pytest.mark.parametrize('mask', [[[0, 1], [1, 1]], [[1, 0], [0, 0]], [[0, 0], [0, 0]],
                                  [[1, 1], [1, 1]]])
def test_runs_are_those_of_the_mask(mask):
  runs = areas.mask_runs(np.array(mask))
  found = np.repeat(np.arange(len(runs)) % 2, runs).reshape(2, 2).T
  np.testing.assert_array_equal(found, mask)
