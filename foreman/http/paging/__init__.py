"""Pages of lists: how their rows are found (`walks`), where a page begins (`cursors`), and what is on it (`pages`)."""
