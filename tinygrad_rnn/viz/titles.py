"""What is written above a picture: what it is, how to read it, and what it shows."""

from __future__ import annotations

from collections.abc import Iterator

from tinygrad_rnn.flow import BackwardReport, FlowReport
from tinygrad_rnn.flow.reasons import one_step_beside_mean, typical_steps
from tinygrad_rnn.flow.trained import conclusion
from tinygrad_rnn.viz.shapes import Picture
from tinygrad_rnn.viz.words import findings, origin, why


def title(drawn: Picture, first: str | None) -> list[str]:
    """Return the lines above a picture; the first may be given."""
    report = drawn.report
    steps = f" through {len(report.steps)} steps of time" if report.steps else ""
    if isinstance(report, BackwardReport):
        return [first or f"The backward pass{steps}", *_of_backward(report), *origin(report)]
    known = drawn.kinds - {"not computed", "not required"}
    what = "Gradient flow" if known else "Computation"
    found = [*findings(report), *why(report, training=False).splitlines()]
    if trained := conclusion(report):
        found.insert(2, f"What training did: {trained}")
    return [first or what + steps, *found, *(_of_boxes(drawn) if known else ()), *_of_arrows(drawn)]


def _of_backward(report: FlowReport) -> Iterator[str]:
    mean, smaller = "", ""
    if report.batch > 1:
        mean = f", the mean over {report.batch} examples"
        smaller = f" (of single examples 1/√{report.batch} of what gradient_flow says)"
    yield (
        f"Coloured: what is computed from the seed, and so is a gradient of the loss L{mean}; its number is the size "
        f"of that array{smaller}, its colour that relative to the seed's."
    )
    yield (
        "Arrows lead from a gradient to what is computed from it, beginning with the seed. Dotted: values of the "
        "forward pass, and what is computed from them alone, such as a transposed weight."
    )


def _of_boxes(drawn: Picture) -> Iterator[str]:
    batch = drawn.report.batch
    mean = f", root mean square over {batch} examples" if batch > 1 else ""
    parts = [f"grad: the absolute size ‖∂L/∂·‖ of the gradient of the loss there{mean}"]
    if mean and drawn.has_parameters:
        parts.append("at a parameter W it is ‖∂L/∂W‖ of the mean loss")
    if any(box.kind == "gate" and any("value" in line for line in box.lines) for box in drawn.boxes):
        parts.append("value: of a gate, mean ± standard deviation")
    if any(box.kind == "state" and any("rms" in line for line in box.lines) for box in drawn.boxes):
        parts.append("rms: of the values of a state, root mean square")
    if any(box.kind == "state" and box.lines[-1].endswith("%)") for box in drawn.boxes):
        parts.append("in parentheses: of a state, relative to that at the last step")
    yield f"{'; '.join(parts)}."
    yield f"Colour, log scale: {', '.join(_compared(drawn))}."
    if drawn.has_levels:
        yield (
            "Green in the box of a gate: how far it is open, the mean of its values from 0 to 1; the colour of its "
            "gradient is then that of the frame."
        )


def _compared(drawn: Picture) -> Iterator[str]:
    """Yield what colours are relative to."""
    name, states = drawn.report.reference[0], drawn.report.states
    if name == "L":
        yield "that relative to the gradient of the loss itself, 1"
        return
    if len(states) == 1:
        yield f"that relative to ‖∂L/∂{name}‖"
    else:
        kinds = " and ".join(dict.fromkeys(state.kind for state in states))
        yield f"that of every {kinds} relative to its own at the last step"
        yield f"of all else to ‖∂L/∂{name}‖"
    if drawn.has_parameters:
        yield "of what a step adds to a parameter to the parameter's whole"


def _of_arrows(drawn: Picture) -> Iterator[str]:
    steps = drawn.report.steps
    rolled = drawn.level == "rolled"
    if any(edge.norm is not None for edge in drawn.report.edges):
        where = ", to the loss at the right end" if drawn.timed and not rolled else ""
        width = ", mean over the steps" if rolled else ""
        said = f"Arrows point forward{where}; their colour shows the gradient that comes back along them"
        if drawn.has_shares:
            said += f", their width its share of all that arrives where they begin: ⟨message, g⟩ / ‖g‖²{width}"
        yield f"{said}."
        if drawn.has_shares and not rolled and (beside := one_step_beside_mean(drawn.report)):
            yield f"Widths are those of the steps that are drawn, and not the mean: {beside}."
            usual = typical_steps(drawn.report)
            if usual and beside.endswith(f" at t={usual[0]}") and any(box.step == usual[0] for box in drawn.boxes):
                yield f"That is why t={usual[0]} is drawn, too."
    if any(arrow.text for arrow in drawn.arrows):
        mean = ", geometric mean over the steps" if rolled else ""
        yield (
            "× on an arrow into the next step: the factor by which this arrow alone, of all into it, changes the "
            f"gradient on the way back{mean}."
        )
    if rolled and len(steps) > 1:
        yield f"t={steps[-1]}, t={steps[0]}: at both ends of time."
    if "not computed" in drawn.kinds:
        yield "Dashed: a gradient not computed, or not kept. draw(gradient_flow(losses)) shows them all."
