"""Acts: cancelling and retrying tasks and runs, one of them or all that meet a filter."""
