# %% [markdown] minutes="20" seconds="2"
# # 02 一个运算，一屏代码
#
# *怎样发现一个导数是错的？*
#
# 在第 01 课里，每个数都知道造出它的那个运算的斜率。现在用数组代替数，一个运算（**op**）变成一个有两个方法的类：怎样算出结果，以及怎样把梯度送回去。两个方法放在一屏里就够了。写出来容易，*信得过*才难：这一课讲的就是后者。

# %%

# %% [markdown]
# `forward` 得到的是普通数组。`vjp` 得到运算*输出*的梯度 `g`，返回*输入*的梯度。这个名字是 vector-Jacobian product（向量与雅可比矩阵的乘积）的缩写：每个输出元素对每个输入元素都有一个斜率（这张表叫**雅可比矩阵**），把 `g` 乘进去，而不必把整张表写出来。对 tanh，这张表是对角的，所以 `g` 是逐元素相乘。
#
# ## 去问函数本身
#
# 不用任何求导规则也能得到斜率：把输入往两边各挪一点，看输出怎么变，$(f(x + \varepsilon) - f(x - \varepsilon)) / 2 \varepsilon$。这个**中心差分**很慢（每个输入数要算两遍），也不精确，但它对我们的推导一无所知，所以不会跟我们犯同一个错。

# %%

# %% [markdown] question="choice" options="越小越好 | 1e-5 附近最好，两边都更差 | 步长无所谓" answer="2 if errors['float64'].min() < 1e-3 * min(errors['float64'][0], errors['float64'][-1]) else 1"
# 导数的定义说"让步长趋于 0"。在 float64（大约 16 位有效数字）里，哪个步长的中心差分最准？

# %%

# %% [markdown]
# 两种误差方向相反。步长太长，曲线会弯；步长太短，就是两个几乎相等的数相减，最后几位全是舍入误差。在 float32（7 位）里，最好的结果也太粗，分不清小错误和噪声。所以**检查导数要用 float64**。
#
# `tg.gradcheck` 对每个输入元素和每个输出元素都这样做一遍，出错时会指出最糟的那一项。

# %%

# %% [markdown]
# ## 五个错误的导数
#
# 这五个都曾被当作业交上来。`y` 是 `x` 的 tanh。

# %%

# %% [markdown] question="choice" options="能，五个都能 | 不能，漏掉一个 | 不能，漏掉两个" answer="1 + sum(caught[name, 0.1] is False for name in rules)"
# 我们在大约 0.1 的输入上检查这五个。gradcheck 能全部发现吗？

# %%

# %% [markdown]
# 在 0 附近，tanh(x) 几乎就是 x，所以*把输出错写成输入*在那里几乎是对的。网络的初始数值都很小，所以这个错误还能训练好一阵子，才会有什么看起来不对劲。要在 1 的量级上检查，函数在那里才显出它的形状。
#
# ## 引擎替每个运算做的事
#
# 把形状为 (3,) 的偏置加到形状为 (2, 3) 的一批数据上：NumPy 会把它重复用在两行上。往回走时，每个偏置元素被用了两次，而消息是要相加的（第 01 课）。所以它的梯度必须是*偏置*的形状。运算本身不用操心：它的 vjp 返回输出形状的梯度，引擎在一个统一的地方把它调整成父节点的形状。

# %% [markdown] question="choice" options="(2, 3)，和的形状 | (3,)，按列求和 | (3,)，按列求平均" answer="2 if bias.grad.shape == (3,) and np.allclose(bias.grad.numpy(), g.numpy().sum(axis=0)) else 1"
# 偏置的形状是 (3,)，数据的形状是 (2, 3)。偏置的梯度是什么？

# %%

# %% [markdown]
# ## 导数也是图
#
# vjp 是用张量的方法写的（`g * (1 - y * y)`），不是用 NumPy。所以反向传播本身也是一个可以求导的计算：tanh 的二阶导数白送，也可以用同样的办法检查。

# %%

# %% [markdown]
# ## 读一读引擎自己的文件
#
# 现在你可以读真正的代码了，每个文件都不长。
#
# 1. `tinygrad_rnn/engine/ops/elementwise.py`：各个运算，forward 和 vjp 并排放着，tanh 也在里面。
# 2. `tinygrad_rnn/engine/graph.py`：一个节点记住它的运算、它的父节点（按顺序，`x * x` 记两次）和它的结果。
# 3. `tinygrad_rnn/engine/autograd.py`：第 01 课的走法，最后造出的节点先走。
# 4. `tinygrad_rnn/engine/tensor.py`：你手里拿着的那个句柄，以及它的方法。
#
# 它们有多长？下一格代码来数。

# %%

# %% [markdown] exercise="1" question="choice" options="g * 2 * sin(x) | g * sin(2 * x) | g * 2 * cos(x)" answer="2"
# 写一个计算 $\sin(x)^2$ 的运算和它的 vjp。下面哪一个是它的 vjp？

# %% [markdown] hint="1"
# 外层的斜率是 $2 \sin x$，内层是 $\cos x$。$2 \sin x \cos x$ 有一个公式。

# %% solution="1"

# %% [markdown] exercise="2" question="choice" options="接受 | 不接受，报错 | 不接受，但没人发现" answer="1 if verdict else 2"
# relu 在 0 处有一个折点：左边斜率 0，右边斜率 1。正好在 $x = 0$ 处，gradcheck 接受它吗？

# %% [markdown] hint="2"
# 中心差分会看两边。(1e-6 - 0) / 2e-6 是多少？规则给出的斜率又是哪一个？

# %% solution="2"

# %% [markdown]
# ## 三句话
#
# 一个运算就是一个前向函数，加上一条把梯度送回去的规则；其余的都由引擎来做。要信得过一条规则，就用 float64 的中心差分，在 1 的量级的输入上，配上各不相同的输入梯度来核对。太小的输入、float32、全是 1 的 `g` 以及折点，都会掩盖或者假造错误。
#
# **这一课没有讲的。** gradcheck 拿导数跟它*自己的*前向计算比较。如果前向本身就错了（比如 LSTM 的两个门对调了），那么错误函数的导数是对的，gradcheck 就会很满意。那需要别的检测手段，第 10 课会讲。
