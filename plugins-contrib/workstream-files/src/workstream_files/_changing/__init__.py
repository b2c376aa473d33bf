"""Files, links and directories: made, replaced and removed, each step whole or not."""
