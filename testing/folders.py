"""What a folder holds, for tests that compare folders."""
import os


def contents(folder):
  """Returns a dict: path below a folder -> the bytes of that file."""
  found = {}
  for parent, _, names in os.walk(str(folder)):
    for name in names:
      path = os.path.join(parent, name)
      with open(path, 'rb') as f:
        found[os.path.relpath(path, str(folder))] = f.read()
  return found
