"""How is work done beside the main thread, and shown?

`parallel` runs pieces in processes and calls in threads, `progress` shows both.
"""
