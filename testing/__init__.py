"""What tests share, and the tests of what happens to runs: kills, full disks, damaged files."""
