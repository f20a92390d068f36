"""How is work done beside the main thread, and shown?

`parallel` runs pieces in processes, `background` in threads, `progress` shows both.
"""
