"""The experiments there are. A new one is a line here."""

from __future__ import annotations

from tinygrad_rnn.tasks import Criterion
from tinygrad_rnn.train.reproduce.experiment import Experiment, Published
from tinygrad_rnn.train.reproduce.trial import Learner, Plan

__all__ = ["EXPERIMENTS"]

GERS = "Gers, Schmidhuber & Cummins 2000"
PASCANU = "Pascanu, Mikolov & Bengio 2013"
#: The variants of Greff et al., by the names of their paper.
VARIANTS = {
    "V": "peephole",
    "NIG": "nig",
    "NFG": "nfg",
    "NOG": "nog",
    "NIAF": "niaf",
    "NOAF": "noaf",
    "NP": "np",
    "CIFG": "cifg",
    "FGR": "fgr",
}

#: By the name that the command takes.
EXPERIMENTS: dict[str, Experiment] = {
    "greff": Experiment(
        "greff",
        "nine variants of the LSTM on one task, each with something left out or added",
        "Greff et al. 2015",
        Plan("embedded_reber", updates=1500, every=50, batch=16, judged=256, steps=20),
        tuple(Learner(name, cell, 12) for name, cell in VARIANTS.items()),
        seeds=3,
        published=(
            Published("variants significantly better than V", "none", "abstract"),
            Published("most critical parts", "the forget gate and the output activation: NFG, NOAF", "abstract"),
            Published("variants that are simpler and no worse", "CIFG, NP", "conclusion"),
            Published("size of the study", "5400 runs on 3 tasks, settings searched at random", "abstract"),
        ),
        differs=(
            "The embedded Reber grammar stands for the paper's speech, handwriting and music.",
            "Every string begins with a state of 0, so nothing has to be forgotten in between.",
            "One setting for all (12 units, Adam 0.01, clip 1, 16 strings an update), where the paper searched at "
            "random for the best of each variant: this compares variants at that setting alone.",
            "A few seeds and a small task: differences of less than the range from-to say nothing.",
        ),
    ),
    "forget-gate": Experiment(
        "forget-gate",
        "strings of the embedded Reber grammar without end, with a forget gate and without",
        GERS,
        Plan("continual_reber", updates=3000, every=100, batch=16, judged=16, steps=30, judged_steps=1000, windows=10),
        (
            Learner(
                "LSTM 1997", "lstm97:block_size=2:gradient=truncated:input_bias=-0.5:output_bias=-0.5", 8
            ),
            Learner("no forget gate", "nfg", 8),
            Learner("peephole", "peephole:forget_bias=1", 8),
            Learner("LSTM", "lstm:forget_bias=1", 8),
        ),
        seeds=3,
        published=(
            Published("forget gates: perfect solutions of 100", "18%", "results on the continual problem"),
            Published("forget gates, learning rate decaying by 0.99", "62%", "the same"),
            Published("LSTM without forget gates, its state reset from outside", "74%", "the same"),
        ),
        differs=(
            "Perfect is 1,000 symbols without a mistake on all of 16 streams, where the paper asks for 1,000,000.",
            "16 streams at once, in windows of 30 symbols, ten of them until streams begin anew; in the paper a stream "
            "ends with the first mistake, and weights change after every symbol.",
            "Softmax, cross entropy and Adam 0.01 with clip 1; the paper has logistic outputs and plain descent.",
            "Gradients reach back through a window, not cut at gates; only LSTM 1997 has them truncated.",
            "No weights from input to output, and biases of gates as the cells' options say.",
        ),
    ),
    "pascanu": Experiment(
        "pascanu",
        "the temporal order problem with a simple network: gradient descent, clipping, and Omega",
        PASCANU,
        Plan(
            "temporal_order", updates=5000, every=250, batch=20, judged=1000, steps=30,
            criterion=Criterion("wrong", at_most=0.01),
        ),
        (
            Learner("SGD", "rnn:gain=0.95", 50, "sgd", 0.01, None),
            Learner("SGD + clip", "rnn:gain=0.95", 50, "sgd", 0.01, 1.0),
            Learner("SGD + clip + Omega", "rnn:gain=0.95", 50, "sgd", 0.01, 1.0, omega=4.0),
            Learner("10 x rate", "rnn:gain=0.95", 50, "sgd", 0.1, None),
            Learner("10 x rate + clip", "rnn:gain=0.95", 50, "sgd", 0.1, 1.0),
        ),
        seeds=3,
        published=(
            Published(
                "rates of success of SGD, +clip and +clip +Omega by length", "curves, no numbers in print", "figure 7"
            ),
            Published(
                "one model for lengths from 50 to 200, clip and Omega", "5 of 5 seeds, no error up to T = 5000",
                "section 4.1",
            ),
        ),
        differs=(
            "30 steps instead of 50 to 250, and 5,000 updates instead of up to 5,000,000.",
            "W_hh is 0.95 times an orthogonal matrix; the paper's smart initialisation is sparse with radius 0.95.",
            "An answer is right if every output is off by less than 0.3; 1,000 examples instead of 10,000 judge.",
            "Omega, weight 4 as in the paper, is that of its equation 9; its equation 10 writes squares.",
            "Ten times the paper's learning rate is tried as well.",
        ),
    ),
}  # fmt: skip
