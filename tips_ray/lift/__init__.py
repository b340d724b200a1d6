"""Lifting: 2D keypoints in, 3D poses out, with NumPy alone."""
