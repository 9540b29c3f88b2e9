"""Power loss: a server whose file operations are recorded, and what a disk may hold when the power goes."""
