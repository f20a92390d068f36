"""How are files read and written, wherever they are?

`files` is the one layer over this machine and the file systems of TensorFlow (`remote_files`);
`json_text` reads JSON of anybody; `errors` turns what went wrong into one line.
"""
