def add(a, b):
    ### BEGIN SOLUTION 1.1
    return np.array([x + y for x, y in zip(a, b)])
    ### END SOLUTION 1.1


def twice(f, x):
    ### BEGIN SOLUTION 1.2
    for _ in range(2):
        x = f(x)
    return x
    ### END SOLUTION 1.2
