"""When to stop, and which weights to trust, an unsupervised 2D-to-3D pose lifter."""
