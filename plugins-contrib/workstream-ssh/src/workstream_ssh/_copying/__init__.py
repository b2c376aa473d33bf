"""Copies of files and directories, to hosts and from them."""
