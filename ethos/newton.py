"""Newton's method for penalised logistic likelihoods, which cannot overshoot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_MOST_STEPS = 200
_CLOSE = 1e-7  # the error is of the order of its square


def newton(
    slopes: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], reach: Callable[[np.ndarray], float], size: int
) -> np.ndarray:
    """The parameters [size] at which a log-likelihood is highest.

    slopes: of parameters, the gradient [size] and the information matrix (minus the Hessian) [size, size], positive definite.
    reach: the most by which a step [size] changes the logit of an outcome. A step that would change one by more than 1 is
    shortened to that; then each step gains, wherever it starts (Bach 2010, doi:10.1214/09-EJS521).
    Raises ArithmeticError if it does not arrive.
    """
    position = np.zeros(size)
    for _ in range(_MOST_STEPS):
        step = np.linalg.solve(*slopes(position)[::-1])
        position = position + step / max(1, reach(step))
        if np.abs(step).max() < _CLOSE:
            return position
    raise ArithmeticError(f"no maximum found in {_MOST_STEPS} steps")
