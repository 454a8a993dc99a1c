"""Which module compiles which class, and which builds the kernel of which kind. A new family is a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard_runtime.twin import (
    adaptive,
    arithmetic,
    bagging,
    bayes,
    bins,
    boosting,
    calibrated,
    columns,
    curves,
    encoding,
    ensembles,
    imputing,
    libraries,
    linear,
    networks,
    polynomials,
    reducing,
    splines,
    targets,
    text,
    trees,
)
from modelyard_runtime.twin.node import (
    Compiler,
    Final,
    FinalBuilder,
    Node,
    NotCompiledError,
    Transform,
    TransformBuilder,
    TwinFormatError,
)

_LIBRARIES = ("sklearn.", "lightgbm.", "xgboost.")

_SELECTORS = (
    *("GenericUnivariateSelect", "SelectFdr", "SelectFpr", "SelectFwe", "SelectKBest", "SelectPercentile"),
    *("RFE", "RFECV", "SelectFromModel", "SequentialFeatureSelector", "VarianceThreshold"),
)
_TRANSFORMERS: Mapping[str, Compiler] = {
    **dict.fromkeys(_SELECTORS, reducing.compile_selector),
    "Binarizer": bins.compile_binarizer,
    "ColumnTransformer": columns.compile_columns,
    "CountVectorizer": text.compile_counter,
    "FactorAnalysis": reducing.compile_factors,
    "FastICA": reducing.compile_independent,
    "FunctionTransformer": columns.compile_function,
    "GaussianRandomProjection": reducing.compile_random_projection,
    "IncrementalPCA": reducing.compile_projection,
    "KBinsDiscretizer": bins.compile_bins,
    "MaxAbsScaler": arithmetic.compile_scaler,
    "MinMaxScaler": arithmetic.compile_scaler,
    "MissingIndicator": imputing.compile_indicator,
    "Normalizer": curves.compile_lengths,
    "OneHotEncoder": encoding.compile_one_hot,
    "OrdinalEncoder": encoding.compile_ordinal,
    "PCA": reducing.compile_projection,
    "Pipeline": columns.compile_chain,
    "PolynomialFeatures": polynomials.compile_polynomial,
    "PowerTransformer": curves.compile_powers,
    "QuantileTransformer": curves.compile_quantiles,
    "RobustScaler": arithmetic.compile_scaler,
    "SimpleImputer": imputing.compile_imputer,
    "SplineTransformer": splines.compile_splines,
    "StandardScaler": arithmetic.compile_scaler,
    "TargetEncoder": encoding.compile_target_encoder,
    "TfidfTransformer": text.compile_weights,
    "TfidfVectorizer": text.compile_vectorizer,
    "TruncatedSVD": reducing.compile_projection,
}
_REGRESSORS = (
    *("ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV"),
    *("Lasso", "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression", "LinearSVR"),
    *("OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV", "PassiveAggressiveRegressor"),
    *("QuantileRegressor", "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor"),
)
_CLASSIFIERS = (
    *("LinearDiscriminantAnalysis", "LinearSVC", "LogisticRegression", "LogisticRegressionCV"),
    *("PassiveAggressiveClassifier", "Perceptron", "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier"),
)
_FORESTS = (
    *("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"),
    *("ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor"),
)
_XGBOOST = ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")
_ESTIMATORS: Mapping[str, Compiler] = {
    **dict.fromkeys(("AdaBoostClassifier", "AdaBoostRegressor"), adaptive.compile_adaptive),
    **dict.fromkeys(("BaggingClassifier", "BaggingRegressor"), bagging.compile_bagging),
    "CalibratedClassifierCV": calibrated.compile_calibrated,
    "RANSACRegressor": ensembles.compile_inner,
    "TransformedTargetRegressor": targets.compile_target,
    **dict.fromkeys(_REGRESSORS, linear.compile_regressor),
    **dict.fromkeys(_CLASSIFIERS, linear.compile_classifier),
    **dict.fromkeys(("GammaRegressor", "PoissonRegressor", "TweedieRegressor"), linear.compile_generalised),
    **dict.fromkeys(_FORESTS, trees.compile_forest),
    **dict.fromkeys(("ComplementNB", "MultinomialNB"), bayes.compile_counted),
    "GaussianNB": bayes.compile_normal,
    **dict.fromkeys(("LGBMClassifier", "LGBMRegressor"), libraries.compile_lightgbm),
    **dict.fromkeys(("StackingClassifier", "StackingRegressor"), ensembles.compile_stacking),
    **dict.fromkeys(("VotingClassifier", "VotingRegressor"), ensembles.compile_voting),
    **dict.fromkeys(_XGBOOST, libraries.compile_xgboost),
    "GradientBoostingClassifier": boosting.compile_gradient,
    "GradientBoostingRegressor": boosting.compile_gradient,
    **dict.fromkeys(("MLPClassifier", "MLPRegressor"), networks.compile_network),
    "HistGradientBoostingClassifier": boosting.compile_histogram,
    "HistGradientBoostingRegressor": boosting.compile_histogram,
}
_TRANSFORM_KERNELS: Mapping[str, TransformBuilder] = {
    bins.ABOVE: bins.build_above,
    bins.BINS: bins.build_bins,
    curves.LENGTHS: curves.build_lengths,
    curves.POWERS: curves.build_powers,
    curves.QUANTILES: curves.build_quantiles,
    polynomials.PRODUCTS: polynomials.build_products,
    splines.SPLINES: splines.build_splines,
    imputing.INDICATE: imputing.build_indicator,
    arithmetic.ARITHMETIC: arithmetic.build_arithmetic,
    columns.CHAIN: columns.build_chain,
    columns.COLUMNS: columns.build_columns,
    columns.SAME: columns.build_same,
    encoding.ONE_HOT: encoding.build_one_hot,
    encoding.ORDINAL: encoding.build_ordinal,
    imputing.IMPUTE: imputing.build_imputer,
    reducing.PROJECT: reducing.build_projection,
    reducing.SELECT: reducing.build_selector,
    text.WEIGHTS: text.build_weights,
    text.WORDS: text.build_words,
}
_FINAL_KERNELS: Mapping[str, FinalBuilder] = {
    adaptive.WEIGHED_MEDIAN: adaptive.build_median,
    adaptive.WEIGHED_VOTES: adaptive.build_votes,
    bagging.BAG: bagging.build_bag,
    calibrated.CALIBRATED: calibrated.build_calibrated,
    targets.TARGET: targets.build_target,
    bayes.NORMAL: bayes.build_normal,
    ensembles.STACK: ensembles.build_stack,
    ensembles.VOTE_OF_LABELS: ensembles.build_vote_of_labels,
    ensembles.VOTE_OF_VALUES: ensembles.build_vote_of_values,
    linear.LINEAR_CLASS: linear.build_classifier,
    linear.LINEAR_VALUE: linear.build_regressor,
    networks.NETWORK: networks.build_network,
    boosting.BOOSTED: boosting.build_boosted,
    trees.FOREST: trees.build_forest,
}


def compile_step(step: Any) -> Node:  # noqa: ANN401  scikit-learn has no types
    """The node of a fitted transformer. Raises NotCompiledError."""
    if isinstance(step, str) and step == "passthrough":
        return Node(columns.SAME)
    return _compiler(step, _TRANSFORMERS)(step, compile_step)


def compile_final(model: Any) -> Node:  # noqa: ANN401
    """The node of a fitted estimator. Raises NotCompiledError."""
    return _compiler(model, _ESTIMATORS)(model, compile_final)


def build_step(node: Node) -> Transform:
    """The kernel of a transformer. Raises TwinFormatError."""
    builder = _TRANSFORM_KERNELS.get(node.kind)
    if builder is None:
        raise TwinFormatError("has a step of an unknown kind", field=node.kind)
    return builder(node, build_step)


def build_final(node: Node) -> Final:
    """The kernel of an estimator. Raises TwinFormatError."""
    builder = _FINAL_KERNELS.get(node.kind)
    if builder is None:
        raise TwinFormatError("has an estimator of an unknown kind", field=node.kind)
    return builder(node, build_final)


def _compiler(fitted: Any, known: Mapping[str, Compiler]) -> Compiler:  # noqa: ANN401
    held = type(fitted)
    compiler = known.get(held.__name__)
    if compiler is None or not held.__module__.startswith(_LIBRARIES):
        raise NotCompiledError(f"{held.__name__} has no compiled form")
    return compiler
