"""Training pieces, reports and pictures shared by the scripts."""
