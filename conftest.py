"""What holds for all tests."""
import signal
import threading

# A script's background jobs ignore SIGINT, and so would all programs that tests start and stop.
if threading.current_thread() is threading.main_thread():
  signal.signal(signal.SIGINT, signal.default_int_handler)
