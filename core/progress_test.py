from deeplab.core import progress


def test_a_log_file_gets_the_first_and_the_last_state(capsys):
  with progress.bar('counting', total=1000) as bar:
    for _ in range(1000):
      bar.update()
  states = capsys.readouterr().err.strip('\r\n').split('\r')
  assert len(states) == 2, states
  assert states[0].startswith('counting:   0%')
  assert '1000/1000' in states[1] and 'image/s' in states[1]


def test_a_terminal_is_updated_often(monkeypatch):
  class Terminal(object):
    text = ''

    def isatty(self):
      return True

    def write(self, text):
      self.text += text

    def flush(self):
      pass

  terminal = Terminal()
  monkeypatch.setattr('sys.stderr', terminal)
  with progress.bar('counting') as bar:
    assert bar.mininterval <= 1
  assert 'counting' in terminal.text
