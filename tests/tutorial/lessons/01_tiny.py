# %% [markdown] minutes="3" seconds="1"
# # 01 Half of a half
#
# *How often can a number be halved before **one percent** of it is left?*
#
# - a list
# - of two

# %% [markdown] question="number" answer="halvings" tolerance="0.1"
# How many halvings does it take?

# %% [markdown] hint="1"
# Two halvings leave a quarter.

# %% [markdown] hint="1"
# Seven is a good guess.

# %% keep="sizes halvings"
sizes = [1.0]
while sizes[-1] > 0.01:
    sizes.append(sizes[-1] / 2)
halvings = len(sizes) - 1
print("sizes:", sizes[:3])
assert halvings == 7

# %% [markdown]
# Now a picture would come.

# %% [markdown] question="choice" options="it grows | it shrinks" answer="2 if sizes[1] < sizes[0] else 1"
# What does the number do?

# %%
factor = sizes[1] / sizes[0]
assert factor == 0.5

# %% [markdown] exercise="1" question="number" answer="thirds" tolerance="0abs"
# How often for a third?

# %% [markdown] hint="1"
# Take a logarithm.

# %% [markdown] solution="1"
# The logarithm of 100 to the base 3, rounded up.

# %% solution="1"
import math

thirds = math.ceil(math.log(100) / math.log(3))
assert thirds == 5

# %% [markdown] exercise="1"
# Write the halving as a function.

# %% solution="1"
def half(x):
    return x / 2


assert half(3.0) == 1.5

# %% [markdown]
# What this did not show: anything else.
