"""What people meet on the command line: flags, their help, errors, the `deeplab` command."""
