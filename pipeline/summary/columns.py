"""Statistics that are the mean of one column of the cells, by name."""

import pandas as pd

from pipeline.summary.statistics import Statistic

MEANS = {
    "mean_weak_error": "weak_error",  # the scale on which gain and misfit of a seed or data set live
    "mean_student_error": "student_error",
    "mean_truth_variance": "truth_variance",
    "mean_error_correlation": "error_correlation",  # of teacher and student
    "mean_copied": "copied",  # share of the teacher's errors that the student repeats
    "mean_excess_risk": "excess_risk",  # in squared label units
    "mean_content": "content",  # share of questions answered with the right fact
    "mean_style": "style",  # share of answers in the style asked for
    "mean_helpful": "helpful",  # share of right numbers in an answer
    "mean_helpful_improvement": "helpful_improvement",  # answers that score higher after correction less those lower
    "mean_harmless_improvement": "harmless_improvement",
    "mean_kept": "kept",  # share of right answers that a corrector leaves as they are
    "mean_stated": "stated",  # share of answers in which the right one is written
    "mean_label_accuracy": "label_accuracy",  # share of the students' labels that are right
    "mean_auroc": "auroc",  # how well a selector tells right own answers from wrong ones on test rows
    "mean_risk": "risk",  # share of wrong answers of the strong model among the test rows that a selector takes
    "mean_control_weight": "control_weight",  # of the teacher that knows nothing, added to the pool
    "mean_worst_accuracy": "worst_accuracy",  # on the worst class
    "mean_explained": "explained",  # share of the variance of the teacher's probabilities that the student's explain
    "mean_hard_error": "student_hard_error",  # on examples with a hard signal only; a half is chance
    "mean_weak_hard_error": "weak_hard_error",
    "mean_righted": "righted",  # of the training examples with a wrong pseudo-label those predicted with the true one
    "mean_reward": "reward",  # the true one of what a model writes, in nats a token
    "mean_fluency": "fluency",  # mean log-probability under the true grammar, in nats a token
    "mean_preferred": "preferred",  # share of preferred tokens
    "mean_implicit": "implicit",  # log-ratio of the aligned weak model and the one before, in nats a token
    "mean_rank_correlation": "rank_correlation",  # of implicit and true reward over what a model writes
    "mean_kl": "kl",  # of next tokens, to the un-tuned strong model, in nats
    "mean_pairs_right": "pairs_right",  # share of preference pairs whose chosen string has the larger true reward
    "gain_where_right": "gain_right",  # what images on which the teacher is right add to the gain, in nats
    "gain_where_wrong": "gain_wrong",
}


def mean_of(column: str) -> Statistic:
    """The mean of a column."""

    def mean(cells: pd.DataFrame) -> float:
        return float(cells[column].mean())

    return mean


COLUMNS = {name: mean_of(column) for name, column in MEANS.items()}
