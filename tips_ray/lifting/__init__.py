"""Networks, losses, training and evaluation of lifters; knows no Ray, no disk and no plot."""
