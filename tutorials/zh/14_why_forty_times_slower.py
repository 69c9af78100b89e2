# %% [markdown] minutes="25" seconds="20"
# # 14 为什么慢四十倍？
#
# *同样的数学，机器到底在做什么？*
#
# 到现在为止，内核（kernel）就是某种能跑的东西。这一课你打开引擎的最底层：对数组的循环，由 **Numba** 编译给处理器用，同样的函数也编译给显卡用。有三件意外的事等着你：一个编译过却很慢的 tanh；一种循环次序，它比巧妙的算法更要紧；以及一种不用拥有 GPU 就能评判 GPU 代码的办法：*数数*，不要计时。
#
# 下面的时间是你自己机器上的，每次运行都不一样。只有结果和计数会被检查。

# %%

# %% [markdown]
# ## 65,536 次 tanh
#
# 一个 Python 循环对每个数调用 `math.tanh`。Numba 在第一次调用时把同一个循环翻译成机器码。

# %%

# %% [markdown] question="choice" options="大约 10 倍 | 大约 100 倍 | 大约 1000 倍" answer="1 if speedup < 30 else 2 if speedup < 300 else 3"
# 编译后的循环比 Python 循环快多少？

# %%

# %% [markdown]
# 编译过了，却还是远远落后于 NumPy 和本引擎，而引擎用的也是 Numba。差别在哪里？`math.tanh` 是对库函数的调用，一次一个数。处理器一条指令可以做八次 float32 运算，但前提是循环体是纯粹的算术。所以引擎用乘法和多项式来算 tanh，编译器就能把循环变成*向量*指令。
#
# 那么我们用指数来写：$\tanh x = 1 - 2 / (e^{2x} + 1)$，足够简单，可以向量化。

# %% [markdown] question="choice" options="7 位全对 | 错了百分之几甚至更多 | 报错" answer="2 if relative[1e-7] > 0.02 else 1"
# 在 float32 里，这个公式在 $x = 10^{-7}$ 处（那里 $\tanh x$ 几乎就是 $x$）有多准？

# %%

# %% [markdown]
# $1 - 2/(2 + 2 \cdot 10^{-7})$ 是两个七位数字全都相同的数相减。引擎在 0 附近改用一个奇多项式（$x$ 乘以 $x^2$ 的多项式），它的*相对*误差一直很小。见 `tinygrad_rnn/backends/scalar.py`：每个函数在那里只写一次，处理器和 GPU 都用它。
#
# ## 矩阵乘积，三种次序
#
# $C_{ij} = \sum_k A_{ik} B_{kj}$：三重循环，数学并不在乎谁在里面。

# %%

# %%

# %% [markdown] question="choice" options="三者之中分块最快 | ikj 最快，分块更慢 | 都差不多" answer="1 if rate['tiled'] > 1.1 * rate['ikj'] else 2 if rate['ikj'] > 1.1 * rate['tiled'] else 3"
# "分块会更快"，每门 GPU 课程都这么说。在处理器上，256 x 256，是这样吗？

# %%

# %% [markdown]
# 在 `ijk` 里，最内层的循环沿着 $B$ 的一列往下跳：每个数都在另一条缓存行里，什么也没法向量化。在 `ikj` 里，它沿着行走。在处理器上，次序说了算；手工分块多半只是打断了向量单元喜欢的长行。（NumPy 调用 BLAS 库，里面凝聚了多年这样的调优，本引擎也调用它。）
#
# ## 一块显卡，不用真有
#
# 在 GPU 上，成千上万个**线程**运行同一个内核，各自负责自己的元素，并分成若干块。从显存读取才是花钱的事。同一块里的线程可以共用一小片快速内存：一起装进一个**小块**（tile），互相等齐（`cuda.syncthreads`），然后多次使用。模拟器把每个线程当作 Python 来跑，它的*时间*没有意义。但我们可以数。

# %%

# %% [markdown] question="number" answer="counted['naive'] / counted['shared']" tolerance="0.01"
# 小块是 4 x 4。`shared` 从显存读取的次数是 `naive` 的几分之一？（填"少多少倍"。）

# %% seconds="4"

# %%

# %% [markdown] exercise="1" question="number" answer="reads" tolerance="0.001"
# $n = 64$，小块 8 x 8：分块的内核读取多少次？

# %% [markdown] hint="1"
# n x n 个线程，每个线程对 k 方向上的每个小块读两个数。

# %% solution="1"

# %% [markdown] exercise="2" question="choice" options="任何 n | 只有 k 方向上不止一个小块的 n | 都不会：线程够快" answer="2 if fine and broken else 1"
# 有人去掉了*第二个* `cuda.syncthreads()`。对哪些大小，结果可能出错？

# %% [markdown] hint="2"
# 它保护的是一个还在被读取的小块，不让它被下一个覆盖。什么时候才有下一个？

# %% solution="2"

# %% [markdown]
# ## 三句话
#
# 同样的数学，当它的循环是沿着内存、只用一种数据类型的纯粹算术时，能快几十倍。便宜的公式在数很小的地方也必须是对的。评判一个 GPU 内核，看它读取显存多少次，而这不需要显卡也能数出来。
#
# **这一课没有讲的。** 真正的 GPU 有多快：这里没有任何东西在 GPU 上跑过。而且在小型循环网络的规模上，花时间的并不是内核。那是什么呢？见第 15 课。
