"""The columns of curves: their names, and which of them are errors, losses or signals."""

METRICS = ("p_mpjpe_signed_mm", "p_mpjpe_reflected_mm", "p_mpjpe_mm", "n_mpjpe_mm", "mpjpe_mm")
"""Error columns, the headline metric first."""

HEADLINE_METRIC = METRICS[0]

TRAIN_METRIC = f"train_{HEADLINE_METRIC}"
"""The error on views that were trained on: by it a rule is chosen, so that test subjects have no
say."""

CONSISTENCY = ("loss_reprojection", "loss_ninety_degree")
"""The unweighted consistency terms (equations 2 to 5), which need no labels; their sum is the
label-free objective."""
