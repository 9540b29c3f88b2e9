"""Two organisations that use everything: what they may say, and how the answers are compared with the model."""
