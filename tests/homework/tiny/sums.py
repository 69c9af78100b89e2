"""Sums."""

import numpy as np

### BEGIN YOURS
### END YOURS


def add(a, b):
    """Return the sum of two arrays."""
    ### BEGIN SOLUTION 1.1
    return np.add(np.asarray(a), np.asarray(b))
    ### END SOLUTION 1.1


def twice(f, x):
    """Return f(f(x))."""
    ### BEGIN SOLUTION 1.2
    once = f(x)
    return f(once)
    ### END SOLUTION 1.2
