# %% [markdown] minutes="3" seconds="1"
# # 01 一半的一半
#
# *一个数要减半多少次，才只剩百分之一？*

# %% [markdown] question="number" answer="halvings" tolerance="0.1"
# 需要减半多少次？

# %% [markdown] hint="1"
# 减半两次剩四分之一。

# %% [markdown] hint="1"
# 七次是个好猜测。

# %%

# %% [markdown]
# 这里会有一张图。

# %% [markdown] question="choice" options="变大 | 变小" answer="2 if sizes[1] < sizes[0] else 1"
# 这个数如何变化？

# %%

# %% [markdown] exercise="1" question="number" answer="thirds" tolerance="0abs"
# 每次取三分之一需要多少次？

# %% [markdown] hint="1"
# 取对数。

# %% [markdown] solution="1"
# 以 3 为底 100 的对数，向上取整。

# %%

# %% [markdown] exercise="1"
# 把减半写成函数。

# %%

# %% [markdown]
# 本篇没有展示的：其余一切。
