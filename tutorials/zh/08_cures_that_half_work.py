# %% [markdown] minutes="20" seconds="30"
# # 08 只管一半用的解药
#
# *教材里的解药，哪些经得起测量？*
#
# 每一本讲循环网络的教材都列着一串对付梯度消失的解药：更好的优化器、ReLU、好的初始权重、预训练。大多数只说一句"这有帮助"就往下讲了。在这里，每一种解药都参加同一场小考试，各考三次：把一个比特记住五十步。然后是这些清单略去的第二个问题：解药要付出什么代价？

# %%

# %% [markdown]
# 网络就是第 04 课的那个，$h_t = \phi(x_t U + h_{t-1} W + b)$，其中的单元 $\phi$ 来自第 03 课。不同的是 $\phi$，以及 $W$ 从哪里出发：**通常**的（从 $\pm 1/\sqrt H$ 之间均匀抽取）、**正交**的（只转动，不缩短），或者**单位矩阵** $I$，这时每个单元一开始都照抄自己。

# %%

# %% [markdown] question="choice" options="tanh | ReLU | 一样多" answer="1 if at_start['tanh, usual'].min() > at_start['ReLU, usual'].max() else 2"
# 通常的权重，还没有训练。tanh 的斜率几乎处处小于 1，打开的 ReLU 恰好是 1。经过 49 步，哪一个保住的梯度更多？

# %% [markdown] question="choice" options="ReLU，正交 W | tanh，正交 W | ReLU，单位矩阵 W" answer="1 + int(np.argmax([at_start[name].min() for name in ('ReLU, orthogonal', 'tanh, orthogonal', 'ReLU, identity')]))"
# 下面这三个里，哪一个保住得最多？

# %%

# %%

# %% [markdown]
# 用通常权重的 ReLU 是*最差*的。通常的权重把一个典型的向量缩短到 $1/\sqrt 3 = 0.58$（第 05 课的增益），ReLU 在此之上又关掉一半单元，再乘以 $0.71$（第 03 课）。斜率为 1，这话对一个打开的单元成立，对哪个网络都不成立。$W = I$ 时就不一样了：打开的单元一直开着，照抄自己。
#
# ## 优化器这种解药
#
# "Adam 和 RMSprop 能治好梯度消失"，一篇教材这样说：它们把每个梯度除以它自己平时的大小，于是小的变成大的。让四种优化器来考试，用 tanh 和通常的权重。

# %%

# %% [markdown] question="number" answer="learned_it" tolerance="0.5abs"
# 四种优化器，每种三个网络：这 12 个里有几个学会了这个比特（答对 90% 以上）？

# %% seconds="16" keep="by_optimizer learned_it"

# %% [markdown]
# 一个也没有。优化器改变的是梯度的长度；就算它能把 $10^{-12}$ 也放大。沿着它走一步，又会改变什么？把问题反过来，往*前*走：翻转那个比特，别的都不动，看答案移动多少。

# %%

# %% [markdown]
# 梯度消失不是测量的毛病：它如实地说出，结尾并不依赖于开头。不管优化器把那个比特的权重往哪边推，答案都不动；与此同时，最后几步的噪声在推着其余所有的权重。
#
# ## 换一个出发点的解药

# %% [markdown] question="choice" options="都不能 | 只有单位矩阵 | 只有正交的 tanh | 单位矩阵和正交的 tanh | 四种都能" answer="{(): 1, ('ReLU, identity',): 2, ('tanh, orthogonal',): 3, ('tanh, orthogonal', 'ReLU, identity'): 4}.get(passed, 5)"
# 现在来看另外四种出发点，都用 Adam。哪些在三次运行里全都学会了这个比特？

# %% seconds="14" keep="by_start took trained passed"

# %% [markdown]
# 最长的两条学会了，而且很快；另外三条停在瞎猜的水平不动。训练之前的测量已经说出了谁能通过。那么问题解决了吗？
#
# ## 解药的代价

# %% [markdown] question="choice" options="和原来差不多 | 降到 1% 以下 | 涨到 100 以上" answer="3 if after['ReLU, identity'].min() > 100 else 2 if after['ReLU, identity'].max() < 0.01 else 1"
# 开始的时候，单位矩阵的网络经过 49 步保住了大约一半的梯度。等它学会了这个比特之后，这个数是多少？

# %% seconds="1"

# %% [markdown]
# 没有什么把 ReLU 按在 1 上。为了把两种比特分开，训练把几个因子推到了 1 以上，状态每一步都在增长，梯度也跟着增长。五十步的考试它通过了；一个不断增长的状态再走几百步会变成什么样，你在第 06 课见过。
#
# 正交的 tanh 呢？它的因子就是斜率，只要那些和很小，斜率就接近 1。那就给它大一些的输入。

# %% [markdown] question="choice" options="毫无影响 | 有些影响，仍然能学会 | 影响大到学不会" answer="3 if loud.max() < 0.9 else 2"
# 还是同一场考试，所有输入放大到八倍。这对正交的 tanh 有多大损害？

# %% seconds="5" keep="loud"

# %% [markdown]
# 它失败了。大的和把 tanh 推到两头的平坦处，那里的斜率接近 0。同样的权重，数据换一个尺度，解药就失效了。
#
# 每种解药的结果如下：
#
# | 解药 | 开始时的梯度 | 考试 | 条件 |
# |---|---|---|---|
# | 更好的优化器 | 和没有时一样 | 不及格 | |
# | ReLU，通常或正交的 $W$ | 比同样 $W$ 的 tanh 少 | 不及格 | |
# | ReLU，$W = I$ | 大约一半 | 通过 | 在它爆炸之前 |
# | tanh，正交的 $W$ | 最多百分之几 | 通过 | 只要输入很小 |

# %% [markdown] exercise="1" question="number" answer="expected" tolerance="0.3"
# ReLU 配正交的 $W$ 大约剩下 $10^{-8}$。按第 03 课的因子，49 步之后你预期是多少？

# %% [markdown] hint="1"
# 一半的单元是关着的，而 $W$ 本身不缩短：每步 $\sqrt{1/2}$。

# %% solution="1"

# %% [markdown] exercise="2" question="number" answer="bound" tolerance="0.05"
# 为了防止爆炸，有人从 $W = 0.9\,I$ 出发。49 步之后最多还剩多少？

# %% [markdown] hint="2"
# 一直开着的单元每步乘以 0.9。关着的乘以 0。

# %% solution="2"

# %% [markdown]
# ## 三句话
#
# 梯度消失说的是结尾不依赖于开头，任何优化器都不能靠重新缩放来改变这一点。有用的是一个能让东西到得了的出发点：tanh 配正交的 $W$，或者 ReLU 配单位矩阵；单用 ReLU 只会更糟。而且每一种都只在某个条件下成立：tanh 要那些和保持很小，单位矩阵要训练还没有把它推到 1 以上。
#
# **这一课没有讲的。** 一个比特是最容易的记忆；把比特保住了，并不说明会*选择*该保住什么。至于预训练这种最老的解药，在第 03 课里：它救得了三层，救不了五层。接下来：一个单元要怎样构造，才能天生就保住自己的状态。
